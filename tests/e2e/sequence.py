"""The one cursor: inbox ids on every connection, transport and device.

Client itself fails a test when the sequence of a connection has a gap.
"""

from chat import *


@test('session.ready comes first and tells user, device, session, newest inbox id, time, heartbeat and limits')
def _():
    server = Server()
    ready = server.client('alice', device='web-1').ready
    equal(ready['user'], 'alice')
    equal(ready['device'], 'web-1')
    equal(ready['inbox_id'], 0)
    assert isinstance(ready['session'], str) and ready['session']
    assert abs(ready['server_time'] / 1000 - time.time()) < 60
    assert ready['heartbeat'] > 0
    equal(ready['limits']['text_chars'], 100000)


@test('the result of a send stands in the sequence and its message does not come again there')
def _():
    server = Server()
    alice = server.client('alice')
    for i in range(20):
        equal(alice.say('bob', 'm%d' % i)['inbox_id'], i + 1)
    alice.call('ping')
    equal([e['method'] for e in alice.events], [])


@test('two clients that talk at once: both sequences are gapless and agree on the order of the channel')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'first')['channel']
    keys = [(c, c.request('message.send', {'channel': channel, 'client_id': '%s%d' % (c.user, i), 'text': str(i)}))
            for i in range(100) for c in (alice, bob)]
    for c, key in keys:
        c.reply(key)
    for c in (alice, bob):
        until(lambda: c.last == 201 or c.pump(), 10 * SLOW)
    history = alice.call('message.history', {'channel': channel, 'limit': 200})['messages']
    equal([m['message_id'] for m in history], list(range(2, 202)))
    equal(server.inbox('alice'), server.inbox('bob'), 'inboxes of a direct channel')


@test('every other device of the sender gets the message as message.new')
def _():
    server = Server()
    phone, web = server.client('alice', device='phone'), server.client('alice', device='web')
    sent = phone.say('bob', 'from the phone')
    got = web.event('message.new')
    equal(got['inbox_id'], sent['inbox_id'])
    equal(got['message']['text'], 'from the phone')
    equal(got['message']['message_id'], sent['message_id'])


@test('two live connections of one device both get everything')
def _():
    server = Server()
    one, two = server.client('alice', device='d'), server.client('alice', device='d')
    server.client('bob').say('alice', 'hi')
    equal(one.message()['text'], 'hi')
    equal(two.message()['text'], 'hi')


@test('a send without an id, in a batch, or over HTTP comes as message.new to all connections of the sender')
def _():
    server = Server()
    alice = server.client('alice')
    alice.notify('message.send', {'to': 'bob', 'client_id': 'n', 'text': 'no id'})
    equal(alice.message()['text'], 'no id')
    result = alice.raw(json.dumps([{'jsonrpc': '2.0', 'id': 'b', 'method': 'message.send',
                                    'params': {'to': 'bob', 'client_id': 'b', 'text': 'batch'}}]))
    equal(result[0]['result']['inbox_id'], 2)
    equal(alice.message()['text'], 'batch')
    equal(server.rpc('alice', 'message.send', {'to': 'bob', 'client_id': 'h', 'text': 'http'})['inbox_id'], 3)
    equal(alice.message()['text'], 'http')
    equal(alice.last, 3)


@test('after=0 streams everything from the beginning and goes on live')
def _():
    server = Server()
    alice = server.client('alice')
    for i in range(120):
        alice.say('bob', 'm%d' % i)
    bob = server.client('bob', after=0)
    equal([bob.message()['text'] for _ in range(120)], ['m%d' % i for i in range(120)])
    alice.say('bob', 'live')
    equal(bob.message()['text'], 'live')


@test('without after the stream is live only')
def _():
    server = Server()
    alice = server.client('alice')
    alice.say('bob', 'before')
    bob = server.client('bob')
    equal(bob.ready['inbox_id'], 1)
    alice.say('bob', 'after')
    equal(bob.message()['text'], 'after')


@test('after above the newest: session.ready tells the true one and the stream goes on live')
def _():
    server = Server()
    alice = server.client('alice')
    alice.say('bob', 'one')
    bob = server.client('bob', after=500)
    equal(bob.ready['inbox_id'], 1)
    alice.say('bob', 'two')
    equal(bob.event('message.new')['inbox_id'], 2)


@test('after that is no integer from 0 to 2^53-1 is refused with 400')
def _():
    server = Server()
    for after in ('-1', '1.5', 'x', '', '9007199254740992', '99999999999999999999', '1e3', ' 1'):
        equal(refusal(server, 'alice', after=after).status, 400, 'after=%r' % after)
    server.client('alice', after=9007199254740991)


@test('inbox.sync pages through the same events that were pushed, and 409 cursor_ahead beyond them')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    for i in range(25):
        alice.say('bob', 'm%d' % i)
    pushed = []
    while len(pushed) < 25:
        e = bob.pump()
        pushed.append({'method': e['method'], 'params': e['params']})
    got, after, pages = [], 0, 0
    while True:
        page = bob.call('inbox.sync', {'after': after, 'limit': 10})
        got += page['events']
        pages += 1
        equal(page['inbox_id'], 25)
        if not page['more']:
            break
        after = page['events'][-1]['params']['inbox_id']
    equal(pages, 3)
    equal(got, pushed, 'synced events')
    equal(bob.call('inbox.sync', {'after': 25}), {'events': [], 'more': False, 'inbox_id': 25})
    e = refused(bob.call, 'inbox.sync', {'after': 26})
    equal((e.code, e.reason), (409, 'cursor_ahead'))


@test('a page of inbox.sync ends past 1 MiB and says more')
def _():
    server = Server()
    alice = server.client('alice')
    for i in range(15):
        alice.say('bob', 'x' * 99000)
    page = server.rpc('bob', 'inbox.sync', {'after': 0, 'limit': 1000})
    assert page['more'] and 10 <= len(page['events']) <= 12, len(page['events'])
    equal(len(server.inbox('bob')), 15)


@test('a reconnect in the middle of a stream of messages misses nothing and doubles nothing')
def _():
    server = Server()
    alice = server.client('alice')
    keys, bob, got = [], server.client('bob', after=0), []
    for i in range(400):
        keys.append(alice.request('message.send', {'to': 'bob', 'client_id': 'c%d' % i, 'text': str(i)}))
        if i % 40 == 39:
            while len(got) < i - 20:
                got.append(bob.message()['text'])
            bob.abort()
            last = int(got[-1]) + 1
            bob = server.client('bob', after=last)
    for key in keys:
        alice.reply(key)
    while len(got) < 400:
        got.append(bob.message()['text'])
    equal(got, [str(i) for i in range(400)])


@test('inbox.ack: beyond the newest is -32602, lower than before is ignored, and it outlives the connection')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob', device='phone')
    channel = alice.say('bob', 'one')['channel']
    alice.say('bob', 'two')
    equal(bob.call('inbox.ack', {'inbox_id': 2}), {})
    equal(bob.call('inbox.ack', {'inbox_id': 1}), {})
    equal(refused(bob.call, 'inbox.ack', {'inbox_id': 3}).code, -32602)
    receipt = alice.event('receipt', user='bob', delivered=2)
    equal(receipt['channel'], channel)
    members = alice.call('channel.get', {'channel': channel})['channel']['members']
    equal({m['user']: m['delivered'] for m in members}['bob'], 2)


@test('a message to oneself is one channel with one member and one inbox entry')
def _():
    server = Server()
    alice, other = server.client('alice'), server.client('alice')
    sent = alice.say('alice', 'note')
    equal(sent['inbox_id'], 1)
    equal(other.message()['text'], 'note')
    equal(alice.say('alice', 'again')['channel'], sent['channel'])
    equal(len(server.inbox('alice')), 2)


@test('a direct channel is one channel by whomever it is opened')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    one = alice.say('bob', 'hi')
    two = bob.say('alice', 'hi')
    equal(one['channel'], two['channel'])
    equal(two['message_id'], 2)


@test('sent_at never goes back inside a channel')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    times = [c.say(o, 'x')['sent_at'] for _ in range(50) for c, o in ((alice, 'bob'), (bob, 'alice'))]
    equal(times, sorted(times))


main()
