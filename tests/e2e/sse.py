"""GET /v1/events: the stream of a connection as server-sent events, over HTTP/1.0, 1.1 and 2."""

import subprocess

from chat import *
from events import Stream


def say(server, user, to, *texts):
    for text in texts:
        server.rpc(user, 'message.send', {'to': to, 'client_id': os.urandom(6).hex(), 'text': text})


def texts(events):
    return [e.data['message']['text'] for e in events]


@test('session.ready comes first; events have their inbox id, method and params; live-only ones no id')
def _():
    server = Server()
    s = Stream(server, 'bob', 'events?device=tv')
    ready = s.event()
    equal((s.status, s.headers['content-type'], s.headers['cache-control'], s.chunked),
          (200, 'text/event-stream', 'no-store', True))
    equal((ready.method, ready.id, ready.data['user'], ready.data['device'], ready.data['inbox_id']),
          ('session.ready', None, 'bob', 'tv', 0))
    say(server, 'alice', 'bob', 'one', 'two\nthree \u20ac')
    one, two = s.events(2)
    equal((one.id, one.method, one.data['inbox_id']), ('1', 'message.new', 1))
    equal((two.id, two.data['message']['text']), ('2', 'two\nthree \u20ac'))
    # the pull form says the same
    equal([{'method': e.method, 'params': e.data} for e in (one, two)], server.inbox('bob'))
    # what bob sends over HTTP comes to his own streams; a receipt is live only
    say(server, 'bob', 'alice', 'back')
    equal(s.event().data['message']['sender'], 'bob')
    server.rpc('alice', 'channel.read', {'channel': one.data['message']['channel'], 'message_id': 3})
    receipt = s.event()
    equal((receipt.method, receipt.id, receipt.data['user']), ('receipt', None, 'alice'))
    server.rpc('alice', 'channel.create', {'name': 'g', 'members': ['bob']})
    equal(s.event().method, 'channel.updated')


@test('after and Last-Event-ID name where it goes on; the header wins; with neither it is live only')
def _():
    server = Server()
    say(server, 'alice', 'bob', *('m%d' % i for i in range(1, 6)))
    for path, header, want in (('events?after=0', None, 0), ('events?after=3', None, 3), ('events', '2', 2),
                               ('events?after=1', '4', 4), ('events?after=junk', '4', 4), ('events?after=3', '', 3)):
        s = Stream(server, 'bob', path, {} if header is None else {'Last-Event-ID': header})
        equal(s.event().method, 'session.ready')
        equal([int(e.id) for e in s.events(5 - want)], list(range(want + 1, 6)), path)
        s.quiet(0.05)
    s = Stream(server, 'bob')
    equal(s.event().data['inbox_id'], 5)
    s.quiet(0.05)
    say(server, 'alice', 'bob', 'now')
    equal(s.event().id, '6')
    for path, headers, status, reason in (('events?after=7', {}, 409, 'cursor_ahead'),
                                          ('events?after=-1', {}, 400, 'wrong_type'),
                                          ('events?after=9007199254740992', {}, 400, 'out_of_range'),
                                          ('events', {'Last-Event-ID': 'x'}, 400, 'wrong_type'),
                                          ('events?limit=1', {}, 400, 'unknown_param')):
        got = server.api('bob', 'GET', path, headers=headers)
        equal((got[0], got[2]['reason']), (status, reason), path)
    equal(server.api(None, 'GET', 'events')[0], 401)
    got = server.api('bob', 'HEAD', 'events')
    equal((got[0], got[1]['content-type']), (200, 'text/event-stream'))


@test('a token in the query, as browsers have it; headers of nginx and for pages from elsewhere are there')
def _():
    server = Server(api='add_header X-Site yes; chat_origin https://a.example; gzip on; gzip_types *;')
    s = Stream(server, None, 'events?token=' + server.token('bob'),
               {'Origin': 'https://a.example', 'Accept-Encoding': 'gzip'})
    equal(s.event().data['user'], 'bob')
    equal((s.headers['access-control-allow-origin'], s.headers['x-site'], 'content-encoding' in s.headers),
          ('https://a.example', 'yes', False))
    say(server, 'alice', 'bob', 'x')
    equal(texts([s.event()]), ['x'])
    assert server.token('bob')[:20] not in read(server.access_log)


@test('HTTP/1.0 gets the bytes without chunks, HTTP/2 in its own frames')
def _():
    server = Server(tls=True)
    s = Stream(server, 'bob', version='1.0')
    equal((s.event().method, s.chunked), ('session.ready', False))
    say(server, 'alice', 'bob', 'one')
    equal(texts([s.event()]), ['one'])
    p = subprocess.Popen(['curl', '-skN', '--http2', '-H', 'Authorization: Bearer ' + server.token('bob'),
                          'https://127.0.0.1:%d/v1/events?after=0' % server.tls_port], stdout=subprocess.PIPE)
    try:
        seen = b''
        def until_seen(what):
            nonlocal seen
            while what not in seen:
                data = os.read(p.stdout.fileno(), 65536)
                assert data, seen
                seen += data
        until_seen(b'"text":"one"')
        assert seen.startswith(b'event: session.ready\ndata: {'), seen
        for i in range(200):
            say(server, 'alice', 'bob', 'x%d ' % i + 'y' * 3000)
        until_seen(b'"text":"x199 ')
        equal([int(l[4:]) for l in seen.split(b'\n') if l.startswith(b'id: ')], list(range(1, 202)))
    finally:
        p.kill()
        p.wait()
    until(lambda: server.metrics()['chat_connections'] == 1, 10)


@test('comments are the heartbeat; a stream ends with its token')
def _():
    server = Server(api='chat_heartbeat 1s;')
    s = Stream(server, 'bob')
    s.event()
    until(lambda: (s.quiet(0.5), s.comments >= 2)[1], 20 * SLOW, 'two comments')

    def started():
        # on a busy machine the token may have run out before it is used
        s = Stream(server, None, 'events?token=' + server.token('bob', exp=int(time.time()) + 4)).head()
        if s.status != 200:
            return equal(s.status, 401)
        try:
            return s.event() and s
        except EOFError:
            return None
    s = until(started, 60 * SLOW, 'a stream with a token that lives')
    try:
        s.event()
        raise AssertionError('an event')
    except EOFError:
        pass


@test('a client that reads nothing falls behind and gets every event in the end, in order')
def _():
    server = Server(api='chat_send_queue 16k;')
    s = Stream(server, 'bob', 'events?after=0', receive_buffer=32768, timeout=60)
    s.event()
    n = 500
    group = server.rpc('alice', 'channel.create', {'name': 'g', 'members': ['bob']})['channel']['channel']
    for i in range(0, n, 50):
        server.post('alice', json.dumps([{'jsonrpc': '2.0', 'id': k, 'method': 'message.send',
                                          'params': {'channel': group, 'client_id': 'c%d' % k, 'text': 'x' * 8000}}
                                         for k in range(i, i + 50)]))
    until(lambda: server.metrics()['chat_behind'] > 0, 30)
    got = s.events(n + 1)
    equal([int(e.id) for e in got], list(range(1, n + 2)))


@test('a killed worker, store or parent cuts no stream: session.resumed, then what was missed')
def _():
    server = Server(chat_workers=1, allow='exited|ended|lost|refused|failed|closed')
    s = Stream(server, 'bob', timeout=30)
    s.event()
    for round, name in enumerate(('chatd: worker 0', 'chatd: store', 'chatd: parent')):
        server.kill(name)
        until(lambda: try_say(server, 'r%d' % round), 30 * SLOW)
    ids, resumed = [], 0
    while len(ids) < 3:
        e = s.event()
        if e.method == 'session.resumed':
            resumed += 1
        elif e.id:
            ids.append(int(e.id))
    equal(ids, [1, 2, 3])
    assert resumed >= 2, resumed


def try_say(server, client_id):
    try:
        return server.rpc('alice', 'message.send', {'to': 'bob', 'client_id': client_id, 'text': 'x'})
    except (HttpError, RpcError, OSError, http.client.HTTPException):
        return None


@test('a reload says session.closing and ends the streams properly, those of HTTP/2 too')
def _():
    server = Server(tls=True, http='chat_drain_time 200ms;')
    s = Stream(server, 'bob')
    s.event()
    p = subprocess.Popen(['curl', '-skN', '--http2', '-w', '%{http_code}', '-H', 'Authorization: Bearer ' + server.token('bob'),
                          'https://127.0.0.1:%d/v1/events' % server.tls_port], stdout=subprocess.PIPE)
    until(lambda: server.metrics()['chat_connections'] == 2, 10 * SLOW)
    old = server.reload()
    equal((s.event().method), 'session.closing')
    equal(s.rest(), b'')
    out = p.communicate(timeout=20 * SLOW)[0]
    assert b'event: session.closing' in out and out.endswith(b'200') and p.returncode == 0, (out, p.returncode)
    until(lambda: not any(alive(pid) for pid in old), 20 * SLOW, 'old workers to end')
    s = Stream(server, 'bob')
    equal(s.event().method, 'session.ready')


@test('clients that go away at any moment leave nothing behind')
def _():
    server = Server()
    for i in range(150):
        s = Stream(server, 'bob')
        if i % 3 == 1:
            s.head()
        if i % 3 == 2:
            s.event()
        if i % 2:
            s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        s.close()
        if i % 10 == 0:
            say(server, 'alice', 'bob', 'x')
    until(lambda: server.metrics()['chat_connections'] == 0, 10)
    until(lambda: server.metrics().get('chat_pool_sessions', 0) == 0, 10)


@test('2,000 streams at once through one nginx worker: each is served, each costs little')
def _():
    n = 2000 // SLOW
    server = Server(workers=1, chat_workers=1)
    pid = server.nginx_workers()[0]
    streams = []
    for i in range(n):
        streams.append(Stream(server, 'u%d' % (i % 100), timeout=60))
    for s in streams:
        s.event()
    before = server.metrics()
    equal(before['chat_connections'], n)
    rss = int(re.search(r'VmRSS:\s+(\d+)', read('/proc/%d/status' % pid)).group(1))
    print('# nginx: %d KiB with %d streams' % (rss, n))
    for i in range(100):
        say(server, 'alice', 'u%d' % i, 'hello')
    for s in streams:
        equal(texts([s.event()]), ['hello'])


main()
