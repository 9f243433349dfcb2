"""Messages after they were sent: edit, delete, react; replies, mentions,
typing and mute."""

import time

from chat import *


def group(owner, *members):
    return owner.call('channel.create', {'name': 'friends', 'members': list(members)})['channel']['channel']


def history(client, channel):
    return client.call('message.history', {'channel': channel})['messages']


def at(channel, message_id=1, **more):
    return dict({'channel': channel, 'message_id': message_id}, **more)


def catch_up(client, inbox_id):
    while client.last < inbox_id:
        client.pump()


def texts(value):
    """Every text in what was answered."""
    return json.dumps(value, ensure_ascii=False)


@test('message.edit: the new text is in every answer, with edited_at, and everyone is told, the editor too')
def _():
    server = Server()
    alice, bob, third = server.client('alice'), server.client('bob'), server.client('alice', device='two')
    sent = alice.say('bob', 'helo', mentions=['bob'])
    channel = sent['channel']
    third.message(text='helo')
    message = alice.call('message.edit', at(channel, text='hello'))['message']
    equal((message['text'], message['sender'], message['sent_at'], message['mentions']),
          ('hello', 'alice', sent['sent_at'], ['bob']))
    assert message['edited_at'] >= message['sent_at'], message
    for c in (alice, bob, third):
        event = c.event('message.edited')
        equal((event['inbox_id'], event['message']), (2, message))
    equal(history(bob, channel), [message])
    equal(bob.call('message.get', at(channel)), {'message': message})
    equal(bob.call('channel.list')['channels'][0]['last_message'], message)


@test('an inbox event returns the bytes it was pushed with, whatever was edited since')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'one')['channel']
    bob.call('message.react', at(channel, emoji='\U0001f44d'))
    alice.call('message.edit', at(channel, text='two'))
    alice.call('message.edit', at(channel, text='three'))
    alice.call('message.react', at(channel, emoji='\U0001f44d'))
    catch_up(bob, 5)
    pushed = [dict(method=m['method'], params=m['params']) for m in bob.seen if m.get('params', {}).get('inbox_id')]
    equal([p['method'] for p in pushed], ['message.new', 'message.reacted', 'message.edited', 'message.edited',
                                          'message.reacted'])
    equal([p['params']['message']['text'] for p in pushed if 'message' in p['params']], ['one', 'two', 'three'])
    equal(server.inbox('bob'), pushed)
    again = server.client('bob', after=0)
    catch_up(again, 5)
    equal([dict(method=m['method'], params=m['params']) for m in again.seen], pushed)


@test('a deleted message is shown without its text in every answer at once, and leaves the disk')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    word, edited = 'secret-' + os.urandom(8).hex(), 'secret-' + os.urandom(8).hex()
    channel = alice.say('bob', word)['channel']
    alice.call('message.edit', at(channel, text=edited, client_id='e'))
    bob.call('message.react', at(channel, emoji='+'))
    kept = alice.say('bob', 'kept')
    message = alice.call('message.delete', at(channel))['message']
    assert message['deleted_at'] >= message['sent_at'] and message['sender'] == 'alice', message
    for member in ('text', 'content', 'media', 'reactions'):
        assert member not in message, message
    for c in (alice, bob):
        equal(c.event('message.deleted')['message'], message)
    answers = [history(bob, channel), bob.call('message.get', at(channel)), server.inbox('bob'), server.inbox('alice'),
               alice.call('message.edit', at(channel, text=edited, client_id='e'))]
    assert 'secret' not in texts(answers), answers
    equal(answers[1]['message'], message)
    equal([e['params']['message'] for e in answers[2] if e['method'] in ('message.new', 'message.edited')][:2],
          [message] * 2)
    equal([m['message_id'] for m in answers[0]], [1, kept['message_id']])

    again = server.client('bob', after=0)
    catch_up(again, 5)
    assert 'secret' not in texts(again.seen)

    def on_disk():
        found = []
        for name in os.listdir(server.store):
            try:
                with open(os.path.join(server.store, name), 'rb') as f:
                    data = f.read()
            except FileNotFoundError:
                continue
            found += [w for w in (word, edited) if w.encode() in data]
        return found
    until(lambda: not on_disk(), 40 * SLOW, 'the text to leave the disk', every=0.2)
    server.stop()
    equal(server.check_store()[0], 0)


@test('who may: the sender edits and deletes, owner and admins delete; 403, 404 and 410 tell the others')
def _():
    server = Server()
    alice, bob, carol, eve = (server.client(u) for u in ('alice', 'bob', 'carol', 'eve'))
    channel = group(alice, 'bob', 'carol')
    for n in range(4):
        bob.say(channel, 'm%d' % n)
    alice.call('channel.role', {'channel': channel, 'user': 'carol', 'role': 'admin'})
    for c in (alice, carol):
        e = refused(c.call, 'message.edit', at(channel, text='x'))
        equal((e.code, e.reason), (403, 'not_allowed'))
    alice.say(channel, 'of alice')
    equal(refused(bob.call, 'message.delete', at(channel, 5)).code, 403)
    for message_id, c in ((1, alice), (2, carol), (3, bob)):
        assert 'deleted_at' in c.call('message.delete', at(channel, message_id))['message']
        assert 'deleted_at' in bob.call('message.delete', at(channel, message_id))['message'], 'twice is as once'
        for method, params in (('message.edit', {'text': 'x'}), ('message.react', {'emoji': '+'})):
            e = refused(bob.call, method, at(channel, message_id, **params))
            equal((e.code, e.reason), (410, 'message_deleted'))
    equal(len([e for e in server.inbox('bob') if e['method'] == 'message.deleted']), 3)
    for method, params in (('message.edit', {'text': 'x'}), ('message.delete', {}), ('message.react', {'emoji': '+'})):
        e = refused(bob.call, method, at(channel, 99, **params))
        equal((e.code, e.reason), (404, 'message_not_found'))
        error = refused(eve.call, method, at(channel, **params)).error
        nowhere = refused(eve.call, method, at('g.' + '0' * 16, **params)).error
        equal((error['code'], error), (404, nowhere))
    direct = alice.say('bob', 'mine')['channel']
    equal(refused(bob.call, 'message.delete', at(direct)).code, 403)


@test('message.react: one a user and emoji, taken back with remove, told with an inbox id, at most 20 different')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'hi')['channel']
    message = bob.call('message.react', at(channel, emoji='\U0001f44d'))['message']
    equal(message['reactions'], [{'emoji': '\U0001f44d', 'users': ['bob']}])
    want = {'inbox_id': 2, 'channel': channel, 'message_id': 1, 'user': 'bob', 'emoji': '\U0001f44d', 'removed': False}
    equal(bob.event('message.reacted'), want)
    equal(alice.event('message.reacted'), want)
    bob.call('message.react', at(channel, emoji='\U0001f44d'))
    alice.call('message.react', at(channel, emoji='\U0001f44d'))
    equal(history(bob, channel)[0]['reactions'], [{'emoji': '\U0001f44d', 'users': ['bob', 'alice']}])
    bob.call('message.react', at(channel, emoji='\U0001f44d', remove=True))
    bob.call('message.react', at(channel, emoji='\U0001f44d', remove=True))
    equal(bob.event('message.reacted', removed=True)['user'], 'bob')
    equal(len([e for e in server.inbox('alice') if e['method'] == 'message.reacted']), 3)
    for n in range(19):
        alice.call('message.react', at(channel, emoji='e%d' % n))
    e = refused(alice.call, 'message.react', at(channel, emoji='one more'))
    equal((e.code, e.reason), (409, 'too_many_reactions'))
    for emoji in ('', 'x' * 33, '\U0001f44d' * 9, 5, None):
        equal(refused(alice.call, 'message.react', at(channel, emoji=emoji)).code, -32602)
    equal(refused(alice.call, 'message.react', at(channel, emoji='+', remove='yes')).code, -32602)
    assert 'emoji":"\\ud' not in texts(history(bob, channel))


@test('every change is done once per client_id, also when it is pipelined, over HTTP, or the store is killed')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'one')['channel']
    keys = [alice.request('message.edit', at(channel, text='two', client_id='e')) for _ in range(5)]
    first = alice.reply(keys[0])
    for key in keys[1:]:
        equal(alice.reply(key), first)
    equal(server.rpc('alice', 'message.edit', at(channel, text='other', client_id='e')), first)
    server.kill('chatd: store')
    equal(alice.call('message.edit', at(channel, text='two', client_id='e'), timeout=30), first)
    pending = [alice.request('message.react', at(channel, emoji='e%d' % n)) for n in range(10)]
    server.kill('chatd: store')
    for key in pending:
        alice.reply(key, timeout=30)
    equal(len(history(bob, channel)[0]['reactions']), 10)
    events = [e['method'] for e in server.inbox('bob')]
    equal((events.count('message.edited'), events.count('message.reacted')), (1, 10))


@test('changes take effect in the order sent, among sends, before any of them was answered')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'start')['channel']
    keys = []
    for n in range(2, 40):
        keys.append(alice.request('message.send', {'channel': channel, 'client_id': 's%d' % n, 'text': 'first'}))
        keys.append(alice.request('message.edit', at(channel, n, text='second')))
        keys.append(alice.request('message.edit', at(channel, n, text='third')))
        keys.append(alice.request('message.react', at(channel, n, emoji='+')))
    for key in keys:
        alice.reply(key)
    equal([(m['text'], len(m['reactions'])) for m in history(bob, channel)[1:]], [('third', 1)] * 38)
    catch_up(bob, 1 + 4 * 38)
    alice.drain()
    equal(alice.last, bob.last)


@test('edits are checked like sends: 100,000 characters of any Unicode, byte for byte')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'x')['channel']
    for text in ('\U0001f600' * 100000, 'a\u0000"\\\b\u2028', '\u0301'):
        equal(alice.call('message.edit', at(channel, text=text))['message']['text'], text)
        equal(bob.event('message.edited')['message']['text'], text)
        equal(history(bob, channel)[0]['text'], text)
    for text in ('', 'x' * 100001, 5, None):
        equal(refused(alice.call, 'message.edit', at(channel, text=text)).code, -32602)
    e = alice.raw('{"jsonrpc":"2.0","id":"u","method":"message.edit","params":{"channel":"%s","message_id":1,'
                  '"text":"\\ud800"}}' % channel)
    equal(e['error']['data']['reason'], 'bad_unicode')


@test('reply_to names a message of the channel, mentions at most 100 users; both come with the message')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    e = refused(alice.say, 'bob', 'to nothing', client_id='r', reply_to=1)
    equal((e.code, e.reason), (404, 'message_not_found'))
    channel = alice.say('bob', 'one', client_id='r')['channel']
    bob.say('alice', 'two', reply_to=1, mentions=['alice', 'somebody.else'])
    message = alice.message(text='two')
    equal((message['reply_to'], message['mentions']), (1, ['alice', 'somebody.else']))
    equal(history(bob, channel)[1], message)
    equal(refused(alice.say, channel, 'x', reply_to=3).code, 404)
    alice.say('bob', 'many', mentions=['u%d' % n for n in range(100)])
    for bad in (['u'] * 101, ['a b'], [5], 'bob', {}):
        equal(refused(alice.say, 'bob', 'x', mentions=bad).code, -32602, repr(bad)[:40])
    for bad in (0, -1, 1.5, '1', 2 ** 53):
        equal(refused(alice.say, 'bob', 'x', reply_to=bad).code, -32602, repr(bad))


@test('typing goes live to the other members, at most one every two seconds, and is kept nowhere')
def _():
    server = Server()
    alice, bob, eve = (server.client(u) for u in ('alice', 'bob', 'eve'))
    channel = group(alice, 'bob')
    start = time.monotonic()
    for _ in range(5):
        bob.notify('typing', {'channel': channel})
    eve.notify('typing', {'channel': channel})
    eve.notify('typing', {'channel': 'g.' + '0' * 16})
    eve.call('ping')
    told = []

    def again():
        bob.notify('typing', {'channel': channel})
        alice.drain()
        told[:] = [e['params'] for e in alice.events if e['method'] == 'typing']
        return len(told) >= 3
    until(again, 20 * SLOW, 'typing to be told again', every=0.05)
    took = time.monotonic() - start
    assert len(told) <= 1 + took / 1.9, 'told %d times in %.1f s' % (len(told), took)
    equal(told, [{'channel': channel, 'user': 'bob'}] * len(told))
    bob.drain()
    equal([m for m in bob.seen + eve.seen if m.get('method') == 'typing'], [])
    equal([e['method'] for e in server.inbox('alice')], ['channel.updated'])


@test('channel.mute is one\'s own: until a time, null without end, 0 not at all; kept through a restart')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'hi')['channel']

    def muted(client):
        got = client.call('channel.get', {'channel': channel})['channel']
        listed = client.call('channel.list')['channels'][0]
        equal(got['muted_until'], listed['muted_until'])
        return got['muted_until']
    equal((muted(alice), muted(bob)), (0, 0))
    for until_ms in (1900000000000, None, 0, 1900000000001):
        equal(alice.call('channel.mute', {'channel': channel, 'until': until_ms})['channel']['muted_until'], until_ms)
        equal((muted(alice), muted(bob)), (until_ms, 0))
    server.kill('chatd: store')
    equal((muted(alice), muted(bob)), (1900000000001, 0))
    for bad in (-1, 1.5, 'x', 2 ** 53, True):
        equal(refused(alice.call, 'channel.mute', {'channel': channel, 'until': bad}).code, -32602, repr(bad))
    equal(refused(alice.call, 'channel.mute', {'channel': channel}).code, -32602)
    equal(refused(alice.call, 'channel.mute', {'channel': 'g.' + '0' * 16, 'until': 0}).code, 404)


main()
