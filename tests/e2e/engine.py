"""The WebSocket engine where time and size matter: t/11-framing.t has the rest.

Every test runs plain and over TLS.
"""

import subprocess

from chat import *


def both(sentence):
    def add(function):
        for tls in (False, True):
            test(sentence + (' (wss)' if tls else ''))(lambda tls=tls: run(function, tls))
        return function
    return add


def run(function, tls):
    server = Server(pool=None, tls=tls, run_dir=scratch('chat-none-'))

    def connect(**options):
        return WebSocket('127.0.0.1', server.tls_port if tls else server.port, '/echo', tls=tls,
                         timeout=20 * SLOW, **options)
    function(server, connect)


def closed(ws, timeout=20):
    try:
        while True:
            ws.recv(timeout * SLOW)
    except Closed as c:
        return c.code


@both('a conversation that comes byte by byte is understood')
def _(server, connect):
    ws = connect()
    text = 'h\u00e4 \U0001f600'
    for byte in (frame(TEXT, text.encode()[:4], fin=False) + frame(PING, b'x') +
                 frame(CONTINUATION, text.encode()[4:]) + frame(BINARY, b'\x00' * 130)):
        ws.send_bytes(bytes([byte]))
    equal((ws.recv(), ws.recv()), (text, b'\x00' * 130))
    for byte in frame(CLOSE, b'\x03\xe8bye'):
        ws.send_bytes(bytes([byte]))
    ws.close_sent = True
    equal(closed(ws), 1000)


@both('messages up to 16 MiB come back as they went; one byte more is 1009')
def _(server, connect):
    ws = connect()
    for size in (1, 65535, 65536, 1 << 20, 16 << 20):
        data = os.urandom(min(size, 1 << 16)) * (size // min(size, 1 << 16))
        data = data[:size]
        ws.send(data)
        assert ws.recv() == data, 'size %d' % size
    ws.send_bytes(frame(BINARY, b'', length=(16 << 20) + 1))
    equal(closed(ws), 1009)


@both('a message in a hundred thousand fragments is one message')
def _(server, connect):
    ws = connect()
    ws.send_bytes(frame(TEXT, b'', fin=False) + frame(CONTINUATION, b'ab', fin=False) * 100000 + frame(CONTINUATION))
    equal(ws.recv(), 'ab' * 100000)


@both('frames that come in one piece with the handshake are not lost')
def _(server, connect):
    ws = connect(handshake=False)
    ws.send_bytes(b'GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n'
                  b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n' +
                  b''.join(frame(TEXT, b'early %d' % i) for i in range(200)))
    equal(ws.read_response()[0], 101)
    for i in range(200):
        equal(ws.recv(), 'early %d' % i)


@both('thousands of messages in one write come back in order')
def _(server, connect):
    ws = connect()
    ws.send_bytes(b''.join(frame(TEXT, b'%d' % i) for i in range(5000)))
    for i in range(5000):
        equal(ws.recv(), '%d' % i)


@both('a client that sends and does not read stops being read, and gets everything when it reads')
def _(server, connect):
    ws = connect(receive_buffer=4096)
    data, sent = os.urandom(65536), 0
    ws.sock.settimeout(1)
    try:
        while sent < 2000:
            ws.sock.sendall(frame(BINARY, data))
            sent += 1
    except (socket.timeout, TimeoutError):
        pass
    assert 0 < sent < 2000, 'the server took %d MiB and echoed nothing away' % (sent * 65536 >> 20)
    ws.sock.settimeout(20 * SLOW)
    for _ in range(sent):
        assert ws.recv() == data


@both('after our Close the server closes the TCP connection, and at once')
def _(server, connect):
    ws = connect()
    ws.send_bytes(frame(CLOSE, b'\x03\xe8'))
    equal(ws.read_frame(), (True, 0, CLOSE, b'\x03\xe8'))
    start = time.monotonic()
    try:
        assert ws.sock.recv(1) == b''
    except OSError:
        pass
    assert time.monotonic() - start < 4 * SLOW


@both('a client that vanishes without a Close leaves nothing behind')
def _(server, connect):
    connections = [connect() for _ in range(20)]
    for i, ws in enumerate(connections):
        if i % 2:
            ws.send_bytes(frame(TEXT, b'half', length=100))
        ws.abort()
    until(lambda: server.metrics().get('chat_connections') == 0, 10 * SLOW, 'connections to be 0')


@test('a client that has shut down its sending side still gets what it asked for')
def _():
    def half(server, connect):
        ws = connect()
        ws.send_bytes(b''.join(frame(TEXT, b'%d' % i) for i in range(1000)) + frame(CLOSE, b'\x03\xe8'))
        ws.sock.shutdown(socket.SHUT_WR)
        ws.close_sent = True
        for i in range(1000):
            equal(ws.recv(), '%d' % i)
        equal(closed(ws), 1000)
    run(half, False)


@test('what is answered already is written to a client whose end of file came at once')
def _():
    server = Server(pool=None)
    for _ in range(5):
        ws = WebSocket('127.0.0.1', server.port, handshake=False)
        ws.send_bytes(b'GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                      b'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
                      + frame(TEXT, b'one') + frame(TEXT, b'y' * 100000))
        ws.sock.shutdown(socket.SHUT_WR)
        equal(ws.read_response()[0], 101)
        equal(ws.recv(), 'one')
        equal(ws.recv(), 'y' * 100000)
        equal(closed(ws), None)
    until(lambda: server.metrics().get('chat_connections') == 0, 10 * SLOW)


@test('an end of file without a Close ends the connection and is no error')
def _():
    def half(server, connect):
        ws = connect()
        ws.send_bytes(frame(TEXT, b'x'))
        equal(ws.recv(), 'x')
        ws.sock.shutdown(socket.SHUT_WR)
        equal(closed(ws), None)
        until(lambda: server.metrics().get('chat_connections') == 0, 10 * SLOW)
    run(half, False)


@test('a WebSocket handshake over HTTP/2 is refused')
def _():
    server = Server(pool=None, tls=True, run_dir=scratch('chat-none-'))
    for path in ('/echo', '/ws'):
        out = subprocess.run(['curl', '-sk', '--http2', '-o', '/dev/null', '-w', '%{http_version} %{http_code}',
                              'https://127.0.0.1:%d%s' % (server.tls_port, path)],
                             stdout=subprocess.PIPE, text=True, timeout=60).stdout
        version, status = out.split()
        equal(version, '2')
        assert 400 <= int(status) < 500 or status == '505', (path, status)


@test('fail fast: a bad text is refused while the frame it stands in is still coming')
def _():
    def fast(server, connect):
        ws = connect()
        ws.send_bytes(frame(TEXT, b'good so far ', length=1000))
        ws.send_bytes(bytes(b ^ m for b, m in zip(b'\xed\xa0', b'\x11\x22')))
        equal(closed(ws, 5), 1007)
    run(fast, False)


@test('a thousand connections at once are served')
def _():
    def many(server, connect):
        sockets = [connect() for _ in range(1000)]
        # the 101 is out before its connection counts
        until(lambda: server.metrics()['chat_connections'] == 1000, 20 * SLOW)
        for ws in sockets:
            ws.send('x')
        for ws in sockets:
            equal(ws.recv(), 'x')
        for ws in sockets:
            ws.abort()
        until(lambda: server.metrics()['chat_connections'] == 0, 20 * SLOW)
    run(many, False)


main()
