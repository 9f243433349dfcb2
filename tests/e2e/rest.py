"""chat_api: resource routes, their errors, and what pages from elsewhere may."""

import subprocess
import urllib.parse

from chat import *
from openapi import Checked

JSON = {'Content-Type': 'application/json'}


def quote(text):
    return urllib.parse.quote(text, safe='')


def send(server, user, to, text, **more):
    return server.api(user, 'POST', 'messages', dict({'to': to, 'client_id': os.urandom(6).hex(), 'text': text}, **more))


def closed(client):
    """Reads up to the close frame: its code and reason."""
    try:
        while True:
            client.pump(5)
    except Closed as c:
        return c.code, c.reason


def problem(answer, status, reason, param=None):
    got_status, got, body = answer
    equal((got_status, got.get('content-type'), body and body.get('reason')),
          (status, 'application/problem+json', reason))
    equal(body['status'], status)
    assert body['type'] == 'about:blank' and body['title'] and body['detail'], body
    if param is not None:
        equal(body.get('param'), param)
    if status in (429, 503):
        assert int(got['retry-after']) > 0, got
    return body


@test('messages are sent with 201, listed by every cursor and read one by one, as the methods do')
def _():
    server = Checked()
    status, got, sent = send(server, 'alice', 'bob', 'one \u20ac \U0001f600')
    equal((status, got['content-type'], got['cache-control']), (201, 'application/json', 'no-store'))
    equal(sent.keys(), {'channel', 'message_id', 'inbox_id', 'sent_at'})
    channel = sent['channel']
    for i in range(2, 7):
        equal(send(server, 'bob', 'alice', 'm%d' % i)[2]['message_id'], i)
    for query in ({}, {'before': 4}, {'after': 0}, {'after': 3, 'limit': 2}, {'around': 3, 'limit': 3}, {'limit': 1}):
        status, _, page = server.api('bob', 'GET', 'messages?' + urllib.parse.urlencode(dict(query, channel=channel)))
        equal((status, page), (200, server.rpc('bob', 'message.history', dict(query, channel=channel))), query)
    status, _, one = server.api('bob', 'GET', 'messages/%s/1' % quote(channel))
    equal((status, one['message']['text']), (200, 'one \u20ac \U0001f600'))
    equal(server.api('bob', 'GET', 'messages/%s/1' % channel)[2], one)
    # the same client_id, the same message
    body = {'channel': channel, 'client_id': 'again', 'text': 'x'}
    first = server.api('alice', 'POST', 'messages', body)[2]
    again = server.api('alice', 'POST', 'messages', body)[2]
    equal((again['message_id'], again.get('duplicate')), (first['message_id'], True))


@test('the inbox is polled with after and limit, and acknowledged by a device')
def _():
    server = Checked()
    for i in range(5):
        send(server, 'alice', 'bob', 'm%d' % i)
    status, _, page = server.api('bob', 'GET', 'inbox?after=0')
    equal((status, page), (200, server.rpc('bob', 'inbox.sync', {'after': 0})))
    equal(len(server.api('bob', 'GET', 'inbox?after=1&limit=2&wait=0')[2]['events']), 2)
    equal(server.api('bob', 'GET', 'inbox?after=5')[2], {'events': [], 'more': False, 'inbox_id': 5})
    problem(server.api('bob', 'GET', 'inbox'), 400, 'missing', 'after')
    problem(server.api('bob', 'GET', 'inbox?after=6'), 409, 'cursor_ahead', 'after')
    for wait in ('-1', '61', '1e3', '99999999999999999999', 'x', ''):
        answer = server.api('bob', 'GET', 'inbox?after=5&wait=' + wait)
        equal((answer[0], answer[2]['param']), (400, 'wait'), wait)
    problem(server.api('bob', 'POST', 'inbox/ack', {'inbox_id': 1}), 400, 'device_required')
    equal(server.api('bob', 'POST', 'inbox/ack?device=phone', {'inbox_id': 5})[::2], (200, {}))
    problem(server.api('bob', 'POST', 'inbox/ack?device=phone', {'inbox_id': 6}), 400, 'beyond_newest', 'inbox_id')


@test('channels are created with 201 and managed; removing a member answers 204 without a body')
def _():
    server = Checked()
    status, _, made = server.api('alice', 'POST', 'channels', {'name': 'g', 'members': ['bob', 'a+b@x.y']})
    equal((status, made['channel']['kind']), (201, 'group'))
    channel = made['channel']['channel']
    at = 'channels/' + channel
    equal(server.api('bob', 'GET', at)[2], server.rpc('bob', 'channel.get', {'channel': channel}))
    equal(server.api('bob', 'GET', 'channels?limit=10')[2], server.rpc('bob', 'channel.list', {'limit': 10}))
    equal(server.api('alice', 'PATCH', at, {'name': 'h'})[2]['channel']['name'], 'h')
    equal(server.api('alice', 'POST', at + '/members', {'users': ['carol']})[0], 200)
    equal(server.api('alice', 'PATCH', at + '/members/carol', {'role': 'admin'})[0], 200)
    equal(server.api('alice', 'DELETE', at + '/members/carol,a%2Bb@x.y')[::2], (204, None))
    equal([m['user'] for m in server.api('bob', 'GET', at)[2]['channel']['members']], ['alice', 'bob'])
    send_status, _, sent = server.api('alice', 'POST', 'messages', {'channel': channel, 'client_id': 'c', 'text': 'x'})
    equal(send_status, 201)
    equal(server.api('bob', 'POST', at + '/read', {'message_id': sent['message_id']})[::2], (200, {}))
    problem(server.api('bob', 'POST', at + '/read', {'message_id': 99}), 400, 'beyond_newest', 'message_id')
    equal(server.api('bob', 'POST', at + '/hide')[0], 200)
    equal(server.api('bob', 'POST', at + '/leave', {})[0], 200)
    problem(server.api('bob', 'GET', at), 404, 'channel_not_found')
    problem(server.api('bob', 'GET', 'channels/g.0000000000000000'), 404, 'channel_not_found')
    problem(server.api('carol', 'PATCH', at, {'name': 'x'}), 404, 'channel_not_found')


@test('a user id with a plus is meant as it is written, escaped or not')
def _():
    server = Checked()
    channel = send(server, 'a+b', 'c.d', 'x')[2]['channel']
    for query in (channel, quote(channel)):
        equal(len(server.api('a+b', 'GET', 'messages?channel=' + query)[2]['messages']), 1)
        equal(server.api('a+b', 'GET', 'messages/%s/1' % query)[0], 200)


@test('HEAD answers as GET without a body, OPTIONS with Allow, other methods 405 with Allow')
def _():
    server = Checked()
    send(server, 'alice', 'bob', 'x')
    want = server.api('alice', 'GET', 'inbox?after=0')
    got = server.api('alice', 'HEAD', 'inbox?after=0')
    equal((got[0], got[1]['content-length'], got[2]), (200, want[1]['content-length'], None))
    equal(server.api('alice', 'HEAD', 'inbox')[0], 400)
    status, headers, _ = server.api(None, 'OPTIONS', 'inbox')
    equal((status, 'GET' in headers['allow']), (204, True))
    for method, path, allow in (('DELETE', 'messages', 'POST, GET, HEAD, OPTIONS'), ('GET', 'inbox/ack', 'POST, OPTIONS'),
                                ('POST', 'events', 'GET, HEAD, OPTIONS'),
                                ('PUT', 'channels/x', 'GET, HEAD, PATCH, OPTIONS'),
                                ('LOCK', 'channels', 'GET, HEAD, POST, OPTIONS')):
        answer = server.api('alice', method, path)
        problem(answer, 405, 'method_not_allowed')
        equal(answer[1]['allow'], allow, method + ' ' + path)
    for path in ('', 'nothing', 'channels/x/y', 'messages/x', 'channels/x/members/y/z', 'inbox/ack/x'):
        problem(server.api('alice', 'GET', path), 404, 'not_found')


@test('messages are edited, reacted to and deleted at their address')
def _():
    server = Checked()
    channel = send(server, 'alice', 'bob', 'one')[2]['channel']
    at = 'messages/%s/1' % quote(channel)
    status, _, edited = server.api('alice', 'PATCH', at, {'text': 'two'})
    equal((status, edited['message']['text'], 'edited_at' in edited['message']), (200, 'two', True))
    problem(server.api('bob', 'PATCH', at, {'text': 'x'}), 403, 'not_allowed')
    problem(server.api('carol', 'PATCH', at, {'text': 'x'}), 404, 'channel_not_found')
    problem(server.api('alice', 'PATCH', at), 400, 'missing', 'text')
    for emoji in ('\U0001f44d', '%', '+1', '\U0001f468\u200d\U0001f469\u200d\U0001f467'):
        put = server.api('bob', 'PUT', at + '/reactions/' + quote(emoji))
        equal((put[0], put[2]['message']['reactions']), (200, [{'emoji': emoji, 'users': ['bob']}]))
        equal(server.api('alice', 'DELETE', at + '/reactions/' + quote(emoji))[0], 204)
        equal(server.api('bob', 'DELETE', at + '/reactions/%s?client_id=%s' % (quote(emoji), quote(emoji)))[::2], (204, None))
        equal('reactions' in server.api('bob', 'GET', at)[2]['message'], False)
    # a PUT gives and a DELETE takes, whatever else is said
    problem(server.api('bob', 'DELETE', at + '/reactions/x?remove=false'), 400, 'duplicate_key', 'remove')
    problem(server.api('bob', 'PUT', at + '/reactions/x?remove=true'), 400, 'duplicate_key', 'remove')
    problem(server.api('bob', 'PUT', at + '/reactions/x', {'remove': True}), 400, 'duplicate_key', 'remove')
    problem(server.api('bob', 'PUT', at + '/reactions/' + 'x' * 33), 400, 'out_of_range', 'emoji')
    problem(server.api('bob', 'DELETE', at), 403, 'not_allowed')
    equal(server.api('alice', 'DELETE', at + '?client_id=d')[::2], (204, None))
    equal(server.api('alice', 'DELETE', at + '?client_id=d')[0], 204)
    problem(server.api('alice', 'PATCH', at, {'text': 'x'}), 410, 'message_deleted')
    equal('text' in server.api('bob', 'GET', at)[2]['message'], False)
    # the rest of a channel
    until_ms = int(time.time() * 1000) + 100000
    for muted in (until_ms, None, 0):
        got = server.api('bob', 'POST', 'channels/%s/mute' % quote(channel), {'until': muted})
        equal((got[0], got[2]['channel']['muted_until']), (200, muted))
    bob = server.client('bob')
    equal(server.api('alice', 'POST', 'channels/%s/typing' % quote(channel))[::2], (200, {}))
    equal(bob.event('typing'), {'channel': channel, 'user': 'alice'})
    problem(server.api('carol', 'POST', 'channels/%s/typing' % quote(channel)), 404, 'channel_not_found')
    assert server.api('alice', 'GET', 'ping')[2]['server_time'] > 0


@test('people: profiles, search, contacts, devices and presence are resources')
def _():
    server = Checked()
    alice, bob = server.client('alice', device='web'), server.client('bob')
    status, _, mine = server.api('alice', 'PATCH', 'profile', {'display_name': 'Al Ice', 'status': 'x', 'avatar': ''})
    equal((status, mine), (200, server.rpc('bob', 'user.get', {'user': 'alice'})))
    problem(server.api('alice', 'PATCH', 'profile', {}), 400, 'missing')
    problem(server.api('alice', 'GET', 'profile'), 405, 'method_not_allowed')
    for query, found in (('al%20i', ['alice']), ('AL', ['alice']), ('bo', ['bob']), ('nobody', [])):
        equal([u['user'] for u in server.api('bob', 'GET', 'users?query=' + query)[2]['users']], found, query)
    problem(server.api('bob', 'GET', 'users'), 400, 'missing', 'query')
    problem(server.api('bob', 'GET', 'users?query=x&limit=101'), 400, 'out_of_range', 'limit')
    problem(server.api('bob', 'GET', 'users/nobody'), 404, 'user_not_found')
    problem(server.api('bob', 'GET', 'users/a%20b'), 400, 'bad_user', 'user')
    # contacts
    def contact(user, method, path, body=None):
        status, _, got = server.api(user, method, 'contacts' + path, body)
        return status, got and got['contact']['state']
    equal(contact('alice', 'POST', '', {'user': 'bob'}), (201, 'requested'))
    equal(server.api('bob', 'GET', 'contacts')[2], {'contacts': [{'user': 'alice', 'state': 'incoming'}], 'more': False, 'next': None})
    equal(contact('bob', 'POST', '/alice/accept'), (200, 'friend'))
    problem(server.api('bob', 'POST', 'contacts/alice/decline'), 404, 'contact_not_found')
    equal([u['online'] for u in server.api('alice', 'GET', 'presence?users=bob,carol')[2]['users']], [True, False])
    equal(contact('bob', 'POST', '/alice/block'), (200, 'blocked'))
    equal([u['online'] for u in server.api('alice', 'GET', 'presence?users=bob')[2]['users']], [False])
    equal(contact('bob', 'POST', '/alice/unblock', {'client_id': 'u'}), (200, 'friend'))
    equal(server.api('bob', 'DELETE', 'contacts/alice')[::2], (204, None))
    equal(server.api('alice', 'GET', 'contacts?limit=5')[2]['contacts'], [])
    problem(server.api('alice', 'POST', 'contacts', {'user': 'alice'}), 400, 'oneself', 'user')
    problem(server.api('alice', 'POST', 'contacts/alice/block'), 400, 'oneself', 'user')
    problem(server.api('alice', 'GET', 'presence'), 400, 'missing', 'users')
    problem(server.api('alice', 'GET', 'presence?users='), 400, 'out_of_range', 'users')
    problem(server.api('alice', 'GET', 'presence?users=' + ','.join(['x'] * 1001)), 400, 'out_of_range', 'users')
    equal(len(server.api('alice', 'GET', 'presence?users=' + ','.join(['x'] * 1000))[2]['users']), 1000)
    # devices
    listed = server.api('alice', 'GET', 'devices?device=script')[2]['devices']
    equal({d['device']: d['current'] for d in listed}.get('script'), True)
    equal(server.api('alice', 'PATCH', 'devices/web', {'name': 'Web'})[2]['device']['name'], 'Web')
    problem(server.api('alice', 'PATCH', 'devices/none', {'name': 'Web'}), 404, 'device_not_found')
    problem(server.api('alice', 'PATCH', 'devices/web', {'name': 'x', 'device': 'y'}), 400, 'duplicate_key', 'device')
    equal(server.api('alice', 'DELETE', 'devices/web')[::2], (204, None))
    problem(server.api('alice', 'DELETE', 'devices/web'), 404, 'device_not_found')
    equal(closed(alice), (1008, 'device_removed'))


@test('invites are resources: made with 201, taken back with 204, seen and used by others')
def _():
    server = Checked()
    channel = server.api('alice', 'POST', 'channels', {'name': 'g', 'members': []})[2]['channel']['channel']
    at = 'channels/%s/invites' % channel
    status, _, made = server.api('alice', 'POST', at, {'lifetime': 60, 'max_uses': 2})
    equal((status, made['invite']['max_uses']), (201, 2))
    code = made['invite']['invite']
    equal(server.api('alice', 'GET', at)[2], {'invites': [made['invite']]})
    equal(server.api('alice', 'POST', at)[0], 201)
    equal(server.api('bob', 'GET', 'invites/' + code)[2]['invite']['members'], 1)
    equal(server.api('bob', 'HEAD', 'invites/' + code)[0], 200)
    status, _, joined = server.api('bob', 'POST', 'invites/%s/join' % code)
    equal((status, len(joined['channel']['members'])), (200, 2))
    problem(server.api('bob', 'POST', at), 403, 'not_allowed')
    problem(server.api('carol', 'GET', 'invites/' + code[::-1]), 404, 'invite_not_found')
    equal(server.api('alice', 'DELETE', at + '/' + code)[::2], (204, None))
    problem(server.api('carol', 'POST', 'invites/%s/join' % code), 410, 'invite_revoked')
    problem(server.api('alice', 'POST', at, {'max_uses': 0}), 400, 'out_of_range', 'max_uses')
    for _ in range(49):
        equal(server.api('alice', 'POST', at)[0], 201)
    problem(server.api('alice', 'POST', at), 409, 'too_many_invites')


@test('a profile has an ETag: who has it is answered 304, until it changes')
def _():
    server = Checked(api='gzip on; gzip_types application/json; gzip_min_length 1;', http='chat_origin https://a.example;')
    server.client('alice')
    def get(method='GET', **headers):
        return server.api('bob', method, 'users/alice', headers={k.replace('_', '-'): v for k, v in headers.items()})
    status, first, body = get()
    equal((status, first['cache-control'], first['vary']), (200, 'private, no-cache', 'Authorization'))
    tag = first['etag']
    assert re.fullmatch('"[0-9a-f]{32}"', tag), tag
    for value in (tag, 'W/' + tag, '"x", %s' % tag, '*'):
        for method in ('GET', 'HEAD'):
            status, got, none = get(method, If_None_Match=value)
            equal((status, none, got['etag'], 'content-type' in got), (304, None, tag, False), value)
    for value in ('"x"', tag[:-2] + '"', 'nonsense'):
        equal(get(If_None_Match=value)[::2], (200, body), value)
    head = get('HEAD')
    equal((head[0], head[1]['etag'], head[1]['content-length']), (200, tag, first['content-length']))
    status, got, text = server.http('GET', '/v1/users/alice', None, {'Authorization': 'Bearer ' + server.token('bob'),
                                                                   'Accept-Encoding': 'gzip', 'If-None-Match': 'W/' + tag})
    equal((status, text), (304, ''))
    server.api('alice', 'PATCH', 'profile', {'status': 'new'})
    status, changed, _ = get(If_None_Match=tag)
    equal((status, changed['etag'] != tag), (200, True))
    server.api('alice', 'PATCH', 'profile', {'status': ''})
    equal(get(If_None_Match=tag)[0], 304)
    # the same in whatever process
    server.kill('chatd: store')
    equal(until(lambda: get(If_None_Match=tag)[0] == 304, 10), True)
    # nothing else has one, and no condition undoes what was done
    status, got, _ = server.api('alice', 'PATCH', 'profile', {'status': 'y'}, headers={'If-Match': '"x"', 'If-None-Match': '*'})
    equal((status, got.get('etag'), got['cache-control']), (200, None, 'no-store'))
    equal(server.api('alice', 'GET', 'channels', headers={'If-None-Match': '*'})[0], 200)
    status, got, _ = server.api('bob', 'GET', 'users/nobody')
    equal((status, got.get('etag'), got['cache-control']), (404, None, 'no-store'))
    got = server.api('bob', 'GET', 'users/alice', headers={'Origin': 'https://a.example'})[1]
    assert 'ETag' in got['access-control-expose-headers'], got


@test('refusals: 401, 415, 413, bad JSON, wrong and doubled parameters, each a problem document')
def _():
    server = Checked(api='chat_message_max 4k;')
    problem(server.api(None, 'GET', 'channels'), 401, 'token_missing')
    problem(server.api(None, 'GET', 'channels?token=x'), 401, 'token_malformed')
    for kind in ({}, {'Content-Type': 'text/plain'}, {'Content-Type': 'multipart/form-data'}):
        problem(server.api('alice', 'POST', 'messages', '{"to":"bob"}', kind), 415, 'not_json')
    large = json.dumps({'to': 'bob', 'client_id': 'c', 'text': 'x' * 5000})
    problem(server.api('alice', 'POST', 'messages', large, JSON), 413, 'too_large')
    for body, reason in (('{', 'parse_error'), ('{"to":"bob"} x', 'parse_error'), ('[]', 'wrong_type'), ('1', 'wrong_type'),
                         ('[' * 40 + ']' * 40, 'too_deep'), ('{"to":"b","to":"c"}', 'duplicate_key')):
        problem(server.api('alice', 'POST', 'messages', body, JSON), 400, reason)
    problem(server.api('alice', 'POST', 'messages', '', JSON), 400, 'missing')
    problem(server.api('alice', 'POST', 'messages'), 400, 'missing')
    problem(send(server, 'alice', 'bob', ''), 400, 'out_of_range', 'text')
    problem(send(server, 'alice', 'b/b', 'x'), 400, 'bad_user', 'to')
    problem(send(server, 'alice', 'bob', 'x', nonsense=1), 400, 'unknown_param', 'nonsense')
    problem(send(server, 'alice', 'bob', 'x', channel='y'), 400, 'conflicting_params')
    for query, reason, param in (('limit=x', 'wrong_type', 'limit'), ('limit=0', 'out_of_range', 'limit'),
                                 ('limit=-1', 'wrong_type', 'limit'), ('limit=201', 'out_of_range', 'limit'),
                                 ('limit=1e2', 'wrong_type', 'limit'), ('limit=', 'wrong_type', 'limit'),
                                 ('after=99999999999999999999', 'out_of_range', 'after'),
                                 ('before=1&after=2', 'conflicting_params', None), ('x=1', 'unknown_param', 'x'),
                                 ('channel=z', 'duplicate_key', 'channel'), ('limit=1&limit=2', 'duplicate_key', 'limit'),
                                 ('%ff=1', 'bad_unicode', None), ('limit=%ff', 'bad_unicode', None), ('a', 'unknown_param', 'a')):
        answer = server.api('alice', 'GET', 'messages?channel=y&' + query)
        problem(answer, 400, reason, param)
    problem(server.api('alice', 'PATCH', 'channels/x', {'channel': 'y', 'name': 'z'}), 400, 'duplicate_key', 'channel')
    problem(server.api('alice', 'GET', 'channels?after=%00%01nonsense'), 400, 'bad_cursor', 'after')


@test('a body in chunks is limited too, cut off where it passes the limit, and refused as a problem')
def _():
    server = Server(api='chat_message_max 4k;')
    token = server.token('alice')
    head = ('POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
            'Authorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n' % token).encode()
    for slowly in (False, True):
        with socket.create_connection(('127.0.0.1', server.port), 10 * SLOW) as s:
            s.sendall(head)
            if slowly:
                time.sleep(0.1)
            data = b''
            try:
                for _ in range(30 if slowly else 1000):
                    s.sendall(b'400\r\n' + b' ' * 1024 + b'\r\n')
                    if slowly:
                        time.sleep(0.01)
            except OSError:
                pass
            try:
                while b'}' not in data:
                    more = s.recv(4096)
                    assert more, data
                    data += more
            except ConnectionResetError:
                pass
        assert b'413' in data.split(b'\r\n')[0] and b'too_large' in data, data
    equal(send(server, 'alice', 'bob', 'x')[0], 201)


@test('a body that comes byte by byte, in chunks or after 100-continue is read whole')
def _():
    server = Server()
    body = json.dumps({'to': 'bob', 'client_id': 'c', 'text': '\u20ac' * 30}).encode()
    head = ('POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n'
            'Authorization: Bearer %s\r\n' % server.token('alice')).encode()
    pieces = {'Content-Length: %d\r\n\r\n' % len(body): [body[i:i + 1] for i in range(len(body))],
              'Transfer-Encoding: chunked\r\n\r\n': [b'%x\r\n%s\r\n' % (len(body[i:i + 7]), body[i:i + 7])
                                                     for i in range(0, len(body), 7)] + [b'0\r\n\r\n']}
    for more, parts in pieces.items():
        with socket.create_connection(('127.0.0.1', server.port), 10 * SLOW) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(head + more.encode())
            for part in parts:
                s.sendall(part)
            data = b''
            while True:
                more = s.recv(65536)
                if not more:
                    break
                data += more
            assert b' 201 ' in data.split(b'\r\n')[0], data
    text = '\u20ac' * 90000
    out = subprocess.run(['curl', '-s', '-w', '%{http_code}', '-o', '/dev/null', '-H', 'Expect: 100-continue',
                          '-H', 'Authorization: Bearer ' + server.token('alice'), '-H', 'Content-Type: application/json',
                          '-d', '@-', 'http://127.0.0.1:%d/v1/messages' % server.port],
                         input=json.dumps({'to': 'bob', 'client_id': 'd', 'text': text}), stdout=subprocess.PIPE,
                         text=True, timeout=60).stdout
    equal(out, '201')


@test('a body that is cut off, or in chunks that are none, changes nothing and costs only its connection')
def _():
    server = Server()
    body = json.dumps({'to': 'bob', 'client_id': 'c', 'text': 'x' * 3000}).encode()
    head = ('POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
            'Authorization: Bearer %s\r\n' % server.token('alice')).encode()
    length, chunked = b'Content-Length: %d\r\n\r\n' % len(body), b'Transfer-Encoding: chunked\r\n\r\n'
    chunk = b'%x\r\n%s\r\n' % (len(body), body)
    cut = [head + length + body[:-1], head + length, head + length[:-1], head + chunked + chunk, head + chunked + chunk[:-2],
           head + chunked + chunk[:100], head + chunked]
    for half_closed in (False, True):
        for data in cut:
            with socket.create_connection(('127.0.0.1', server.port), 10 * SLOW) as s:
                s.sendall(data)
                if half_closed:
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(4096):
                        pass
    for data in (b'zz\r\n' + body, b'-1\r\n', b'ffffffffffffffffff\r\n' + body, b'4\r\n' + body):
        with socket.create_connection(('127.0.0.1', server.port), 10 * SLOW) as s:
            s.sendall(head + chunked + data)
            answer = s.recv(4096)
            assert b' 400 ' in answer.split(b'\r\n')[0] or b' 413 ' in answer.split(b'\r\n')[0], answer
    # too long by a byte: that is the next request, and none
    with socket.create_connection(('127.0.0.1', server.port), 10 * SLOW) as s:
        s.sendall(head + b'Content-Length: %d\r\n\r\n' % (len(body) - 1) + body)
        answer = s.recv(4096)
        assert b' 400 ' in answer.split(b'\r\n')[0] and b'parse_error' in answer, answer
    equal(send(server, 'alice', 'bob', 'first')[2]['message_id'], 1)


@test('no value of a parameter is too strange: users, devices, emojis, invites, waits, in path and query')
def _():
    server = Server()
    alice = server.client('alice')
    channel = send(server, 'alice', 'bob', 'x')[2]['channel']
    strange = ['%00', '%FF', '%C3%28', '%ED%A0%80', '..', '%2e%2e', '%2F', '%', '%zz', '+', '%20', '%22', '%5C', '~', 'A' * 4000,
               '%F0%9F%91%8D' * 100, ',', ',,', '%2C', '-1', '1e9', '9' * 400, 'null', 'true', '%7B%7D', '&', '=', '?', '%3F%23']
    seen = set()
    for value in strange:
        for method, path in (('GET', 'users/%s'), ('GET', 'users?query=%s'), ('DELETE', 'devices/%s'), ('POST', 'contacts/%s/block'),
                             ('GET', 'presence?users=%s'), ('GET', 'invites/%s'), ('POST', 'invites/%s/join'),
                             ('PUT', 'messages/' + quote(channel) + '/1/reactions/%s'), ('DELETE', 'messages/%s/1'),
                             ('GET', 'inbox?after=0&wait=%s'), ('GET', 'inbox?after=%s'), ('GET', 'contacts?after=%s'),
                             ('GET', 'contacts?limit=%s'), ('GET', 'channels/%s'), ('GET', 'ping?%s')):
            try:
                status, headers, body = server.api('alice', method, path % value)
            except json.JSONDecodeError:
                continue        # nginx itself refused the request line
            seen.add(status)
            assert status in (200, 204, 400, 404, 405, 409, 414), (method, path % value[:40], status, body)
            if status >= 400 and headers.get('content-type') == 'application/problem+json':
                equal(body['status'], status)
    assert {200, 400, 404} <= seen, seen
    alice.call('ping')


@test('the rate limit answers 429 with Retry-After, resources and JSON-RPC counted together')
def _():
    server = Server(api='chat_rate 0.001r/s burst=3;', rpc='chat_rate 0.001r/s burst=3;')
    answers = [server.api('alice', 'GET', 'channels') for _ in range(8)]
    limited = [a for a in answers if a[0] == 429]
    equal(len(limited), 5, [a[0] for a in answers])
    problem(limited[0], 429, 'rate_limited')
    equal(server.api('bob', 'GET', 'channels')[0], 200)


@test('a page from elsewhere asks by chat_origin: preflight, headers, refusal, on /rpc too')
def _():
    server = Server(http='chat_origin https://a.example https://b.example;')
    ask = {'Origin': 'https://b.example', 'Access-Control-Request-Method': 'POST',
           'Access-Control-Request-Headers': 'authorization, content-type'}
    for path in ('/v1/messages', '/rpc'):
        status, got, text = server.http('OPTIONS', path, None, ask)
        equal((status, text, got['access-control-allow-origin']), (204, '', 'https://b.example'))
        assert 'POST' in got['access-control-allow-methods'] and 'Authorization' in got['access-control-allow-headers']
        equal(got['vary'], 'Origin')
        status, got, text = server.http('OPTIONS', path, None, dict(ask, Origin='https://c.example'))
        equal((status, 'access-control-allow-origin' in got, json.loads(text)['reason']), (403, False, 'origin'))
    for origin, status in (('https://a.example', 200), ('https://c.example', 403), (None, 200)):
        got = server.api('alice', 'GET', 'channels', headers={'Origin': origin} if origin else {})
        equal((got[0], got[1].get('access-control-allow-origin')), (status, origin if origin and status == 200 else None))
    # a refusal can be read too
    got = server.api(None, 'GET', 'channels', headers={'Origin': 'https://a.example'})
    equal((got[0], got[1]['access-control-allow-origin']), (401, 'https://a.example'))
    server = Server()
    got = server.api('alice', 'GET', 'channels', headers={'Origin': 'https://any.example'})
    equal((got[0], got[1]['access-control-allow-origin'], 'vary' in got[1]), (200, '*', False))


@test('many requests on one connection, compressed by nginx where that is configured')
def _():
    server = Server(api='gzip on; gzip_types application/json; gzip_min_length 1;')
    c = http.client.HTTPConnection('127.0.0.1', server.port, timeout=10 * SLOW)
    headers = {'Authorization': 'Bearer ' + server.token('alice'), 'Accept-Encoding': 'gzip'}
    for i in range(30):
        c.request('GET', '/v1/channels' if i % 2 else '/v1/nothing', None, headers)
        r = c.getresponse()
        r.read()
        equal(r.status, 200 if i % 2 else 404)
        if i % 2:
            equal(r.getheader('content-encoding'), 'gzip')
    port = c.sock.getsockname()[1]
    c.request('GET', '/v1/channels', None, headers)
    equal(c.getresponse().status, 200)
    equal(c.sock.getsockname()[1], port)
    c.close()


@test('HTTP/2 serves resources like HTTP/1.1, a body above the limit too')
def _():
    server = Server(tls=True, api='chat_message_max 4k;')
    def curl(*more, body=None):
        out = subprocess.run(['curl', '-sk', '--http2', '-w', '\n%{http_version} %{http_code} %{content_type}', '-H',
                              'Authorization: Bearer ' + server.token('alice'), '-H', 'Content-Type: application/json',
                              *more], input=body, stdout=subprocess.PIPE, text=True, timeout=60).stdout
        text, _, status = out.rpartition('\n')
        return status, text
    at = 'https://127.0.0.1:%d/v1/' % server.tls_port
    status, text = curl(at + 'messages', '-d', json.dumps({'to': 'bob', 'client_id': 'c', 'text': 'x'}))
    equal(status, '2 201 application/json')
    status, text = curl(at + 'messages/%s/1' % json.loads(text)['channel'])
    equal(json.loads(text)['message']['text'], 'x')
    large = json.dumps({'to': 'bob', 'client_id': 'd', 'text': 'x' * 50000})
    equal(curl(at + 'messages', '-d', '@-', body=large)[0], '2 413 application/problem+json')
    equal(curl(at + 'messages', '-T', '-', '-X', 'POST', body=large)[0], '2 413 application/problem+json')


@test('resources go on while worker and store are killed: nothing is stored twice')
def _():
    server = Server(chat_workers=1, allow='exited|ended|lost')
    sent = []
    for i in range(60):
        if i == 20:
            server.kill('chatd: worker 0')
        if i == 40:
            server.kill('chatd: store')
        status, _, body = server.api('alice', 'POST', 'messages', {'to': 'bob', 'client_id': 'c%d' % i, 'text': 'm%d' % i},
                                     timeout=30)
        equal(status, 201, body)
        sent.append(body['message_id'])
    equal(sent, list(range(1, 61)))


main()
