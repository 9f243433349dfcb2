"""The bridge of the nginx module, against tests/fake_chatd.py: what a worker
may do to its link, and what the clients see of it."""

import select
import signal
import sys
import threading

from chat import *

FAKE = ROOT + '/tests/fake_chatd.py'


class Fake:
    """fake_chatd.py beside an nginx with chat_workers unix:DIR."""

    def __init__(self, *options, workers=1, nginx=1, start=True, **settings):
        self.server = Server(pool=None, workers=nginx, **settings)
        self.workers = workers
        self.log = self.server.dir + '/frames'
        self.process = None
        os.makedirs(self.server.run_dir, exist_ok=True)
        cleanup(lambda failed: self.stop())
        if start:
            self.start(*options)

    def start(self, *options, workers=None):
        self.workers = workers or self.workers
        seen = len(self.events('listens'))
        self.launch(*options)
        until(lambda: len(self.events('listens')) >= seen + self.workers, 20, 'the fake workers')

    def launch(self, *options):
        with open(self.server.dir + '/stderr', 'ab') as err:
            self.process = subprocess.Popen(
                [sys.executable, FAKE, '-d', self.server.run_dir, '-n', str(self.workers), '--log', self.log,
                 *options], stderr=err)

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            self.process.wait(10)
            self.process = None

    def events(self, name, **wanted):
        """What the workers logged under this name."""
        # the last piece is a line that is still being written, or nothing
        lines = [json.loads(l) for l in read(self.log).split('\n')[:-1] if l.endswith('}')]
        return [l for l in lines if l['event'] == name and all(l.get(k) == v for k, v in wanted.items())]


def first_user(worker, workers):
    """A user whose home is this worker."""
    for i in range(1000):
        if home('user%d' % i, workers) == worker:
            return 'user%d' % i


def home(user, workers):
    """chat_wire_home()."""
    h = 2166136261
    for byte in user.encode():
        h = (h ^ byte) * 16777619 & 0xffffffff
    h ^= h >> 16
    h = h * 0x85ebca6b & 0xffffffff
    h ^= h >> 13
    return h % workers


def resident(server):
    """Bytes of memory of the one nginx worker process."""
    return int(re.search(r'VmRSS:\s+(\d+)', read('/proc/%d/status' % server.nginx_workers()[0])).group(1)) << 10


@test('a client is opened, requests are answered, its close is told')
def _():
    fake = Fake()
    c = fake.server.client('alice', device='web-1')
    equal((c.ready['user'], c.ready['device']), ('alice', 'web-1'))
    got = c.call('echo', {'a': 1})
    equal((got['user'], got['replays'], got['params']), ('alice', 0, {'a': 1}))
    c.close()
    until(lambda: fake.events('CLOSED', known=True), what='CLOSED')
    opened = fake.events('OPEN')[0]
    equal((opened['user'], opened['device'], opened['flags'], opened['address']), ('alice', 'web-1', 0, '127.0.0.1'))
    assert opened['limits']['message_max'] > 0 and opened['limits']['heartbeat'] > 0


@test('after is told with its flag, and the stream goes on from there')
def _():
    fake = Fake()
    c = fake.server.client('alice', after=41)
    equal([(o['flags'], o['after']) for o in fake.events('OPEN')], [(2, 41)])
    c.call('fake.push', {'n': 3})
    equal(c.last, 44)


@test('each worker is linked, and a user is opened at home')
def _():
    fake = Fake(workers=4)
    for worker in range(4):
        user = first_user(worker, 4)
        equal(fake.server.client(user).call('echo')['worker'], worker)
        equal(fake.server.rpc(user, 'echo')['worker'], worker)
    equal({h['worker'] for h in fake.events('HELLO')}, {0, 1, 2, 3})


@test('a refused open is the answer to the handshake')
def _():
    fake = Fake('--refuse-open', '404:unknown_user:7')
    r = refusal(fake.server, 'alice')
    equal((r.status, r.problem['reason'], r.headers.get('retry-after')), (404, 'unknown_user', '7'))
    equal(r.headers['content-type'], 'application/problem+json')


@test('without a worker, or without its READY, a handshake is 503 after two seconds')
def _():
    for options in ((), ('--mute',), ('--no-ready',)):
        fake = Fake(*options, start=bool(options))
        start = time.monotonic()
        r = refusal(fake.server, 'alice')
        took = time.monotonic() - start
        equal((r.status, r.problem['reason']), (503, 'unavailable'))
        assert int(r.headers['retry-after']) > 0
        assert 1.8 < took < 9 * SLOW, took
    until(lambda: fake.events('CLOSED', known=True), what='CLOSED of the late one')


@test('a worker that comes within two seconds finds the handshake waiting')
def _():
    def comes_late():
        fake = Fake(start=False)
        sign = fake.server.dir + '/sign'
        fake.launch('--after', sign)
        late = threading.Timer(0.5, open, (sign, 'w'))
        late.start()
        try:
            c = fake.server.connect('alice')
        except Refused as r:
            equal((r.status, r.problem['reason']), (503, 'unavailable'))
            return None
        finally:
            late.join()
        return c.call('echo')
    # where the machine stands still, the two seconds may be over for any one of them
    equal(until(comes_late, 30 * SLOW, 'a handshake that waited')['user'], 'alice')


@test('a client that leaves while it waits is forgotten')
def _():
    fake = Fake('--open-delay', '700')
    for n in range(5):
        w = WebSocket('127.0.0.1', fake.server.port, handshake=False)
        w.send_bytes(('GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n'
                      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
                      'Authorization: Bearer %s\r\n\r\n' % fake.server.token('alice')).encode())
        until(lambda: len(fake.events('OPEN')) > n, what='OPEN')
        w.abort()
    until(lambda: len(fake.events('CLOSED')) == 5, what='CLOSED')
    equal(fake.server.client('bob').call('echo')['user'], 'bob')


@test('answers in another order reach the right requests')
def _():
    fake = Fake()
    clients = [fake.server.client('u%d' % n) for n in range(10)]
    held = [(c, c.request('fake.hold', {'n': n})) for n in range(10) for c in clients]
    until(lambda: len(fake.events('REQUEST')) == 100, what='the requests')
    clients[0].call('fake.release')
    for c, key in held:
        equal(c.reply(key), {'held': True})


@test('a lost link keeps the clients and replays in order, new requests behind')
def _():
    fake = Fake()
    a, b = fake.server.client('alice', after=5), fake.server.client('bob')
    a.call('fake.push', {'n': 2})
    keys = [a.request('fake.hold', {'n': n}) for n in range(10)]
    b.call('echo')
    until(lambda: len(fake.events('REQUEST')) == 12, what='the requests')
    first = [r['request'] for r in fake.events('REQUEST') if 'fake.hold' in r['text']]
    fake.stop(signal.SIGKILL)
    keys += [a.request('echo', {'n': n}) for n in range(10, 15)]
    time.sleep(0.3)
    before = len(fake.events('REQUEST'))
    fake.start()
    a.event('session.resumed')
    b.event('session.resumed')
    until(lambda: len(fake.events('REQUEST')) == before + 15, what='the replay')
    again = fake.events('REQUEST')[before:]
    equal([json.loads(r['text'])['params']['n'] for r in again], list(range(15)))
    equal([r['replays'] for r in again], [1] * 10 + [0] * 5)
    numbers = [r['request'] for r in again]
    equal(numbers, sorted(numbers))
    equal(numbers[:10], first)
    resumed = [(o['user'], o['flags'], o['after']) for o in fake.events('OPEN')][2:]
    equal(sorted(resumed), [('alice', 3, 7), ('bob', 3, 0)])
    for key in keys[10:]:
        equal(a.reply(key)['replays'], 0)
    b.call('fake.release')
    for key in keys[:10]:
        equal(a.reply(key), {'held': True})
    equal(fake.server.status() is not None, True)


@test('a large request that was answered leaves the way free for the next small one')
def _():
    fake = Fake()
    c = fake.server.client('alice')
    held = c.request('fake.hold')
    c.call('echo', {'text': 'x' * 100000})
    c.call('echo', {'text': 'small'})
    c.call('fake.release')
    equal(c.reply(held), {'held': True})


@test('the requests of a client that left are replayed in a session of its own')
def _():
    fake = Fake()
    a = fake.server.client('alice')
    a.request('fake.hold', {'last': True})
    until(lambda: fake.events('REQUEST'), what='the request')
    a.close()
    until(lambda: fake.events('CLOSED'), what='CLOSED')
    fake.stop(signal.SIGKILL)
    fake.start()
    until(lambda: len(fake.events('CLOSED')) == 2, what='CLOSED again')
    equal([(r['replays'], json.loads(r['text'])['params']) for r in fake.events('REQUEST')],
          [(0, {'last': True}), (1, {'last': True})])
    equal([o['flags'] for o in fake.events('OPEN')], [0, 1])
    assert not fake.events('error'), fake.events('error')
    b = fake.server.client('bob')
    b.call('fake.release')
    fake.stop(signal.SIGKILL)
    fake.start()
    b.event('session.resumed')
    equal(len(fake.events('REQUEST', replays=2)), 0)


@test('a request that ends each worker is given up and its client closed, no other')
def _():
    fake = Fake('--respawn')
    a, b = fake.server.client('alice'), fake.server.client('bob')
    a.request('fake.die')
    a.expect_close(1011)
    equal([r['replays'] for r in fake.events('REQUEST')], [0, 1, 2])
    equal(b.call('echo')['replays'], 0)
    equal(b.resumed, 3)


@test('a request that ends two workers is answered by the third')
def _():
    fake = Fake('--respawn')
    a = fake.server.client('alice')
    equal(a.call('fake.die', {'times': 2}), {'survived': 2})
    equal(fake.server.rpc('bob', 'fake.die', {'times': 2}), {'survived': 2})
    with_three = None
    try:
        fake.server.rpc('bob', 'fake.die')
    except HttpError as e:
        with_three = e
    equal((with_three.status, json.loads(with_three.body)['reason']), (503, 'unavailable'))


@test('clients without a worker for ten seconds are closed 1013, calls answered 503')
def _():
    fake = Fake(nginx=1)
    a = fake.server.client('alice')
    a.request('fake.hold')
    until(lambda: fake.events('REQUEST'), what='the request')
    start = time.monotonic()
    fake.stop(signal.SIGKILL)
    status, headers, text = fake.server.post('bob', '{"jsonrpc":"2.0","id":1,"method":"echo"}')
    equal((status, json.loads(text)['reason']), (503, 'unavailable'))
    assert int(headers['retry-after']) > 0
    a.expect_close(1013, timeout=40)
    took = time.monotonic() - start
    assert took > 9.5, took
    fake.start()
    until(lambda: fake.events('HELLO')[1:], 15, 'HELLO')
    c = fake.server.client('carol')
    equal(c.call('echo')['replays'], 0)
    equal(len(fake.events('REQUEST')), 2, 'nothing given up was sent again')
    equal(fake.events('CALL'), [])


@test('behind sixteen requests of one client that wait the next is not read, and others go on')
def _():
    fake = Fake()
    a, b = fake.server.client('alice'), fake.server.client('bob')
    held = [a.request('fake.hold', {'n': n}) for n in range(40)]
    until(lambda: len(fake.events('REQUEST')) >= 16, what='the requests')
    # whatever nginx had read of alice is with the worker before this is answered
    for _ in range(20):
        b.call('echo')
    equal(len([r for r in fake.events('REQUEST') if 'fake.hold' in r['text']]), 16)
    while held:
        b.call('fake.release')
        equal(a.reply(held.pop(0)), {'held': True})


@test('too much unanswered pauses reading, and answers let it go on')
def _():
    fake = Fake('--hold', ws='chat_message_max 2m;')
    many = [fake.server.client('u%d' % n) for n in range(4)]
    b = fake.server.client('bob', receive_buffer=1 << 20)
    text = json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': 'fake.who', 'params': {'t': 'x' * 1000000}})
    sent = []

    def send(client):
        for i in range(10):
            client.send(text)
            sent.append(i)

    senders = [threading.Thread(target=send, args=(c,), daemon=True) for c in many]
    for sender in senders:
        sender.start()
    until(lambda: len(fake.events('REQUEST')) >= 16, 20 * SLOW, '16 MiB')
    time.sleep(1)
    n = len(fake.events('REQUEST'))
    assert 16 <= n <= 20, n
    status, _, text = fake.server.post('carol', '{"jsonrpc":"2.0","id":1,"method":"echo"}')
    equal((status, json.loads(text)['reason']), (503, 'unavailable'))
    fake.stop(signal.SIGKILL)
    fake.start()
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive()
    for a in many:
        got = 0
        while got < 10:
            message = a.pump(20)
            got += 'result' in message
    equal(b.call('echo')['user'], 'bob')


@test('a few requests that wait long do not keep much else in memory')
def _():
    fake = Fake()
    a = fake.server.client('alice')
    clients = [fake.server.client('u%d' % n) for n in range(20)]
    held = []

    def more(n):
        for _ in range(n):
            for client in clients:
                held.append((client, client.request('fake.hold')))
                for key in [a.request('echo', {'t': 'x' * 20000}) for _ in range(6)]:
                    a.reply(key)

    more(1)
    before = resident(fake.server)
    more(9)
    grown = resident(fake.server) - before
    # each of them keeps a segment of 64 KiB otherwise: 11 MiB
    assert ASAN or grown < 4 << 20, grown
    fake.stop(signal.SIGKILL)
    fake.start()
    until(lambda: len(fake.events('REQUEST', replays=1)) == 200, what='the replay')
    a.call('fake.release')
    for client, key in held:
        equal(client.reply(key), {'held': True})


@test('frames for handles and requests that nobody has are passed over')
def _():
    fake = Fake()
    a, b = fake.server.client('alice'), fake.server.client('bob')
    a.call('fake.stale')
    b.close()
    equal(a.call('echo')['replays'], 0)
    equal(a.resumed, 0)
    equal(len(fake.events('HELLO')), 1)


@test('each kind of broken frame ends the link, and the next one works')
def _():
    fake = Fake()
    witness = fake.server.client('witness')
    for kind in ('bytes', 'short', 'long', 'type', 'role', 'hello', 'push', 'head', 'page', 'reply', 'ready',
                 'refuse', 'end', 'verify', 'notice', 'stats', 'renewed', 'token'):
        c = fake.server.client('alice')
        c.request('fake.garbage', {'kind': kind})
        c.expect_close(1011)
        equal(witness.call('echo')['user'], 'witness', kind)
    equal(witness.resumed, 3 * 18)


@test('large answers and events arrive whole, in pieces too')
def _():
    fake = Fake(ws='chat_send_queue 64m;')
    a = fake.server.client('alice')
    for size, pieces in ((100000, 0), (100000, 50), (5000000, 0), (5000000, 200), (20000000, 0), (10, 30)):
        equal(len(a.call('fake.big', {'size': size, 'pieces': pieces}, timeout=30)['text']), size)
    equal(a.call('fake.push', {'n': 3, 'size': 1000000}), {'pushed': 1})
    equal(a.last, 3)


@test('one event goes to many clients')
def _():
    fake = Fake(workers=2, nginx=2)
    clients = [fake.server.client('user%d' % i) for i in range(40)]
    for c in clients:
        if home(c.user, 2) == 0:
            c.call('fake.push', {'all': True, 'n': 5, 'size': 3000})
            break
    for c in clients:
        if home(c.user, 2) == 0:
            until(lambda: (c.drain(), c.last == 5)[1], what='five events')


@test('a client that is behind gets pages and reports them')
def _():
    fake = Fake()
    a = fake.server.client('alice')
    a.call('fake.page', {'n': 100})
    equal(a.last, 100)
    until(lambda: fake.events('CREDIT', inbox_id=100), what='CREDIT')


@test('large answers are told of when the client has taken them, and not before')
def _():
    fake = Fake(ws='chat_send_timeout 60s;')
    a = fake.server.client('alice', receive_buffer=4096)
    a.call('fake.big', {'size': 10})
    keys = [a.request('fake.big', {'size': 6 << 20, 'large': True}) for _ in range(2)]
    until(lambda: len(fake.events('REQUEST')) == 3, what='the requests')
    time.sleep(0.3)
    equal(fake.events('DRAINED'), [])
    for key in keys:
        equal(len(a.reply(key, 30)['text']), 6 << 20)
    until(lambda: sum(e['n'] for e in fake.events('DRAINED')) == 2, what='DRAINED')
    a.call('fake.big', {'size': 10, 'large': True})
    until(lambda: sum(e['n'] for e in fake.events('DRAINED')) == 3, what='DRAINED')
    equal({e['handle'] for e in fake.events('DRAINED')}, {fake.events('REQUEST')[0]['handle']})


@test('the worker may end a connection')
def _():
    fake = Fake()
    a = fake.server.client('alice')
    a.request('fake.end', {'code': 1008, 'reason': 'device_removed'})
    a.expect_close(1008, 'device_removed')


@test('a token is verified for the worker')
def _():
    fake = Fake()
    s = fake.server
    a = s.client('alice', device='web-1')
    expires = int(time.time()) + 7200
    equal(a.call('fake.verify', {'token': s.token('alice', exp=expires)}),
          {'status': 200, 'user': 'alice', 'expires_at': expires})
    equal(a.call('fake.verify', {'token': 'x.y.z'})['status'], 401)
    equal(a.call('fake.verify', {'token': ''})['status'], 401)


@test('a connection goes on under the token that the worker says, also when it is opened again')
def _():
    fake = Fake()
    s = fake.server
    soon = int(time.time()) + 8
    a = s.client('alice', device='web-1', claims={'exp': soon, 'jti': 'one'})
    # what was verified and not said counts for nothing
    b = s.client('bob', claims={'exp': soon})
    b.call('fake.verify', {'token': s.token('bob', exp=soon + 100)})
    a.call('fake.renewed', {'jti': 'another', 'iat': 7, 'exp': soon + 100})
    b.expect_close(1008, 'token_expired', 30)
    equal(a.call('echo')['user'], 'alice')
    a.request('fake.drop', {'times': 1})
    until(lambda: len(fake.events('OPEN', user='alice')) == 2, 10)
    again = fake.events('OPEN', user='alice')[-1]
    equal((again['jti'], again['issued_at'], again['expires_at']), ('another', 7, soon + 100))


@test('notices of the pool stand in the error log, control characters do not')
def _():
    fake = Fake()
    a = fake.server.client('alice')
    a.call('fake.notice', {'level': 2, 'text': 'the disk is\nfull\x1b[0m %s'})
    until(lambda: '[warn]' in read(fake.server.error_log), what='the notice')
    assert 'chatd: the disk is.full.[0m %s' in read(fake.server.error_log)
    a.call('fake.stats', {'source': 1, 'value': 500})
    a.call('fake.stats', {'source': 0, 'value': 700, 'n': 40})


@test('a refused HELLO is logged once with its text, clients get 503')
def _():
    fake = Fake('--refuse-hello', 'settings of generation 3 exist with two contents')
    r = refusal(fake.server, 'alice')
    equal(r.status, 503)
    time.sleep(2)
    log = read(fake.server.error_log)
    equal(len(re.findall(r'\[error\].*refused by the worker: "settings of generation 3', log)), 1)
    fake.stop()
    fake.start()
    equal(fake.server.client('alice', timeout=20).call('echo')['user'], 'alice')


@test('a worker of another version is refused')
def _():
    fake = Fake('--version', '2')
    equal(refusal(fake.server, 'alice').status, 503)
    until(lambda: 'chatd is of another version' in read(fake.server.error_log), what='the error')


@test('a pool with another number of workers takes the clients and their requests over')
def _():
    fake = Fake(workers=1)
    clients = [fake.server.client('user%d' % i) for i in range(20)]
    for workers in (4, 2, 3):
        keys = [(c, c.request('fake.hold', {'user': c.user})) for c in clients]
        until(lambda: all(fake.events('REQUEST', text=json.dumps(
            {'jsonrpc': '2.0', 'id': key, 'method': 'fake.hold', 'params': {'user': c.user}}))
            for c, key in keys), what='the requests')
        fake.stop(signal.SIGKILL)
        fake.start(workers=workers)
        for c in clients:
            c.event('session.resumed')
        before = {w: c for c in clients for w in [home(c.user, workers)]}
        for c in before.values():
            until(lambda: len(fake.events('REQUEST', worker=home(c.user, workers))) > 0, what='replay')
        time.sleep(0.3)
        for c in before.values():
            c.call('fake.release')
        for c, key in keys:
            equal(c.reply(key), {'held': True})
        for c in clients:
            equal(c.call('echo')['worker'], home(c.user, workers))
    assert not fake.events('error'), fake.events('error')


@test('over HTTP: answers, refusals, notifications, large bodies')
def _():
    fake = Fake(rpc='client_max_body_size 4m; client_body_buffer_size 8k;')
    s = fake.server
    got = s.rpc('alice', 'echo', {'a': 'x' * 1500000})
    equal((got['user'], len(got['params']['a'])), ('alice', 1500000))
    equal(s.post('alice', '{"method":"fake.silent"}')[0], 204)
    status, headers, text = s.post('alice', json.dumps({'method': 'fake.refuse', 'params': {
        'status': 429, 'retry_after': 9, 'reason': 'slow "down"'}}))
    equal((status, headers['retry-after'], headers['content-type']), (429, '9', 'application/problem+json'))
    equal(json.loads(text), {'type': 'about:blank', 'title': 'Too Many Requests', 'status': 429,
                             'detail': 'as "told"\n', 'reason': 'slow "down"'})
    equal(len(s.rpc('alice', 'fake.big', {'size': 9000000})['text']), 9000000)
    status, _, text = s.post('alice', json.dumps({'method': 'echo', 'params': {'a': 'x' * 3000000}}))
    equal((status, json.loads(text)['reason']), (413, 'too_large'))


@test('over HTTP: method, type and token are judged first')
def _():
    fake = Fake()
    s = fake.server
    auth = {'Authorization': 'Bearer ' + s.token('alice'), 'Content-Type': 'application/json'}
    for method in ('GET', 'PUT', 'DELETE', 'OPTIONS'):
        status, headers, text = s.http(method, '/rpc', headers=auth)
        equal((status, headers.get('allow')), (204 if method == 'OPTIONS' else 405, 'POST, OPTIONS'), method)
    for kind in ('text/plain', 'application/jsonp', 'application/json-seq', ''):
        equal(s.http('POST', '/rpc', b'{}', dict(auth, **{'Content-Type': kind}))[0], 415, kind)
    equal(s.http('POST', '/rpc', b'{}', dict(auth, **{'Content-Type': 'Application/JSON; charset=utf-8'}))[0], 200)
    status, headers, text = s.http('POST', '/rpc', b'{}', {'Content-Type': 'application/json'})
    equal(status, 401)
    assert headers['www-authenticate'].startswith('Bearer')
    equal(headers['content-type'], 'application/problem+json')


@test('over HTTP: an aborted call is cancelled, its late answer dropped')
def _():
    fake = Fake()
    s = fake.server
    for n in range(3):
        w = WebSocket('127.0.0.1', s.port, handshake=False)
        body = b'{"method":"fake.hold"}'
        w.send_bytes(b'POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
                     b'Authorization: Bearer ' + s.token('alice').encode()
                     + b'\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
        until(lambda: len(fake.events('CALL')) > n, what='the call')
        w.abort()
    until(lambda: read(s.access_log).count(' 499 ') == 3, what='the three to be given up')
    s.rpc('bob', 'fake.release')
    equal(s.rpc('bob', 'echo')['user'], 'bob')


@test('a resource that failed without a word is no success')
def _():
    s = Fake().server
    for told, status in ((503, 503), (409, 409), (204, 204)):
        got, headers, body = s.api('alice', 'POST', 'messages', {'method': 'fake.wordless', 'params': {'status': told}})
        equal((got, body and body['status']), (status, None if status == 204 else status))


@test('over HTTP/2, many calls at once')
def _():
    fake = Fake(tls=True)
    s = fake.server
    body = '{"jsonrpc":"2.0","id":1,"method":"echo"}'
    arguments = ['curl', '--parallel']
    for i in range(30):
        arguments += ['-sk', '--http2', '-H', 'Authorization: Bearer ' + s.token('alice'), '-H', 'Content-Type: application/json',
                      '-d', body, '-w', ' %{http_version} %{http_code}\n', 'https://127.0.0.1:%d/rpc' % s.tls_port,
                      '--next']
    p = subprocess.run(arguments[:-1], stdout=subprocess.PIPE, text=True, timeout=30)
    equal(p.stdout.count(' 2 200'), 30, p.stdout[:500])


def watched_for_writing(pid):
    """How many unix sockets the process's epoll wakes it for when they take bytes."""
    def link(fd):
        try:
            return os.readlink('/proc/%d/fd/%s' % (pid, fd))
        except OSError:
            return ''
    with open('/proc/net/unix') as f:
        unix = {'socket:[%s]' % line.split()[6] for line in f.readlines()[1:]}
    masks = []
    for fd in os.listdir('/proc/%d/fd' % pid):
        if link(fd) == 'anon_inode:[eventpoll]':
            with open('/proc/%d/fdinfo/%s' % (pid, fd)) as f:
                masks += re.findall(r'tfd: +(\d+) events: +([0-9a-f]+)', f.read())
    found = [int(events, 16) for fd, events in masks if link(fd) in unix]
    assert found, masks
    return sum(1 for events in found if events & select.EPOLLOUT)


@test('a link is watched for writing only while its worker does not read')
def _():
    fake = Fake()
    nginx, = fake.server.nginx_workers()
    c = fake.server.client('alice')
    equal(c.call('echo')['user'], 'alice')
    equal(watched_for_writing(nginx), 0)
    fake.process.send_signal(signal.SIGSTOP)
    keys = [c.request('echo', {'text': 'x' * 60000}) for _ in range(30)]
    until(lambda: watched_for_writing(nginx) == 1, what='the socket to be full')
    fake.process.send_signal(signal.SIGCONT)
    for key in keys:
        equal(c.reply(key)['user'], 'alice')
    until(lambda: watched_for_writing(nginx) == 0, what='the socket to be let alone')
    equal(c.call('echo')['user'], 'alice')


BEHIND_PROXY = 'set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;'


def from_address(server, user, address):
    return server.client(user, headers=[('Authorization', 'Bearer ' + server.token(user)),
                                        ('Sec-WebSocket-Protocol', 'chat.v1'), ('X-Forwarded-For', address)])


@test('the address of a client is told again when it is opened again, behind a proxy too')
def _():
    fake = Fake(http=BEHIND_PROXY)
    far = from_address(fake.server, 'alice', '10.1.2.3')
    wide = from_address(fake.server, 'bob', '2001:db8::1234:5678')
    near = fake.server.client('carol')
    far.call('fake.renewed', {'jti': 'a longer one', 'iat': 7, 'exp': int(time.time()) + 100})
    far.request('fake.drop', {'times': 1})
    for c, address in (far, '10.1.2.3'), (wide, '2001:db8::1234:5678'), (near, '127.0.0.1'):
        c.event('session.resumed')
        equal([o['address'] for o in fake.events('OPEN', user=c.user)], [address] * 2)


@test('what is logged of a connection names its client and its number, whoever was served in between')
def _():
    fake = Fake(http=BEHIND_PROXY)
    clients = [from_address(fake.server, 'user%d' % i, '10.0.0.%d' % i) for i in range(1, 6)]
    for c in clients + clients[::-1]:
        c.call('echo')
    clients[3].abort()
    clients[1].close()
    clients[4].request('fake.end', {'code': 1008, 'reason': 'no more'})
    clients[4].expect_close(1008)
    clients[0].send_bytes(frame(3))
    clients[0].expect_close(1002)
    clients[2].abort()
    found = {}

    def told():
        for number, address in re.findall(r'\[info\] [^\n]*\*(\d+) chat connection [^\n]*, client: ([0-9.]+), server: ',
                                          read(fake.server.error_log)):
            found.setdefault(address, set()).add(number)
        return len(found) == 5
    until(told, 10, 'five lines')
    equal(sorted(found), ['10.0.0.%d' % i for i in range(1, 6)])
    # one number each, no two the same
    equal(len(set().union(*found.values())), 5)
    equal([len(n) for n in found.values()], [1] * 5)


@test('a reload keeps the link until the clients have gone')
def _():
    fake = Fake(http='chat_drain_time 1s;')
    c = fake.server.client('alice')
    held = c.request('fake.hold')
    until(lambda: fake.events('REQUEST'), what='the request')
    fake.server.reload()
    c.event('session.closing')
    d = fake.server.client('alice')
    d.call('fake.release')
    equal(c.reply(held), {'held': True})
    c.expect_close(1012)
    equal(d.call('echo')['user'], 'alice')
    until(lambda: len(fake.events('closed')) == 1, what='the old link to close')


main()
