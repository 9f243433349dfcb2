"""POST /rpc: every method without a WebSocket, over HTTP/1.1 and HTTP/2."""

import subprocess

from chat import *

PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'


def headers(server, user='alice', kind='application/json'):
    return {'Authorization': 'Bearer ' + server.token(user), 'Content-Type': kind}


@test('a request is answered 200 with JSON, a notification 204, a batch with an array')
def _():
    server = Server()
    status, got, text = server.post('alice', PING)
    equal((status, got['content-type'].split(';')[0]), (200, 'application/json'))
    equal(json.loads(text)['id'], 1)
    equal(int(got['content-length']), len(text))
    for body in ('{"jsonrpc":"2.0","method":"ping"}', '[{"jsonrpc":"2.0","method":"ping"}]'):
        status, got, text = server.post('alice', body)
        equal((status, text), (204, ''))
    status, _, text = server.post('alice', '[%s,%s]' % (PING, PING.replace('1,', '2,')))
    equal(sorted(a['id'] for a in json.loads(text)), [1, 2])


@test('refusals before JSON-RPC are problem+json: 401, 405 with Allow, 415, 413')
def _():
    server = Server(rpc='chat_message_max 1k;')
    status, got, text = server.http('POST', '/rpc', PING, {'Content-Type': 'application/json'})
    equal((status, got['content-type']), (401, 'application/problem+json'))
    for method in ('GET', 'PUT', 'DELETE', 'PATCH'):
        status, got, text = server.http(method, '/rpc', None, headers(server))
        equal((status, got.get('allow')), (405, 'POST, OPTIONS'), method)
        equal(json.loads(text)['status'], 405)
    status, got, _ = server.http('HEAD', '/rpc', None, headers(server))
    equal(status, 405)
    for kind in ('text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', ''):
        status, got, text = server.http('POST', '/rpc', PING, headers(server, kind=kind))
        equal((status, got['content-type']), (415, 'application/problem+json'), kind)
    for kind in ('application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8'):
        equal(server.http('POST', '/rpc', PING, headers(server, kind=kind))[0], 200, kind)
    status, got, _ = server.post('alice', ' ' * 2000)
    equal((status, got['content-type']), (413, 'application/problem+json'))


@test('every method answers over HTTP as it does over the WebSocket')
def _():
    server = Server()
    sent = server.rpc('alice', 'message.send', {'to': 'bob', 'client_id': 'c', 'text': 'x'})
    channel = sent['channel']
    group = server.rpc('alice', 'channel.create', {'name': 'g', 'members': ['bob']})['channel']['channel']
    calls = [('message.get', {'channel': channel, 'message_id': 1}), ('message.history', {'channel': channel}),
             ('inbox.sync', {'after': 0}), ('channel.get', {'channel': group}), ('channel.list', {})]
    alice = server.client('alice')
    for method, params in calls:
        equal(server.rpc('alice', method, params), alice.call(method, params), method)
    for method, params in (('channel.add', {'users': ['carol']}), ('channel.role', {'user': 'carol', 'role': 'admin'}),
                           ('channel.update', {'name': 'h'}), ('channel.remove', {'users': ['carol']}),
                           ('channel.hide', {}), ('channel.leave', {})):
        server.rpc('alice', method, dict(params, channel=group))
    server.rpc('alice', 'channel.read', {'channel': channel, 'message_id': 1})
    # a device is what acknowledges: the token names it, or the query
    equal(refused(server.rpc, 'alice', 'inbox.ack', {'inbox_id': 1}).code, -32602)
    equal(server.rpc('alice', 'inbox.ack', {'inbox_id': 1}, path='/rpc?device=phone'), {})


@test('many requests on one connection, a chunked body, a body in small pieces')
def _():
    server = Server()
    c = http.client.HTTPConnection('127.0.0.1', server.port, timeout=10 * SLOW)
    for i in range(50):
        c.request('POST', '/rpc', PING.replace('1,', '%d,' % i), headers(server))
        equal(json.loads(c.getresponse().read())['id'], i)
    c.request('POST', '/rpc', iter([PING[:10].encode(), PING[10:].encode()]), headers(server), encode_chunked=True)
    equal(json.loads(c.getresponse().read())['id'], 1)
    c.close()
    with socket.create_connection(('127.0.0.1', server.port), 10 * SLOW) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = 'POST /rpc HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n' % (
            len(PING), ''.join('%s: %s\r\n' % h for h in headers(server).items()))
        s.sendall(head.encode())
        for byte in PING.encode():
            s.sendall(bytes([byte]))
        data = b''
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
        assert b'server_time' in data, data


@test('a body larger than the memory buffer is read whole')
def _():
    server = Server(rpc='client_body_buffer_size 1k; client_max_body_size 4m;')
    text = '\u20ac' * 90000
    sent = server.rpc('alice', 'message.send', {'to': 'bob', 'client_id': 'c', 'text': text})
    equal(server.rpc('bob', 'message.get', {'channel': sent['channel'], 'message_id': 1})['message']['text'], text)


@test('HTTP/2 serves /rpc like HTTP/1.1')
def _():
    server = Server(tls=True)
    command = ['curl', '-sk', '--http2', '-w', '\n%{http_version} %{http_code}',
               'https://127.0.0.1:%d/rpc' % server.tls_port, '-H', 'Authorization: Bearer ' + server.token('alice'),
               '-H', 'Content-Type: application/json', '-d']
    out = subprocess.run(command + [PING], stdout=subprocess.PIPE, text=True, timeout=60).stdout
    body, status = out.rsplit('\n', 1)
    equal(status, '2 200')
    equal(json.loads(body)['id'], 1)
    out = subprocess.run(command + ['{"jsonrpc":"2.0","method":"ping"}'], stdout=subprocess.PIPE, text=True,
                         timeout=60).stdout
    equal(out.strip(), '2 204')


@test('a client that goes away in the middle of a request disturbs nobody')
def _():
    server = Server()
    body = json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': 'message.history', 'params': {'channel': 'x'}})
    for i in range(100):
        with socket.create_connection(('127.0.0.1', server.port)) as s:
            head = 'POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n' % (
                len(body), ''.join('%s: %s\r\n' % h for h in headers(server).items()))
            s.sendall((head + body)[:len(head) + (i % len(body))].encode())
    equal(server.rpc('alice', 'ping').keys(), {'server_time'})


@test('without a pool /ws answers 503 with Retry-After within 2 s, /rpc within 10 s')
def _():
    server = Server(pool=None, run_dir=scratch('chat-none-'))
    start = time.monotonic()
    r = refusal(server, 'alice')
    took = time.monotonic() - start
    equal((r.status, int(r.headers['retry-after']) > 0), (503, True))
    assert 1.5 <= took < 9 * SLOW, took
    start = time.monotonic()
    status, got, text = server.post('alice', PING, timeout=20)
    took = time.monotonic() - start
    equal((status, int(got['retry-after']) > 0, got['content-type']), (503, True, 'application/problem+json'))
    assert took < 19 * SLOW, took
    equal(server.status()['refused']['unavailable'], 2)


@test('/status is JSON, /metrics is Prometheus text with a type for every metric')
def _():
    server = Server()
    alice = server.client('alice')
    alice.say('bob', 'x')
    status, got, text = server.http('GET', '/status')
    equal((status, got['content-type'].split(';')[0]), (200, 'application/json'))
    json.loads(text)
    status, got, text = server.http('GET', '/metrics')
    equal((status, got['content-type'].split(';')[0]), (200, 'text/plain'))
    names = set()
    for line in text.splitlines():
        m = re.match(r'^# TYPE (\w+) (counter|gauge)$', line)
        if m:
            assert m.group(1) not in names, 'TYPE twice: ' + line
            names.add(m.group(1))
        elif line and not line.startswith('#'):
            m = re.match(r'^([a-z_][a-z0-9_]*)(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?\d+(\.\d+)?$', line)
            assert m and m.group(1) in names, line
    until(lambda: server.metrics()['chat_connections'] == 1, 20 * SLOW)
    alice.close()
    until(lambda: server.metrics()['chat_connections'] == 0, 10)


@test('what /rpc refuses is counted by reason; 405 of /status and /metrics names what is allowed')
def _():
    server = Server(pool=None)
    json_type = {'Content-Type': 'application/json'}
    equal(server.http('POST', '/rpc', '{}', json_type)[0], 401)
    equal(server.http('POST', '/rpc?token=x.y.z', '{}', json_type)[0], 401)
    status, _, text = server.http('POST', '/rpc?device=%20&token=' + server.token('alice'), '{}', json_type)
    equal((status, json.loads(text)['reason']), (400, 'bad_device'))
    assert 'device' in json.loads(text)['detail']
    equal(server.status()['refused']['token'], 2)
    for path in ('/status', '/metrics'):
        status, headers, text = server.http('POST', path, 'x')
        equal((status, headers.get('allow'), json.loads(text)['status']), (405, 'GET, HEAD', 405))


main()
