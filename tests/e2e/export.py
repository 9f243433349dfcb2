"""GET account/export: all of a user's own as lines of JSON, at the pace of who reads them."""

import subprocess

from chat import *


def export(server, user, path='account/export', **options):
    status, headers, text = server.http('GET', '/v1/' + path, None, {'Authorization': 'Bearer ' + server.token(user)},
                                        **options)
    return status, headers, [json.loads(l) for l in text.splitlines()]


def kinds(lines):
    return [next(iter(l)) for l in lines]


def of(lines, kind):
    return [l[kind] for l in lines if kind in l]


def lasting(lines):
    """What is the same a moment later: markers are written behind."""
    return [l for l in lines if not {'export', 'channel'} & set(l)]


def fill(server, user, to, n, size=900):
    """n messages of this size, as fast as they go."""
    c = server.client(user)
    for at in range(0, n, 100):
        keys = [c.request('message.send', {'to': to, 'client_id': 'f%d' % i, 'text': '%d ' % i + 'x' * size})
                for i in range(at, min(at + 100, n))]
        for key in keys:
            c.reply(key)
    c.close()


def raw(server, user, request='GET /v1/account/export HTTP/1.1', headers=()):
    """A socket on which the request was sent, with a small receive buffer."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(('127.0.0.1', server.port))
    s.sendall('\r\n'.join([request, 'Host: x', 'Authorization: Bearer ' + server.token(user), *headers,
                           '', '']).encode())
    return s


def drain(s):
    data = bytearray()
    s.settimeout(30 * SLOW)
    while True:
        part = s.recv(1 << 20)
        if not part:
            return bytes(data)
        data += part


def unchunk(body):
    out, at = bytearray(), 0
    while True:
        end = body.index(b'\r\n', at)
        n = int(body[at:end], 16)
        if n == 0:
            return bytes(out)
        out += body[end + 2:end + 2 + n]
        at = end + 2 + n + 2


@test('profile, devices, contacts, channels with markers and all messages, as lines, and a name for the file')
def _():
    server = Server()
    server.rpc('alice', 'user.update', {'display_name': 'Al\u00efce', 'status': 'line\nbreak'})
    server.rpc('alice', 'ping', path='/rpc?device=phone')
    server.rpc('alice', 'device.update', {'device': 'phone', 'name': 'My "phone"'})
    server.rpc('alice', 'contact.request', {'user': 'bob'})
    server.rpc('bob', 'contact.accept', {'user': 'alice'})
    server.rpc('alice', 'contact.block', {'user': 'mallory'})
    group = server.rpc('alice', 'channel.create', {'name': 'g', 'members': ['bob', 'carol']})['channel']['channel']
    for i in range(5):
        server.rpc('bob', 'message.send', {'channel': group, 'client_id': 'g%d' % i, 'text': 'to all %d' % i})
    sent = server.rpc('alice', 'message.send', {'to': 'bob', 'client_id': 'd', 'text': 'edit me'})
    server.rpc('alice', 'message.edit', {'channel': sent['channel'], 'message_id': 1, 'text': 'edited \u20ac'})
    server.rpc('bob', 'message.react', {'channel': sent['channel'], 'message_id': 1, 'emoji': '\U0001f600'})
    server.rpc('bob', 'message.delete', {'channel': group, 'message_id': 2})
    server.rpc('bob', 'message.send', {'to': 'carol', 'client_id': 'secret', 'text': 'not of alice'})
    server.rpc('alice', 'channel.read', {'channel': group, 'message_id': 3})
    server.rpc('alice', 'channel.mute', {'channel': group, 'until': None})
    until(lambda: of(export(server, 'alice')[2], 'channel')[0]['read'] == 3 and of(export(server, 'alice')[2], 'channel')[1]['read'] == 1,
          5, 'the markers on the disk')

    status, headers, lines = export(server, 'alice')
    equal((status, headers['content-type'], headers['content-disposition'], headers['cache-control']),
          (200, 'application/jsonl', 'attachment; filename="chat-alice.jsonl"', 'no-store'))
    equal(kinds(lines), ['export', 'profile', 'device', 'contact', 'contact', 'channel', *['message'] * 5, 'channel',
                         'message', 'end'])
    equal((lines[0]['export']['user'], lines[0]['export']['format']), ('alice', 1))
    equal(lines[1]['profile'], server.rpc('bob', 'user.get', {'user': 'alice'})['user'])
    equal((lines[2]['device']['device'], lines[2]['device']['name']), ('phone', 'My "phone"'))
    equal(of(lines, 'contact'), [{'user': 'bob', 'state': 'friend'}, {'user': 'mallory', 'state': 'blocked'}])
    first, second = of(lines, 'channel')
    equal((first['channel'], first['muted_until'], [m['user'] for m in first['members']]),
          (group, None, ['alice', 'bob', 'carol']))
    equal((second['channel'], second['kind'], second['read']), (sent['channel'], 'direct', 1))
    messages = of(lines, 'message')
    equal(messages[:5], server.rpc('alice', 'message.history', {'channel': group})['messages'])
    equal(messages[5:], server.rpc('alice', 'message.history', {'channel': sent['channel']})['messages'])
    assert 'not of alice' not in json.dumps(lines)
    equal(lines[-1], {'end': True})


@test('what one wrote in a group that one has left is there, without what others wrote')
def _():
    server = Server()
    group = server.rpc('alice', 'channel.create', {'name': 'g', 'members': ['bob', 'carol']})['channel']['channel']
    for i in range(30):
        for user in ('alice', 'bob'):
            server.rpc(user, 'message.send', {'channel': group, 'client_id': 'c%d' % i, 'text': '%s %d' % (user, i)})
    server.rpc('alice', 'message.edit', {'channel': group, 'message_id': 1, 'text': 'edited'})
    server.rpc('alice', 'message.delete', {'channel': group, 'message_id': 3})
    direct = server.rpc('alice', 'message.send', {'to': 'bob', 'client_id': 'd', 'text': 'kept'})['channel']
    server.rpc('alice', 'channel.leave', {'channel': group})
    server.rpc('bob', 'message.send', {'channel': group, 'client_id': 'x', 'text': 'bob later'})
    lines = export(server, 'alice')[2]
    equal([c['channel'] for c in of(lines, 'channel')], [direct])
    equal([m['text'] for m in of(lines, 'message')], ['kept', 'edited'] + ['alice %d' % i for i in range(2, 30)])
    equal(kinds(lines)[-1], 'end')
    server.rpc('bob', 'channel.add', {'channel': group, 'users': ['alice']})
    equal(len(of(export(server, 'alice')[2], 'message')), 62)


@test('a token of a user who never wrote, HEAD, OPTIONS, other methods, and what is refused')
def _():
    server = Server()
    status, _, lines = export(server, 'stranger')
    equal((status, kinds(lines)), (200, ['export', 'profile', 'end']))
    auth = {'Authorization': 'Bearer ' + server.token('alice')}
    status, headers, text = server.http('HEAD', '/v1/account/export', None, auth)
    equal((status, headers['content-type'], 'content-disposition' in headers, text),
          (200, 'application/jsonl', True, ''))
    status, headers, _ = server.http('OPTIONS', '/v1/account/export', None, auth)
    equal((status, 'GET' in headers['allow']), (204, True))
    status, headers, text = server.http('POST', '/v1/account/export', '{}',
                                        dict(auth, **{'Content-Type': 'application/json'}))
    equal((status, headers['allow'], json.loads(text)['reason']), (405, 'GET, HEAD, OPTIONS', 'method_not_allowed'))
    status, headers, text = server.http('GET', '/v1/account/export')
    equal((status, headers['content-type']), (401, 'application/problem+json'))
    for after in ('x', '-', '1', '1-', '-1', '1-2-3', '1-2x', '9' * 17 + '-1', '1-' + '9' * 19, '9' * 60):
        status, headers, text = server.http('GET', '/v1/account/export?after=' + after, None, auth)
        equal((status, json.loads(text)['param'], headers['content-type']),
              (400, 'after', 'application/problem+json'), after)
    status, _, text = server.http('GET', '/v1/account/export?limit=3', None, auth)
    equal((status, json.loads(text)['reason']), (400, 'unknown_param'))
    # a cursor is one's own place in one's own data: of another's channel it says nothing
    server.rpc('bob', 'message.send', {'to': 'carol', 'client_id': 'c', 'text': 'secret'})
    for after in ('1-0', '0-1', '7-9', '9007199254740991-9007199254740991'):
        equal(export(server, 'alice', 'account/export?after=' + after)[2], [{'end': True}], after)


@test('limit_rate slows an export down, and does not hold it up for ever')
def _():
    server = Server(http='limit_rate 2m;')
    fill(server, 'alice', 'bob', 1500)
    status, _, lines = export(server, 'alice', timeout=20 * SLOW)
    equal((status, len(of(lines, 'message')), kinds(lines)[-1]), (200, 1500, 'end'))


@test('many pages: every message once, in order; over HTTP/1.0, HTTP/2 and with gzip the same bytes')
def _():
    server = Server(tls=True, http='gzip on; gzip_types *;')
    fill(server, 'alice', 'bob', 3000)
    fill(server, 'carol', 'alice', 500)
    lines = export(server, 'alice')[2]
    for to, n in (('bob', 3000), ('carol', 500)):
        channel = 'd.alice~' + to
        got = [m for m in of(lines, 'message') if m['channel'] == channel]
        equal([m['message_id'] for m in got], list(range(1, n + 1)))
        equal([m['text'].split()[0] for m in got], [str(i) for i in range(n)])
    equal(kinds(lines)[-1], 'end')

    def plain(data):
        head, _, body = data.partition(b'\r\n\r\n')
        return head, body

    with raw(server, 'alice', 'GET /v1/account/export HTTP/1.0') as s:
        head, body = plain(drain(s))
    assert b'chunked' not in head.lower(), head
    equal(lasting([json.loads(l) for l in body.splitlines()]), lasting(lines))
    for options in (['--http2'], ['--http1.1', '--compressed'], ['--http2', '--compressed']):
        out = subprocess.run(['curl', '-sk', *options, '-H', 'Authorization: Bearer ' + server.token('alice'), '-D',
                              server.dir + '/head', '-OJ', '--output-dir', server.dir,
                              'https://127.0.0.1:%d/v1/account/export' % server.tls_port],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60 * SLOW)
        equal(out.returncode, 0, out.stdout)
        head = read(server.dir + '/head')
        assert ('HTTP/2' in head) == ('--http2' in options), head
        assert ('gzip' in head.lower()) == ('--compressed' in options), head
        got = read(server.dir + '/chat-alice.jsonl')
        os.unlink(server.dir + '/chat-alice.jsonl')
        equal(lasting([json.loads(l) for l in got.splitlines()]), lasting(lines), options)


@test('a connection is used again after an export, and pages are no requests of the rate limit')
def _():
    server = Server(api='chat_rate 1r/s burst=3;')
    fill(server, 'alice', 'bob', 1500)
    c = http.client.HTTPConnection('127.0.0.1', server.port, timeout=20 * SLOW)
    for _ in range(2):
        c.request('GET', '/v1/account/export', None, {'Authorization': 'Bearer ' + server.token('alice')})
        r = c.getresponse()
        equal((r.status, len(r.read().splitlines())), (200, 1 + 1 + 1 + 1500 + 1))
    c.close()


def rss(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', read('/proc/%d/status' % pid)).group(1)) << 10


@test('who reads nothing holds a page, nobody else and no memory; then the rest comes, whole')
def _():
    server = Server(workers=1)
    fill(server, 'alice', 'bob', 8000)  # 8 MB
    pids = [server.nginx_workers()[0]] + [p for t, p in server.pool_processes().items() if t != 'chatd: parent']
    export(server, 'alice')
    before = {p: rss(p) for p in pids}
    readers = [raw(server, 'alice') for _ in range(20)]
    until(lambda: server.status() and server.metrics()['chat_calls'] > 20, 10 * SLOW, 'the calls')
    bob, slowest = server.client('bob'), 0
    for i in range(50):
        start = time.monotonic()
        bob.say('carol', 'still %d' % i)
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 8 * SLOW, slowest
    # nothing goes on while nobody reads
    def stand():
        before = server.metrics()['chat_calls']
        time.sleep(0.5)
        return server.metrics()['chat_calls'] == before
    until(stand, 20 * SLOW, 'the pages to stop')
    for p in pids:
        grown = rss(p) - before[p]
        # (AddressSanitizer keeps what was freed)
        assert ASAN or grown < 40 << 20, (title(p), grown)
    for s in readers[1:]:
        s.close()
    data = unchunk(drain_chunked(readers[0]))
    lines = [json.loads(l) for l in data.splitlines()]
    equal(len(of(lines, 'message')), 8000)
    equal(lines[-1], {'end': True})


def drain_chunked(s):
    """The body up to its last chunk."""
    data = bytearray()
    s.settimeout(30 * SLOW)
    while not data.endswith(b'\r\n0\r\n\r\n'):
        part = s.recv(1 << 20)
        assert part, 'cut after %d bytes' % len(data)
        data += part
    return bytes(data.partition(b'\r\n\r\n')[2])


@test('store and workers may be killed in the middle: the export goes on where it was')
def _():
    server = Server()
    fill(server, 'alice', 'bob', 5000)
    for name in ('chatd: store', 'chatd: worker 0', 'chatd: worker 1'):
        s = raw(server, 'alice')
        first = s.recv(100000)
        assert first.startswith(b'HTTP/1.1 200'), first
        server.kill(name)
        rest = bytearray(first)
        s.settimeout(30 * SLOW)
        while not rest.endswith(b'\r\n0\r\n\r\n'):
            part = s.recv(1 << 16)
            assert part, '%s: cut after %d bytes' % (name, len(rest))
            rest += part
        s.close()
        lines = [json.loads(l) for l in unchunk(bytes(rest).partition(b'\r\n\r\n')[2]).splitlines()]
        equal([m['message_id'] for m in of(lines, 'message')], list(range(1, 5001)), name)
        server.wait_ready()


@test('a client that goes away in the middle is forgotten; a reload lets the others finish')
def _():
    server = Server()
    fill(server, 'alice', 'bob', 4000)
    for _ in range(10):
        s = raw(server, 'alice')
        s.recv(1000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        s.close()
    s = raw(server, 'alice')
    s.recv(1)
    old = server.reload()
    data = drain_chunked_from(s, b'H')
    equal(len(of([json.loads(l) for l in unchunk(data).splitlines()], 'message')), 4000)
    s.close()
    until(lambda: not any(alive(p) for p in old), 20 * SLOW, 'the old workers to end')


def drain_chunked_from(s, data):
    data = bytearray(data)
    s.settimeout(30 * SLOW)
    while not data.endswith(b'\r\n0\r\n\r\n'):
        part = s.recv(1 << 20)
        assert part, 'cut after %d bytes' % len(data)
        data += part
    return bytes(data.partition(b'\r\n\r\n')[2])


main()
