"""Bad input: the precise answer, and everything beside it goes on.

Each test ends with a good request on the same connection, or, where the
connection has to end, on another one that stood beside it.
"""

from chat import *

SEND = {'to': 'bob', 'client_id': 'c', 'text': 'x'}


def call(key=1, method='ping', **more):
    return json.dumps(dict({'jsonrpc': '2.0', 'id': key, 'method': method}, **more))


def goes_on(client):
    client.drain()
    client.replies.clear()
    assert client.call('ping')['server_time'] > 0


def error(client, text):
    answer = client.raw(text)
    assert 'error' in answer, answer
    return answer['error']['code'], (answer['error'].get('data') or {}).get('reason'), answer.get('id', 'absent')


@test('what is not JSON is -32700 with id null')
def _():
    server = Server()
    alice = server.client('alice')
    for text in ('', ' ', '{', '}', '{"jsonrpc":"2.0"', 'nonsense', '{"a":}', '[1,', '{"a":1}x', "{'a':1}", '{a:1}',
                 '[1 2]', '{"a":1,}', '[1,]', '"\\x"', '"\x01"', 'nul', '01', '1.', '+1', '.5', 'NaN', 'Infinity',
                 '\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}', '{"jsonrpc":"2.0","id":1,"method":"ping"} {}',
                 '/* */{}', '"\\u12"', '\u00a0{}'):
        equal(error(alice, text), (-32700, 'parse_error', None), repr(text))
        equal(server.post('alice', text)[0] in (200, 400), True)
    goes_on(alice)


@test('a message of empty fragments is an empty message, and no more')
def _():
    server = Server()
    alice = server.client('alice')
    for between in (0, 3):
        # what memory was used for before decides what a wrong reader finds
        for size in (1, 20, 90, 3000):
            alice.call('ping')
            alice.send_bytes(frame(TEXT, b' ' * size, fin=False) + frame(CONTINUATION, b'{'))
            equal(json.loads(alice.recv())['error']['code'], -32700)
            alice.send_bytes(frame(TEXT, b'', fin=False) + frame(CONTINUATION, b'', fin=False) * between
                             + frame(CONTINUATION, b''))
            equal(json.loads(alice.recv())['error']['code'], -32700)
    alice.call('ping')
    alice.close()


@test('JSON that is no request is -32600')
def _():
    server = Server()
    alice = server.client('alice')
    for text in ('1', '"x"', 'null', 'true', '{}', '{"id":1}', '{"jsonrpc":"1.0","id":1,"method":"ping"}',
                 '{"jsonrpc":2.0,"id":1,"method":"ping"}', '{"id":1,"method":"ping"}',
                 '{"jsonrpc":"2.0","id":1,"method":5}', '{"jsonrpc":"2.0","id":1,"method":null}',
                 '{"jsonrpc":"2.0","id":1,"method":"ping","params":5}', '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}',
                 '{"jsonrpc":"2.0","id":{},"method":"ping"}', '{"jsonrpc":"2.0","id":[1],"method":"ping"}',
                 '{"jsonrpc":"2.0","id":true,"method":"ping"}'):
        code = error(alice, text)[0]
        assert code == -32600 or ('params' in text and code == -32602), (text, code)
    goes_on(alice)


@test('nesting of 32 is taken, of 33 and of 500,000 is -32600, and costs nobody the connection')
def _():
    server = Server()
    alice = server.client('alice')

    def nested(depth, inner='1'):
        # the request object is the first level
        return '{"jsonrpc":"2.0","id":1,"method":"ping","params":%s%s%s}' % ('[' * (depth - 1), inner, ']' * (depth - 1))
    assert error(alice, nested(32))[0] != -32600, 'depth 32'
    for depth in (33, 34, 500000):
        equal(error(alice, nested(depth))[:2], (-32600, 'too_deep'), 'depth %d' % depth)
    equal(error(alice, '[' * 500000)[0] in (-32600, -32700), True)
    equal(error(alice, '{"a":' * 100000)[0] in (-32600, -32700), True)
    goes_on(alice)


@test('a key twice in one object is -32600 duplicate_key, wherever it stands')
def _():
    server = Server()
    alice = server.client('alice')
    for text in ('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', '{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}',
                 '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"a":1}}',
                 '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"\\u0061":1}}',
                 '{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"to":"bob","to":"eve","client_id":"c","text":"x"}}'):
        equal(error(alice, text)[:2], (-32600, 'duplicate_key'), text)
    equal(server.inbox('bob'), [])
    goes_on(alice)


@test('an id of every JSON type that may be one comes back unchanged')
def _():
    server = Server()
    alice = server.client('alice')
    for text in ('1', '0', '-1', '1.5', '1e400', '9223372036854775808', '-9223372036854775809', '1E+2', '"x"', '""',
                 '"\\u00e4"', '123456789012345678901234567890', '"' + 'x' * 1000 + '"', 'null'):
        alice.send('{"jsonrpc":"2.0","id":%s,"method":"ping"}' % text)
        raw = alice.recv()
        if '\\u' not in text:
            assert '"id":%s' % text in raw.replace(' ', ''), (text, raw)
        equal(json.loads(raw)['id'], json.loads(text))
        alice.send('{"jsonrpc":"2.0","id":%s,"method":"none"}' % text)
        equal(json.loads(alice.recv())['error']['code'], -32601)
    goes_on(alice)


@test('an unknown method is -32601; so is one that is not built yet')
def _():
    server = Server()
    alice = server.client('alice')
    for method in ('', 'x', 'Ping', 'ping ', 'message.sendx', 'message', 'rpc.discover', 'x' * 10000, 'a\u0000b'):
        equal(refused(alice.call, method).code, -32601, method[:20])
    goes_on(alice)


@test('missing, unknown and wrongly typed params are -32602 and data.param names the parameter')
def _():
    server = Server()
    alice = server.client('alice')
    cases = [({}, 'missing'), ({'to': 'bob'}, 'missing'), ({'to': 'bob', 'client_id': 'c'}, 'missing'),
             ({'client_id': 'c', 'text': 'x'}, None), (dict(SEND, nothing=1), 'unknown_param'),
             (dict(SEND, channel='d.a~b'), None), (dict(SEND, to=5), 'wrong_type'), (dict(SEND, to=None), None),
             (dict(SEND, to=['bob']), 'wrong_type'), (dict(SEND, text=5), 'wrong_type'),
             (dict(SEND, text={'a': 1}), 'wrong_type'), (dict(SEND, to=''), None), (dict(SEND, to='x' * 65), None),
             (dict(SEND, to='a b'), None), (dict(SEND, to='bob\u0000'), None), (dict(SEND, to='b\u00f6b'), None)]
    for params, reason in cases:
        e = refused(alice.call, 'message.send', params)
        equal(e.code, -32602, repr(params))
        assert reason is None or e.reason == reason, (params, e.error)
    equal(refused(alice.call, 'message.send', dict(SEND, nothing=1)).data.get('param'), 'nothing')
    equal(refused(alice.call, 'message.send', {'to': 'bob', 'client_id': 'c'}).data.get('param'), 'text')
    for params in ([], [1], ['bob', 'c', 'x']):
        equal(refused(alice.call, 'message.send', params).code, -32602, 'params by position')
    equal(server.inbox('bob'), [])
    goes_on(alice)


@test('numbers of 2^53, 2^63, 1e400, 1.5, -1 and 0 as params are -32602')
def _():
    server = Server()
    alice = server.client('alice')
    channel = alice.say('bob', 'x')['channel']
    for number in ('9007199254740992', '9223372036854775807', '9223372036854775808', '18446744073709551616', '1e400',
                   '-1', '1.5', '1e0', '"1"', 'null', '[]', '99999999999999999999999999'):
        for method, key in (('inbox.ack', 'inbox_id'), ('inbox.sync', 'after'), ('inbox.sync', 'limit')):
            params = '{"%s":%s%s}' % (key, number, ',"after":0' if key == 'limit' else '')
            code = error(alice, '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' % (method, params))[0]
            equal(code, -32602, '%s %s' % (method, params))
        for method, key in (('message.get', 'message_id'), ('channel.read', 'message_id'), ('message.history', 'limit'),
                            ('message.history', 'before')):
            params = '{"channel":"%s","%s":%s}' % (channel, key, number)
            code = error(alice, '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' % (method, params))[0]
            equal(code, -32602, '%s %s' % (method, params))
    for method, params in (('inbox.sync', {'after': 0, 'limit': 0}), ('inbox.sync', {'after': 0, 'limit': 1001}),
                           ('message.history', {'channel': channel, 'limit': 0}),
                           ('message.history', {'channel': channel, 'limit': 201}),
                           ('channel.list', {'limit': 0}), ('message.history', {'channel': channel, 'before': 2, 'after': 1})):
        equal(refused(alice.call, method, params).code, -32602, '%s %s' % (method, params))
    equal(refused(alice.call, 'message.get', {'channel': channel, 'message_id': 2}).code, 404)
    equal(refused(alice.call, 'message.get', {'channel': channel, 'message_id': 2 ** 53 - 1}).code, 404)
    goes_on(alice)


@test('a batch of 64 is answered whole; of 65 or of none is one -32600 bad_batch')
def _():
    server = Server()
    alice = server.client('alice')

    def batch(n):
        return '[%s]' % ','.join(call(i) for i in range(n))
    equal(sorted(a['id'] for a in alice.raw(batch(64))), list(range(64)))
    for n in (65, 0, 5000):
        equal(error(alice, batch(n))[:2], (-32600, 'bad_batch'), 'batch of %d' % n)
    goes_on(alice)


@test('in a batch each bad element has its own error, notifications have none, and all good ones are done')
def _():
    server = Server()
    alice = server.client('alice')
    answers = alice.raw('[1, %s, {"jsonrpc":"2.0","method":"ping"}, {"foo":1}, [], %s, %s]' % (
        call('a'), call('b', 'none'), call('c', 'message.send', params=SEND)))
    equal(sorted((str(a.get('id')), a.get('error', {}).get('code', 0)) for a in answers),
          [('None', -32600), ('None', -32600), ('None', -32600), ('a', 0), ('b', -32601), ('c', 0)])
    alice.send('[{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","method":"ping"}]')
    goes_on(alice)


@test('a notification is never answered, not even with an error')
def _():
    server = Server()
    alice = server.client('alice')
    alice.notify('none')
    alice.notify('message.send', {'to': 5})
    alice.notify('ping')
    alice.call('ping')
    equal([m for m in alice.seen if 'method' not in m and m.get('id') is None], [])


@test('text of 1 and of 100,000 characters of any kind is taken; of none and of 100,001 is -32602')
def _():
    server = Server()
    alice = server.client('alice', timeout=30)
    for text in ('x', 'x' * 100000, '\u20ac' * 100000, '\U0001f600' * 100000, '\u0000' * 1000, '\u0301' * 100000):
        sent = alice.say('bob', text)
        got = alice.call('message.get', {'channel': sent['channel'], 'message_id': sent['message_id']})
        assert got['message']['text'] == text, 'text of %d changed' % len(text)
    for text in ('', 'x' * 100001, '\U0001f600' * 100001):
        e = refused(alice.say, 'bob', text)
        equal((e.code, e.data.get('param')), (-32602, 'text'), 'text of %d' % len(text))
    goes_on(alice)


@test('any Unicode comes back byte for byte: escaped NUL, astral, combining, never normalised')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    texts = ['\u0000', 'a\u0000b', '\u0001\u001f\u007f\u0080\u009f', '"\\/\b\f\n\r\t', '\U0001f469\u200d\U0001f469\u200d\U0001f466',
             'e\u0301 \u00e9', '\u1e9b\u0323', '\ufeff', '\ufffe\uffff', '\U0010ffff', '\ud7ff\ue000', '\u2028\u2029',
             '\u202eabc', ''.join(chr(c) for c in range(0x20, 0x800) if c not in (0x7f,))]
    for text in texts:
        alice.say('bob', text)
        equal(bob.message()['text'], text)
    # escapes and plain bytes of the same text are the same text
    alice.raw('{"jsonrpc":"2.0","id":"e","method":"message.send","params":{"to":"bob","client_id":"e",'
              '"text":"\\u0041\\ud83d\\ude00\\u00e9\\u0000\\/"}}')
    equal(bob.message()['text'], 'A\U0001f600\u00e9\u0000/')


@test('lone and wrongly paired surrogate escapes are -32602 bad_unicode')
def _():
    server = Server()
    alice = server.client('alice')
    for text in ('\\ud83d', '\\ude00', '\\ude00\\ud83d', '\\ud83dx', '\\ud83d\\ud83d', 'a\\udfff', '\\ud83d\\u0041',
                 '\\uD800\\n', '\\\\\\ud83d', '\\ud83d\\\\ude00'):
        e = error(alice, '{"jsonrpc":"2.0","id":1,"method":"message.send","params":'
                         '{"to":"bob","client_id":"c","text":"%s"}}' % text)
        equal(e[:2], (-32602, 'bad_unicode'), text)
    # an escaped backslash before the letter u is no escape
    alice.raw('{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"to":"bob","client_id":"ok","text":"\\\\ud83d"}}')
    equal(server.inbox('bob')[-1]['params']['message']['text'], '\\ud83d')
    goes_on(alice)


@test('invalid UTF-8 closes 1007 and only that connection')
def _():
    server = Server()
    alice, other = server.client('alice'), server.client('alice')
    alice.send_bytes(frame(TEXT, b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\xff"}}'))
    alice.expect_close(1007)
    goes_on(other)


@test('a binary message closes 1003, a bad frame 1002, a message above chat_message_max 1009')
def _():
    server = Server(ws='chat_message_max 64k;')
    beside = server.client('alice')
    for data, code in ((frame(BINARY, b'x'), 1003), (frame(3), 1002), (frame(TEXT, b'x', mask=None), 1002),
                       (frame(TEXT, b'x' * 65537), 1009), (frame(TEXT, b'', length=65537), 1009),
                       (frame(TEXT, b'x' * 60000, fin=False) + frame(CONTINUATION, b'x' * 6000), 1009)):
        c = server.client('alice')
        c.send_bytes(data)
        c.expect_close(code)
    c = server.client('alice')
    equal(c.raw(' ' * (65536 - len(call(5))) + call(5))['id'], 5, 'a message of exactly the maximum')
    goes_on(beside)


@test('over HTTP, invalid UTF-8, an empty body and a body that is too large are answered, and nginx goes on')
def _():
    server = Server(rpc='chat_message_max 64k;')
    status, _, text = server.post('alice', b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"\xff"}')
    assert status == 400 or json.loads(text)['error']['code'] == -32700, (status, text)
    status, _, text = server.post('alice', '')
    assert status == 400 or json.loads(text)['error']['code'] == -32700, (status, text)
    equal(server.post('alice', ' ' * 70000)[0], 413)
    assert server.rpc('alice', 'ping')


@test('over-long user ids, device ids and channel ids are refused')
def _():
    server = Server()
    alice = server.client('alice')
    for channel in ('', 'x' * 161, 'x' * 100000, 5, None, ['x']):
        equal(refused(alice.call, 'channel.get', {'channel': channel}).code in (-32602, 404), True)
    equal(refused(alice.call, 'channel.get', {'channel': 'x' * 160}).code, 404)
    equal(refusal(server, 'x' * 65).status, 401)
    equal(refusal(server, 'alice', device='x' * 65).status, 400)
    equal(refusal(server, 'alice', device='a/b').status, 400)
    server.client('x' * 64, device='y' * 64)
    goes_on(alice)


@test('a thousand strange requests in a row: each with an id is answered, in the end the connection lives')
def _():
    server = Server()
    alice, beside = server.client('alice', timeout=30), server.client('bob')
    methods = ['ping', 'message.send', 'message.get', 'message.history', 'inbox.sync', 'inbox.ack', 'channel.create',
               'channel.get', 'channel.list', 'channel.add', 'channel.remove', 'channel.leave', 'channel.update',
               'channel.role', 'channel.read', 'channel.hide', 'session.renew']
    values = ['0', '-1', '1e9', '""', '"bob"', '"d.alice~bob"', 'null', 'true', '[]', '{}', '["bob"]', '[1]', '{"a":{}}',
              '"' + 'x' * 500 + '"', '9007199254740993']
    names = ['to', 'channel', 'client_id', 'text', 'limit', 'after', 'before', 'around', 'message_id', 'inbox_id', 'users',
             'user', 'role', 'name', 'avatar', 'members', 'token', 'x']
    seed = 12345

    def pick(things):
        nonlocal seed
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        return things[(seed >> 8) % len(things)]
    for i in range(1000):
        chosen = {pick(names): pick(values) for _ in range(pick([0, 1, 2, 3, 4]))}
        alice.send('{"jsonrpc":"2.0","id":"s%d","method":"%s","params":{%s}}' % (
            i, pick(methods), ','.join('"%s":%s' % kv for kv in chosen.items())))
    answered = set()
    while len(answered) < 1000:
        m = json.loads(alice.recv())
        if 'id' in m and 'method' not in m:
            answered.add(m['id'])
            equal(m.get('error', {}).get('code') in (None, -32602, 403, 404, 409, 401), True, json.dumps(m)[:200])
    alice.send(call('last'))
    while json.loads(alice.recv()).get('id') != 'last':
        pass
    goes_on(beside)


main()
