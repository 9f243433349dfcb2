"""Limits: rates, heartbeats, slow and silent clients, half-open handshakes."""

from chat import *


@test('chat_rate: 429 with retry_after')
def _():
    server = Server(ws='chat_rate 0.001r/s burst=5;')
    alice = server.client('alice')
    keys = [alice.request('ping') for _ in range(8)]
    errors = []
    try:
        for key in keys:
            try:
                alice.reply(key)
            except RpcError as e:
                errors.append(e)
                break
    except Closed as c:
        equal((c.code, c.reason), (1008, 'rate_limited'))
    assert errors, 'eight requests passed burst=5'
    equal((errors[0].code, errors[0].reason), (429, 'rate_limited'))
    assert errors[0].data['retry_after'] > 0


@test('chat_rate: who waits as told goes on; who does not is closed 1008')
def _():
    server = Server(ws='chat_rate 1r/s burst=5;')
    alice = server.client('alice')

    def exhaust():
        for _ in range(50):
            try:
                alice.call('ping')
            except RpcError as e:
                equal(e.code, 429)
                return e.data['retry_after']
        raise AssertionError('never limited')
    wait = exhaust()
    end = time.monotonic() + wait + 0.1
    until(lambda: time.monotonic() > end, wait + 5)
    alice.call('ping')
    try:
        # a machine that stands still between two of them has waited
        for _ in range(20):
            exhaust()
        raise AssertionError('who did not wait was not closed')
    except Closed as c:
        equal((c.code, c.reason), (1008, 'rate_limited'))


@test('chat_rate: a batch counts its elements')
def _():
    server = Server(ws='chat_rate 0.001r/s burst=5;')
    alice = server.client('alice')
    answers = alice.raw(json.dumps([{'jsonrpc': '2.0', 'id': i, 'method': 'ping'} for i in range(40)]))
    answers = answers if isinstance(answers, list) else [answers]
    assert any(a.get('error', {}).get('code') == 429 for a in answers), answers
    server.client('bob').call('ping')


@test('chat_rate holds at /rpc too, with 429 in JSON-RPC')
def _():
    server = Server(rpc='chat_rate 0.001r/s burst=5;')
    codes = []
    for _ in range(30):
        try:
            server.rpc('alice', 'ping')
            codes.append(0)
        except RpcError as e:
            codes.append(e.code)
        except HttpError as e:
            codes.append(e.status)
    assert codes[0] == 0 and 429 in codes, codes


@test('a connection silent for chat_heartbeat is pinged; one that answers stays')
def _():
    # longer than the machine may stand still, with the answer to a ping on its way
    server = Server(ws='chat_heartbeat 4s;')
    alice = server.client('alice')
    until(lambda: (alice.drain(), len(alice.pings) >= 3)[1], 40 * SLOW, 'three pings')
    alice.call('ping')


@test('a client silent past twice the heartbeat is closed 1001')
def _():
    server = Server(ws='chat_heartbeat 1s;')
    start = time.monotonic()
    alice = server.client('alice')
    ws_frames = []
    alice.sock.settimeout(15 * SLOW)
    while True:
        fin, rsv, opcode, payload = alice.read_frame()
        ws_frames.append(opcode)
        if opcode == CLOSE:
            break
    took = time.monotonic() - start
    assert PING in ws_frames, ws_frames
    equal(int.from_bytes(payload[:2], 'big'), 1001)
    assert took > 1.5, took


@test('a client that takes nothing for chat_send_timeout is closed; the others do not notice')
def _():
    server = Server(ws='chat_send_timeout 1s; chat_send_queue 64k;')
    deaf = server.client('bob', receive_buffer=4096)
    alice, beside = server.client('alice'), server.client('bob')
    for i in range(150):
        alice.say('bob', 'x' * 50000)
        equal(len(beside.message()['text']), 50000)
    # its connection ends: 1013 where it can still be told
    until(lambda: server.metrics()['chat_connections'] == 2, 20 * SLOW, 'the deaf client to be dropped')
    got = 0
    try:
        while True:
            deaf.pump(5)
            got += 1
    except Closed as c:
        assert c.code in (1013, None), c
    assert got < 150
    alice.say('bob', 'still there')
    equal(beside.message()['text'], 'still there')


@test('a page longer than the room in the queue of a slow reader is followed by the next')
def _():
    port = free_port()
    server = Server(ws='chat_send_queue 4k;', server='listen 127.0.0.1:%d sndbuf=4k;' % port)
    alice = server.client('alice')
    for n in range(300):
        alice.say('bob', '%d ' % n + 'x' * 1000)
    bob = server.client('bob', after=0, receive_buffer=2048, port=port, timeout=20)
    time.sleep(0.5)
    for n in range(300):
        equal(bob.message()['text'].split()[0], str(n))


@test('a slow reader falls behind, costs no memory, and catches up with every event in order')
def _():
    server = Server(ws='chat_send_queue 64k; chat_send_timeout 60s;', chat_workers=1, workers=1)
    slow = server.client('bob', receive_buffer=4096, timeout=60)
    alice = server.client('alice')
    before = rss(server)
    for i in range(400):
        alice.say('bob', '%d ' % i + 'x' * 50000)
    grown = rss(server) - before
    assert ASAN or grown < 14 << 20, '20 MB for a client that does not read cost %d KiB' % (grown >> 10)
    for i in range(400):
        equal(slow.message(60)['text'].split()[0], str(i))
    alice.say('bob', 'live again')
    equal(slow.message(60)['text'], 'live again')
    until(lambda: server.metrics()['chat_behind'] >= 1, 20 * SLOW, 'falling behind')


@test('a slow reader whose queue is smaller than a page misses nothing')
def _():
    server = Server(ws='chat_send_queue 32k; chat_send_timeout 60s;', chat_workers=1, workers=1)
    slow = server.client('bob', receive_buffer=4096, timeout=60)
    alice = server.client('alice')
    for i in range(400):
        alice.say('bob', '%d ' % i + 'x' * 30000)
    for i in range(400):
        equal(slow.message(60)['text'].split()[0], str(i))
    alice.say('bob', 'live again')
    equal(slow.message(60)['text'], 'live again')


@test('answers that fill the queue before a page comes cost none of its events')
def _():
    server = Server(ws='chat_send_timeout 60s;', chat_workers=1, workers=1)
    alice = server.client('alice')
    for i in range(600):
        alice.say('bob', '%d ' % i + 'x' * 20000)
    slow = server.client('bob', after=0, receive_buffer=4096, timeout=60)
    for i in range(40):
        slow.request('message.history', {'channel': 'd.alice~bob', 'limit': 60})
    for i in range(600):
        equal(slow.message(60)['text'].split()[0], str(i))


def rss(server):
    total = 0
    for pid in server.nginx_workers() + [p for n, p in server.pool_processes().items() if 'worker' in n]:
        with open('/proc/%d/statm' % pid) as f:
            total += int(f.read().split()[1]) * 4096
    return total


@test('an empty queue takes any one message, however large')
def _():
    server = Server(ws='chat_send_queue 16k;')
    bob = server.client('bob', timeout=30)
    server.client('alice').say('bob', '\U0001f600' * 100000)
    equal(len(bob.message(30)['text']), 100000)


@test('1,000 half-open handshakes hold up nobody')
def _():
    server = Server()
    sockets = []
    for i in range(1000):
        s = socket.create_connection(('127.0.0.1', server.port))
        s.sendall(b'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n'[:10 + i % 40])
        sockets.append(s)
    alice, bob = server.client('alice'), server.client('bob')
    for i in range(50):
        alice.say('bob', str(i))
        equal(bob.message()['text'], str(i))
    for s in sockets:
        s.close()


@test('1,000 handshakes whose client is gone before the 101 leave nothing behind')
def _():
    server = Server()
    request = ('GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
               'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
               'Authorization: Bearer %s\r\n\r\n' % server.token('alice')).encode()
    for _ in range(1000):
        s = socket.create_connection(('127.0.0.1', server.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        s.sendall(request)
        s.close()
    until(lambda: server.metrics()['chat_connections'] == 0, 20 * SLOW, 'connections to be 0')
    until(lambda: server.metrics()['chat_pool_sessions'] == 0, 20 * SLOW, 'sessions to be 0')
    server.client('alice').call('ping')


@test('a client that sends requests and never reads answers stops being read, then is closed')
def _():
    server = Server(ws='chat_send_timeout 2s; chat_send_queue 64k;')
    flood = server.client('alice', receive_buffer=4096)
    channel = server.client('bob').say('alice', 'x' * 90000)['channel']
    flood.sock.settimeout(15 * SLOW)
    sent = 0
    try:
        for i in range(3000):
            flood.request('message.get', {'channel': channel, 'message_id': 1})
            sent += 1
    except OSError:
        pass
    until(lambda: server.metrics()['chat_connections'] == 1, 30 * SLOW, 'the flood to be dropped')
    server.client('carol').call('ping')


def resident(pids):
    """Bytes in memory."""
    return sum(int(re.search(r'VmRSS:\s+(\d+)', read('/proc/%d/status' % p)).group(1)) * 1024 for p in pids)


def fill(server, n=14):
    """A channel of alice with more than a page of text; returns its id."""
    alice = server.client('alice')
    for i in range(n):
        channel = alice.say('bob', 'x' * 100000)['channel']
    alice.close()
    return channel


@test('128 pages that nobody reads cost two of them in memory, and all come once they are read')
def _():
    server = Server(ws='chat_send_timeout 60s;', chat_workers=1, workers=1)
    channel = fill(server)
    slow = server.client('alice', receive_buffer=4096, timeout=60)
    pids = server.nginx_workers() + list(server.pool_processes().values())
    before = resident(server.nginx_workers()), resident(pids)
    keys = [slow.request(*call) for _ in range(32)
            for call in (('message.history', {'channel': channel}), ('inbox.sync', {'after': 0}), ('channel.list', {}),
                         ('message.get', {'channel': channel, 'message_id': 1}))]
    last = slow.request('message.send', {'channel': channel, 'client_id': 'behind', 'text': 'behind'})
    most = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        most = max(most, resident(server.nginx_workers()) - before[0])
        time.sleep(0.05)
    assert ASAN or most < 8 << 20, 'nginx grew by %d KiB' % (most >> 10)
    assert ASAN or resident(pids) - before[1] < 24 << 20, 'all grew by %d KiB' % ((resident(pids) - before[1]) >> 10)
    for i, key in enumerate(keys):
        answer = slow.reply(key, 60)
        if i % 4 == 0:
            equal((len(answer['messages']) >= 10, answer['more']), (True, True))
    equal(slow.reply(last, 60)['message_id'], 15)
    server.client('carol').call('ping')


@test('pages of a batch count together, and one that goes away with pages due leaves nothing behind')
def _():
    server = Server(ws='chat_send_timeout 60s;', chat_workers=1, workers=1)
    channel = fill(server, 3)
    one = [{'jsonrpc': '2.0', 'id': i, 'method': 'message.history', 'params': {'channel': channel}} for i in range(8)]
    c = server.client('alice', receive_buffer=4096, timeout=60)
    for _ in range(12):
        c.send(json.dumps(one))
    until(lambda: server.metrics()['chat_queue_bytes'] > 0, 20 * SLOW, 'pages that wait')
    time.sleep(0.5)
    assert server.metrics()['chat_queue_bytes'] < 3 << 20, server.metrics()['chat_queue_bytes']
    key = c.request('message.history', {'channel': channel})
    for _ in range(12):
        c.replies.pop(None, None)
        while None not in c.replies:
            c.pump(60)
        equal(sorted(a['id'] for a in c.replies[None]), list(range(8)))
    equal(len(c.reply(key, 60)['messages']), 3)
    # a batch with changes between its pages
    mixed = one[:1] + [{'jsonrpc': '2.0', 'id': 'm', 'method': 'message.send',
                        'params': {'channel': channel, 'client_id': 'mixed', 'text': 'y'}}] + one[1:2]
    c.replies.pop(None, None)
    c.send(json.dumps(mixed))
    while None not in c.replies:
        c.pump(60)
    equal(len(c.replies[None]), 3)
    for _ in range(60):
        c.request('message.history', {'channel': channel})
        c.send(json.dumps(one))
    c.sock.close()
    until(lambda: server.metrics()['chat_connections'] == 0, 20 * SLOW)
    again = server.client('alice')
    for _ in range(5):
        equal(len(again.call('message.history', {'channel': channel})['messages']), 4)


@test('answers with a whole message wait for the reader as pages do, in batches too')
def _():
    server = Server(ws='chat_send_timeout 60s;', chat_workers=1, workers=1)
    channel = fill(server, 1)
    reacts = [{'jsonrpc': '2.0', 'id': i, 'method': 'message.react', 'params': {'channel': channel, 'message_id': 1, 'emoji': '+'}}
              for i in range(8)]
    c = server.client('alice', receive_buffer=4096, timeout=60)
    for _ in range(30):
        c.send(json.dumps(reacts))
    keys = [c.request('message.edit', {'channel': channel, 'message_id': 1, 'text': ch * 100000}) for ch in 'abcdef']
    until(lambda: server.metrics()['chat_queue_bytes'] > 0, 20 * SLOW, 'pages that wait')
    time.sleep(0.5)
    assert server.metrics()['chat_queue_bytes'] < 3 << 20, server.metrics()['chat_queue_bytes']
    for _ in range(30):
        c.replies.pop(None, None)
        while None not in c.replies:
            c.pump(60)
        equal([len(a['result']['message']['text']) for a in c.replies[None]], [100000] * 8)
    equal([c.reply(key, 60)['message']['text'][0] for key in keys], list('abcdef'))


@test('pages due outlive a kill of the worker and of the store')
def _():
    server = Server(ws='chat_send_timeout 60s;', chat_workers=1, workers=1, allow='exited|ended|lost')
    channel = fill(server)
    c = server.client('alice', receive_buffer=4096, timeout=60)
    keys = [c.request('message.history', {'channel': channel}) for _ in range(40)]
    until(lambda: server.metrics()['chat_queue_bytes'] > 0, 20 * SLOW, 'pages that wait')
    server.kill('chatd: worker 0')
    for key in keys[:5]:
        c.reply(key, 60)
    server.kill('chatd: store')
    for key in keys[5:]:
        equal(c.reply(key, 60)['more'], True)


main()
