"""permessage-deflate (RFC 7692): compressed both ways, with python3-websockets'
own extension and with frames made by hand; limits, errors, and that a
broadcast is compressed once."""

import asyncio
import ssl
import zlib

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from chat import *
from events import Stream

RSV1 = 4
OFFER = ('Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits')
ANSWER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'


def packed(data, level=6, tail=4):
    z = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH))[:-tail]


def unpacked(data, bits=15):
    z = zlib.decompressobj(-bits)
    out = z.decompress(data + b'\0\0\xff\xff')
    assert not z.unconsumed_tail and not z.unused_data
    return out


class Deflating(WebSocket):
    """Its read_frame gives frames inflated; frames holds them as they came."""

    bits = 15

    def read_frame(self):
        fin, rsv, opcode, payload = super().read_frame()
        self.__dict__.setdefault('frames', []).append((rsv, opcode, payload))
        if rsv == RSV1:
            assert opcode in (TEXT, BINARY) and fin, 'RSV1 belongs to the first frame of a message'
            return fin, 0, opcode, unpacked(payload, self.bits)
        return fin, rsv, opcode, payload

    def compressed(self):
        return sum(rsv == RSV1 for rsv, _, _ in self.frames)

    def send_packed(self, data, opcode=TEXT):
        self.send_bytes(frame(opcode, packed(data.encode() if isinstance(data, str) else data), rsv=RSV1))


class DeflatingClient(Deflating, Client):
    def send(self, data):
        self.send_packed(data)


def client(server, user, **options):
    offer = options.pop('offer', OFFER[1])
    return DeflatingClient(server, user, timeout=10 * SLOW, headers=[
        ('Authorization', 'Bearer ' + server.token(user)), (OFFER[0], offer)], **options)


def echo(server, offer=OFFER[1], tls=False, **options):
    return Deflating('127.0.0.1', server.tls_port if tls else server.port, '/echo', [(OFFER[0], offer)], tls=tls,
                     timeout=20 * SLOW, **options)


def code_of(ws):
    try:
        while True:
            ws.recv(20 * SLOW)
    except Closed as c:
        return c.code


def streamed(stream, words):
    """The message of the event whose text has these words."""
    while True:
        event = stream.event()
        if event.method == 'message.new' and words in event.data['message']['text']:
            return event.data['message']


def server_with(http='chat_deflate on;', **options):
    return Server(http=http, **options)


@test('python3-websockets and its own extension: text, binary, empty, fragments and 8 MiB come back, plain and over TLS')
def _():
    server = server_with(tls=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    async def talk(uri, **options):
        async with websockets.connect(uri, max_size=None, **options) as ws:
            equal(len(ws.extensions), 1, 'extensions')
            for message in ('short', '', b'', 'h\u00e4 \U0001f600 ' * 5000, os.urandom(100000), b'\0' * (8 << 20),
                            json.dumps({'a': list(range(2000))}), os.urandom(50000).hex()):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send(['a fragment, ' * 100, '', 'and another'])
            equal(await ws.recv(), 'a fragment, ' * 100 + 'and another')
            await ws.ping(b'x')
    for more in ({}, {'server_max_window_bits': 9, 'client_max_window_bits': 9}, {'server_no_context_takeover': True},
                 {'client_max_window_bits': 12}, {'server_max_window_bits': 15}):
        factory = ClientPerMessageDeflateFactory(**more)
        asyncio.run(talk('ws://127.0.0.1:%d/echo' % server.port, compression=None, extensions=[factory]))
    asyncio.run(talk('ws://127.0.0.1:%d/echo' % server.port))
    asyncio.run(talk('wss://127.0.0.1:%d/echo' % server.tls_port, ssl=context))


@test('python3-websockets chats compressed: requests, batches, results, events and history')
def _():
    server = server_with('chat_deflate on min=64;')

    async def talk():
        headers = [{'Authorization': 'Bearer ' + server.token(u)} for u in ('alice', 'bob')]
        uri = 'ws://127.0.0.1:%d/ws?after=0' % server.port
        async with websockets.connect(uri, extra_headers=headers[0]) as alice, \
                websockets.connect(uri, extra_headers=headers[1]) as bob:
            equal([json.loads(await w.recv())['method'] for w in (alice, bob)], ['session.ready'] * 2)
            texts = ['x', '\u00fc' * 100000, 'words and words ' * 30, os.urandom(5000).hex()]
            for number, text in enumerate(texts, 1):
                await alice.send(json.dumps({'jsonrpc': '2.0', 'id': number, 'method': 'message.send',
                                             'params': {'to': 'bob', 'text': text, 'client_id': str(number)}}))
                answer = json.loads(await alice.recv())
                equal((answer['id'], answer['result']['message_id']), (number, number))
                event = json.loads(await bob.recv())
                equal((event['params']['inbox_id'], event['params']['message']['text']), (number, text))
            await bob.send(json.dumps([{'jsonrpc': '2.0', 'id': i, 'method': 'message.history',
                                        'params': {'channel': 'd.alice~bob', 'limit': 10}} for i in range(3)]))
            for answer in json.loads(await bob.recv()):
                equal([m['text'] for m in answer['result']['messages']], texts)
    asyncio.run(talk())


@test('the answer to each offer; without chat_deflate, or an offer that fits, there is none')
def _():
    server = server_with(server='location = /plain { chat_echo; chat_deflate off; }')
    for offer, answer in (('permessage-deflate', ANSWER), (OFFER[1], ANSWER),
                          ('permessage-deflate; server_max_window_bits=10', ANSWER + '; server_max_window_bits=10'),
                          ('permessage-deflate; server_max_window_bits=8', ANSWER + '; server_max_window_bits=8'),
                          ('permessage-deflate; server_max_window_bits=7', None), ('permessage-deflate; x=y', None),
                          ('permessage-deflate; x=y, permessage-deflate', ANSWER), ('x-webkit-deflate-frame', None)):
        ws = echo(server, offer)
        equal(ws.response.get('sec-websocket-extensions'), answer, offer)
        ws.close()
    ws = WebSocket('127.0.0.1', server.port, '/echo', [(OFFER[0], 'foo'), (OFFER[0], 'permessage-deflate')])
    equal(ws.response['sec-websocket-extensions'], ANSWER, 'in a second header')
    equal(WebSocket('127.0.0.1', server.port, '/plain', [OFFER]).response.get('sec-websocket-extensions'), None)
    ws = WebSocket('127.0.0.1', server.port, '/plain', [OFFER])
    ws.send_bytes(frame(TEXT, packed(b'x'), rsv=RSV1))
    equal(code_of(ws), 1002, 'RSV1 where nothing was agreed on')
    ws = WebSocket('127.0.0.1', server.port, '/echo')
    ws.send_bytes(frame(TEXT, packed(b'x'), rsv=RSV1))
    equal(code_of(ws), 1002)


@test('RSV1 belongs to the first frame of a message alone; fragments, control frames between them, plain messages beside')
def _():
    server = server_with()
    data = packed(('many words, ' * 300).encode())
    ws = echo(server)
    for cut in (1, 2, 7, len(data) // 2, len(data) - 1):
        parts = [data[i:i + cut] for i in range(0, len(data), cut)]
        ws.send_bytes(frame(TEXT, parts[0], fin=False, rsv=RSV1))
        for part in parts[1:]:
            ws.send_bytes(frame(PING, b'between') + frame(CONTINUATION, b'', fin=False) + frame(CONTINUATION, part, fin=False))
        ws.send_bytes(frame(CONTINUATION, b''))
        equal(ws.recv(), 'many words, ' * 300)
    ws.send_bytes(frame(TEXT, b'plain'))
    equal(ws.recv(), 'plain')
    for bad in (frame(TEXT, data[:9], fin=False, rsv=RSV1) + frame(CONTINUATION, data[9:], rsv=RSV1),
                frame(TEXT, b'a', fin=False) + frame(CONTINUATION, b'b', rsv=RSV1), frame(PING, b'', rsv=RSV1),
                frame(CLOSE, b'', rsv=RSV1), frame(TEXT, data, rsv=2), frame(TEXT, data, rsv=RSV1 | 1)):
        ws = echo(server)
        ws.send_bytes(bad)
        equal(code_of(ws), 1002, repr(bad[:20]))


@test('empty messages, final blocks and stored blocks are understood; what is no deflate data is 1007')
def _():
    server = server_with()
    ws = echo(server)
    for payload, text in ((b'\0', ''), (b'\xf3\x48\xcd\xc9\xc9\x07\0\0', 'Hello'), (b'\0\x05\0\xfa\xffHello\0', 'Hello'),
                          (b'\xf2\x48\x05\0\0\0\xff\xff\xca\xc9\xc9\x07\0', 'Hello')):
        ws.send_bytes(frame(TEXT, payload, rsv=RSV1))
        equal(ws.recv(), text)
    ws.send_bytes(frame(BINARY, packed(b'\xff\0'), rsv=RSV1))
    equal(ws.recv(), b'\xff\0')
    first = packed(b'Hello, Hello, Hello, Hello')
    for bad in (b'\xff\xff', first[:-3], b'\0\x05\0\xfa\xff', b'', b'\xf2\0\x11\0\0', os.urandom(100).replace(b'\0', b'\7')):
        ws = echo(server)
        ws.send_bytes(frame(TEXT, first, rsv=RSV1))
        equal(ws.recv(), 'Hello, Hello, Hello, Hello')
        ws.send_bytes(frame(TEXT, bad, rsv=RSV1))
        equal(code_of(ws), 1007, repr(bad))


@test('text is checked behind the inflation: 1007 for what is not UTF-8, also cut between pieces of 64 KiB')
def _():
    server = server_with()
    good = 'x' + '\u20ac' * 100000
    ws = echo(server)
    ws.send_packed(good)
    equal(ws.recv(), good)
    for bad in (b'caf\xe9', b'caf\xc3', good.encode()[:-1], b'x' * 65535 + b'\xe2', b'x' * 65535 + b'\xe2\x28'):
        ws = echo(server)
        ws.send_packed(bad)
        equal(code_of(ws), 1007)
    ws = echo(server)
    ws.send_packed(b'caf\xe9', BINARY)
    equal(ws.recv(), b'caf\xe9')
    alice = client(server, 'alice')
    alice.send_packed(b'\xff')
    alice.expect_close(1007)
    alice = client(server, 'alice')
    alice.send_packed(b'{}', BINARY)
    alice.expect_close(1003)


@test('a bomb is 1009 as soon as it is over chat_message_max, and takes no more memory than that')
def _():
    server = server_with('chat_deflate on; chat_message_max 256k;', workers=1)
    worker = server.nginx_workers()[0]

    def peak():
        return int(re.search(r'VmHWM:\s+(\d+) kB', read('/proc/%d/status' % worker)).group(1))
    ws = echo(server)
    ws.send_packed(b'a' * (256 << 10))
    equal(len(ws.recv()), 256 << 10)
    ws.send_packed(b'a' * ((256 << 10) + 1))
    equal(code_of(ws), 1009)
    before = peak()
    bomb = packed(b'\0' * (64 << 20), 9)
    assert len(bomb) < 100000
    for connect in (lambda: echo(server), lambda: client(server, 'alice')):
        ws = connect()
        ws.send_bytes(frame(TEXT, bomb, rsv=RSV1))
        equal(code_of(ws), 1009)
        ws = connect()
        half = len(bomb) // 2
        ws.send_bytes(frame(TEXT, bomb[:half], fin=False, rsv=RSV1) + frame(CONTINUATION, bomb[half:]))
        equal(code_of(ws), 1009)
    assert ASAN or peak() - before < 3000, '%d kB more' % (peak() - before)
    ws = echo(server)
    ws.send_bytes(frame(TEXT, b'', length=(256 << 10) + 1, rsv=RSV1))
    equal(code_of(ws), 1009, 'the payload itself')


@test('what is shorter than min=, and what does not shrink, goes as it is; so does more than 1 MiB')
def _():
    server = server_with('chat_deflate on level=9 min=1000;')
    ws = echo(server)
    for data, is_packed in ((b'a' * 999, False), (b'a' * 1000, True), (os.urandom(5000), False), (b'ab' * 300000, True),
                            (b'a' * (1 << 20), True), (b'a' * ((1 << 20) + 1), False)):
        before = ws.__dict__.get('frames', [])[:]
        ws.send(data)
        equal(ws.recv(), data)
        equal(ws.frames[-1][0] == RSV1, is_packed, '%d bytes, frame %d' % (len(data), len(before)))
    ws.send_bytes(frame(PING, b'p' * 125))
    ws.send_packed(b'x' * 2000)
    ws.recv()
    equal([f[0] for f in ws.frames[-2:]], [0, RSV1], 'a pong is never compressed')


@test('server_max_window_bits is kept: what could need a larger window goes as it is')
def _():
    server = server_with()
    words = os.urandom(200).hex()
    for bits in range(8, 16):
        ws = echo(server, 'permessage-deflate; server_max_window_bits=%d' % bits)
        ws.bits = max(bits, 9)
        for size in (256, 400, 512, 4096, 32768, 100000):
            text = (words * (size // len(words) + 1))[:size]
            ws.send(text)
            equal(ws.recv(), text, 'window %d, %d bytes' % (bits, size))
            equal(ws.frames[-1][0] == RSV1, bits == 15 or size <= 1 << bits, 'window %d, %d bytes' % (bits, size))


@test('a broadcast is compressed once: a stored block with the head of each, then the same bytes for all')
def _():
    server = server_with('chat_deflate on min=64;')
    names = ['bob', 'carol', 'dave']
    users = [client(server, n) for n in names]
    plain = server.client('eve')
    stream = Stream(server, 'fred')
    alice = client(server, 'alice')
    group = alice.call('channel.create', {'name': 'g', 'members': names + ['eve', 'fred']})['channel']['channel']
    users[0].say('carol', 'so that the inbox ids differ')
    alice.say(group, 'a text that everybody gets, a text that is not so short')
    messages = [u.message(channel=group) for u in users + [plain]]
    equal(messages, [messages[0]] * 4)
    equal(streamed(stream, 'a text that everybody'), messages[0])
    tails = []
    for u in users:
        rsv, _, payload = [f for f in u.frames if f[1] == TEXT][-1]
        equal(rsv, RSV1)
        n = payload[1] | payload[2] << 8
        equal((payload[0], n ^ 0xffff), (0, payload[3] | payload[4] << 8), 'a stored block')
        head = payload[5:5 + n].decode()
        assert head.startswith('{"jsonrpc"') and head.rstrip('0123456789').endswith('"inbox_id":'), head
        tails.append(payload[5 + n:])
    equal(tails, [tails[0]] * 3)


@test('a client that does not read falls behind and catches up, compressed; the queue is counted right and runs empty')
def _():
    server = server_with('chat_deflate on; chat_send_queue 32k;')
    slow = client(server, 'slow', after=0, receive_buffer=4096)
    alice = client(server, 'alice')
    for i in range(600):
        alice.say('slow', os.urandom(20000).hex())
    until(lambda: server.metrics()['chat_behind'] >= 1, 20 * SLOW, 'falling behind')
    texts = [slow.message(timeout=60) for _ in range(600)]
    equal([m['message_id'] for m in texts], list(range(1, 601)))
    assert slow.compressed() > 100, slow.compressed()
    alice.call('ping')
    until(lambda: server.metrics()['chat_queue_bytes'] == 0, 20)
    slow.close()
    alice.close()
    until(lambda: server.metrics()['chat_connections'] == 0, 20)


@test('HTTP, event streams and long polls stay as they are with chat_deflate on')
def _():
    server = server_with()
    stream = Stream(server, 'bob')
    alice = client(server, 'alice')
    alice.say('bob', 'words ' * 500)
    streamed(stream, 'words words')
    status, headers, text = server.http('GET', '/v1/inbox?after=0', headers={
        'Authorization': 'Bearer ' + server.token('bob'), OFFER[0]: OFFER[1]})
    equal((status, headers.get('sec-websocket-extensions')), (200, None))
    assert 'words words' in text


main()
