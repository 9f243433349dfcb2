"""Tokens, devices, origins: who gets in, and that no log tells a token."""

import base64

from chat import *


def bearer(value):
    return [('Authorization', 'Bearer ' + value)]


def bad_tokens(server):
    now = int(time.time())
    good = server.token('alice')
    head, body, signature = good.split('.')

    def b64(data):
        return base64.urlsafe_b64encode(data.encode()).rstrip(b'=').decode()
    return {
        'empty': '', 'not a token': 'nonsense', 'two parts': head + '.' + body, 'four parts': good + '.x',
        'unsigned': head + '.' + body + '.', 'an altered signature': head + '.' + body + '.' + signature[::-1],
        'an altered body': head + '.' + b64('{"sub":"eve","exp":%d}' % (now + 99)) + '.' + signature,
        'another key': server.token('alice', key=b'x' * 32),
        'alg none': b64('{"alg":"none"}') + '.' + body + '.', 'alg None, signed': server.token('alice', header={'alg': 'none'}),
        'alg RS256': server.token('alice', header={'alg': 'RS256'}), 'alg HS512': server.token('alice', header={'alg': 'HS512'}),
        'no alg': server.token('alice', header={'typ': 'JWT'}), 'alg a number': server.token('alice', header={'alg': 5}),
        'an unknown crit': server.token('alice', header={'alg': 'HS256', 'crit': ['x'], 'x': 1}),
        'expired': server.token('alice', exp=now - 1), 'long expired': server.token('alice', exp=1),
        'not valid yet': server.token('alice', nbf=now + 600), 'no exp': server.token('alice', exp=None),
        'exp a string': server.token('alice', exp=str(now + 600)), 'exp null': server.token('alice', header=None, exp=None),
        'no sub': server.token(None), 'sub empty': server.token(''), 'sub a number': server.token(5),
        'sub with a space': server.token('al ice'), 'sub of 65 bytes': server.token('x' * 65),
        'sub not ASCII': server.token('\u00e4'), 'sub with a NUL': server.token('alice\u0000'),
        'a bad dev': server.token('alice', dev='a b'), 'dev a number': server.token('alice', dev=5),
        'claims not an object': head + '.' + b64('[1]') + '.' + signature, 'too long': 'x' * 10000,
        'padding': good + '=', 'a blank inside': good[:20] + '%20' + good[20:],
    }


@test('every kind of bad token is 401 with problem+json, WWW-Authenticate and a reason, over all three ways in and /rpc')
def _():
    server = Server(workers=1, chat_workers=1)
    for what, bad in bad_tokens(server).items():
        r = refusal(server, 'alice', headers=bearer(bad))
        assert r.status == 401 or (what == 'too long' and r.status in (400, 414, 494)), (what, r)
        if r.status != 401:
            continue
        equal(r.headers['content-type'], 'application/problem+json', what)
        assert r.problem['status'] == 401 and r.problem['reason'], (what, r.body)
        assert 'www-authenticate' in r.headers, what
        equal(refusal(server, 'alice', headers=(), path='/ws?token=' + bad).status, 401, what + ' in the query')
        if ' ' not in bad and '%' not in bad:
            r = refusal(server, 'alice', headers=[('Sec-WebSocket-Protocol', 'chat.v1, bearer.' + bad)])
            assert r.status in (401, 400), (what, 'as subprotocol', r)
        equal(server.http('POST', '/rpc', '{}', {'Authorization': 'Bearer ' + bad, 'Content-Type': 'application/json'})[0],
              401, what + ' at /rpc')
    equal(refusal(server, 'alice', headers=()).status, 401, 'no token')


@test('a good token gets in as header, as query argument and as subprotocol beside chat.v1, which alone is echoed')
def _():
    server = Server()
    good = server.token('alice')
    equal(server.client('alice', headers=bearer(good)).response.get('sec-websocket-protocol'), None)
    equal(server.client('alice', headers=(), path='/ws?token=' + good).ready['user'], 'alice')
    c = server.client('alice', headers=[('Sec-WebSocket-Protocol', 'chat.v1, bearer.' + good)])
    equal(c.response['sec-websocket-protocol'], 'chat.v1')
    c = server.client('alice', headers=[('Sec-WebSocket-Protocol', 'bearer.' + good + ', chat.v1')])
    equal(c.response['sec-websocket-protocol'], 'chat.v1')
    c = server.client('alice', headers=[('Sec-WebSocket-Protocol', 'chat.v1'), ('Sec-WebSocket-Protocol', 'bearer.' + good)])
    equal(c.response['sec-websocket-protocol'], 'chat.v1')
    c = server.client('alice', headers=[('authorization', 'bearer ' + good)])
    equal(c.ready['user'], 'alice', 'the scheme in lower case')
    equal(refusal(server, 'alice', headers=[('Sec-WebSocket-Protocol', 'bearer.' + good)]).status, 400, 'bearer alone')


@test('sources count in their order: header before query before subprotocol')
def _():
    server = Server()
    a, b, c = (server.token(u) for u in ('alice', 'bob', 'carol'))
    sub = ('Sec-WebSocket-Protocol', 'chat.v1, bearer.' + c)
    equal(server.client('x', headers=bearer(a) + [sub], path='/ws?token=' + b).ready['user'], 'alice')
    equal(server.client('x', headers=[sub], path='/ws?token=' + b).ready['user'], 'bob')
    equal(refusal(server, 'x', headers=bearer('bad') + [sub], path='/ws?token=' + b).status, 401)


@test('the alphabet of a user id is taken whole, and ids are case-sensitive')
def _():
    server = Server()
    name = 'Az09_.@+-'
    equal(server.client(name).ready['user'], name)
    server.client('Alice').say('alice', 'x')
    equal(len(server.inbox('alice')), 1)
    equal(server.inbox('Alice')[0]['params']['message']['channel'], 'd.Alice~alice')


@test('the device comes from the token, else from the query, else the server makes one')
def _():
    server = Server()
    equal(server.client('alice', claims={'dev': 'tok'}, device='query').ready['device'], 'tok')
    equal(server.client('alice', device='query').ready['device'], 'query')
    one, two = (server.client('alice').ready['device'] for _ in range(2))
    assert one and two and one != two


@test('a token that runs out on a live connection closes it 1008 token_expired')
def _():
    server = Server()
    alice = while_it_lives(lambda: server.client('alice', claims={'exp': int(time.time()) + 4}))
    beside = server.client('alice')
    alice.expect_close(1008, 'token_expired', 30)
    beside.call('ping')


@test('session.renew takes a newer token of the same user and device, and the connection outlives the old one')
def _():
    server = Server()
    now = int(time.time())
    alice = server.client('alice', claims={'exp': now + 8, 'dev': 'd'})
    for other in (server.token('bob', dev='d'), server.token('alice', dev='e'), server.token('alice', dev='d', exp=now - 5),
                  server.token('alice', dev='d', key=b'y' * 32), 'nonsense'):
        assert refused(alice.call, 'session.renew', {'token': other}).code in (401, 403)
    renewed = alice.call('session.renew', {'token': server.token('alice', dev='d', exp=now + 600)})
    equal(renewed['expires_at'] in (now + 600, (now + 600) * 1000), True, repr(renewed))
    until(lambda: time.time() > now + 9, 20)
    alice.call('ping')
    equal(refused(alice.call, 'session.renew', {}).code, -32602)


@test('chat_origin: another Origin is 403, the right one gets in')
def _():
    server = Server(ws='chat_origin https://example.org https://other.example;')
    token = bearer(server.token('alice'))
    for origin in ('https://evil.example', 'http://example.org', 'https://example.org.evil.example', 'null',
                   'https://example.org:8443', 'https://sub.example.org'):
        r = refusal(server, 'alice', headers=token + [('Origin', origin)])
        equal(r.status, 403, origin)
    for origin in ('https://example.org', 'https://other.example', 'HTTPS://EXAMPLE.ORG'):
        server.client('alice', headers=token + [('Origin', origin)])
    # a wrong Origin is told before a wrong token
    equal(refusal(server, 'alice', headers=[('Origin', 'https://evil.example')]).status in (401, 403), True)


@test('chat_unknown_users refuse: who never connected is 404 user_not_found, who did is reached')
def _():
    server = Server(ws='chat_unknown_users refuse;', rpc='chat_unknown_users refuse;')
    alice = server.client('alice')
    for over in (lambda: alice.say('bob', 'x'), lambda: server.rpc('alice', 'message.send',
                                                                   {'to': 'bob', 'client_id': 'y', 'text': 'x'})):
        e = refused(over)
        equal((e.code, e.reason), (404, 'user_not_found'))
    equal(refused(alice.call, 'channel.create', {'name': 'g', 'members': ['bob']}).code, 404)
    server.client('bob').close()
    equal(alice.say('bob', 'x')['message_id'], 1)


@test('no log shows a token: not of a good handshake, nor of 401, 400, 403, 503, nor of /rpc')
def _():
    server = Server(ws='chat_origin https://example.org;', server='''
        location = /always401 { chat_websocket; chat_token header; }
        location = /rewritten { rewrite ^ /ws last; }
        location = /missing { return 404; }
        location = /proxied { error_page 404 = /missing; return 404; }''')
    good = server.token('alice')
    bad = server.token('alice', key=b'z' * 32)
    for t in (good, bad):
        for path in ('/ws?token=%s' % t, '/ws?after=1&token=%s&device=x' % t, '/ws?token=%s&after=x' % t,
                     '/ws?TOKEN=x&token=%s' % t, '/always401?token=%s' % t, '/rewritten?token=%s' % t,
                     '/missing?token=%s' % t, '/proxied?token=%s' % t, '/echo?token=%s' % t, '/status?token=%s' % t,
                     '/rpc?token=%s' % t, '/ws?token=%s&token=%s' % (t, t), '/nowhere?a=b&token=%s' % t,
                     '/ws?%%74oken=%s' % t):
            for origin in ((), [('Origin', 'https://evil.example')]):
                try:
                    c = WebSocket('127.0.0.1', server.port, path, list(origin))
                    c.abort()
                except (Refused, Closed):
                    pass
            server.http('GET', path)
            server.http('POST', path, '{}', {'Content-Type': 'application/json'})
        for headers in (bearer(t), [('Sec-WebSocket-Protocol', 'bearer.' + t)],
                        [('Sec-WebSocket-Protocol', 'chat.v1, bearer.' + t)]):
            try:
                server.client('alice', headers=headers).abort()
            except (Refused, Closed):
                pass
    # no worker: 503, which nginx says something about
    server.stop()
    server.start(wait=False)
    server.http('POST', '/rpc?token=' + good, '{"jsonrpc":"2.0","id":1,"method":"ping"}',
                {'Content-Type': 'application/json'})
    server.stop()
    for path in (server.error_log, server.access_log, server.run_dir + '/chatd.log', server.dir + '/stderr'):
        text = read(path)
        for t in (good, bad):
            for part in t.split('.')[1:]:
                if part in text:
                    line = [l for l in text.splitlines() if part in l][0]
                    raise AssertionError('%s shows a token: %s' % (path, line))
    assert '/ws?' in read(server.access_log), 'the rest of the request is logged'


@test('no log shows the token of a request that nginx could not read, also not with an error page')
def _():
    for more in ('', 'error_page 400 404 405 414 505 /missing.html;'):
        server = Server(http='error_log %s/error-only.log error;', server=more, start=False)
        server.settings['http'] %= server.dir
        server.start()
        lines = ['GET /ws?a=b&token=SeCrEt HTTP/9.9', 'GET /ws?a=b&token=SeCrEt HTTP/1.1x', 'GET /ws?a=b&token=SeCrEt',
                 'GET /ws?a=b c&token=SeCrEt HTTP/1.1', 'GET /ws?a=b c&d&token=SeCrEt', 'G{T /ws?a=b&token=SeCrEt HTTP/1.1',
                 'GET /ws?a=b&token=SeCrEt%s HTTP/1.1' % ('t' * 40000), 'GET /ws?a=b&token=SeCrEt HTTP/1.1\r\nNo-Host: x',
                 'GET /ws?a=b&token=SeCrEt HTTP/1.1\r\nHost: x\r\nLong: ' + 'y' * 40000]
        for line in lines:
            with socket.create_connection(('127.0.0.1', server.port), 10) as s:
                s.sendall((line + '\r\n\r\n').encode())
                try:
                    s.recv(4096)
                except ConnectionResetError:
                    pass
        server.stop()
        equal(read(server.access_log).count('?a=b'), len(lines))
        for path in (server.access_log, server.dir + '/error-only.log'):
            equal([l[:200] for l in read(path).splitlines() if 'SeCrEt' in l], [])


@test('other locations and redirects of the site keep their own token argument')
def _():
    port = free_port()
    server = Server(http='server { listen 127.0.0.1:%d; return 301 https://site$request_uri; }' % port,
                    server='location /seen { return 200 "$args $arg_token $request_uri"; }'
                           'location /slash/ { proxy_pass http://127.0.0.1:1; }'
                           'location /again { chat_websocket; rewrite ^/again$ /ws last; }')
    equal(server.http('GET', '/seen?a=1&token=x%2Fy')[2], 'a=1&token=x%2Fy x%2Fy /seen?a=1&token=x%2Fy')
    equal(server.http('GET', '/slash?token=abc')[1]['location'].split('/', 3)[3], 'slash/?token=abc')
    WebSocket('127.0.0.1', server.port, '/again?token=' + server.token('alice')).abort()
    server.port, own = port, server.port
    equal(server.http('GET', '/reset?token=abc')[1]['location'], 'https://site/reset?token=abc')
    server.port = own
    server.stop()
    for path in (server.access_log, server.error_log):
        equal([l for l in read(path).splitlines() if 'abc' in l or 'x%2Fy' in l], [])


main()
