"""One client_id, one effect: repeats, conflicts, races, and what survives."""

from chat import *


def send(client_id, text='hi', **more):
    return dict({'to': 'bob', 'client_id': client_id, 'text': text}, **more)


@test('a repeated client_id returns the first result with duplicate: true and changes nothing')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    first = alice.call('message.send', send('same'))
    again = alice.call('message.send', send('same'))
    equal(again, dict(first, duplicate=True))
    equal(alice.call('message.send', send('same', 'another text')), again, 'conflicting text')
    equal(alice.call('message.send', dict(send('same'), to='carol')), again, 'conflicting target')
    alice.say('bob', 'end')
    equal([bob.message()['text'], bob.message()['text']], ['hi', 'end'])
    equal(len(server.inbox('carol')), 0)


@test('a repeat over another connection, device or transport is a repeat all the same')
def _():
    server = Server()
    first = server.client('alice', device='a').call('message.send', send('same'))
    want = dict(first, duplicate=True)
    equal(server.client('alice', device='b').call('message.send', send('same')), want)
    equal(server.rpc('alice', 'message.send', send('same')), want)
    equal(len(server.inbox('bob')), 1)


@test('a repeat while the first is in flight waits for it: one effect, one duplicate')
def _():
    server = Server()
    one, two, bob = server.client('alice'), server.client('alice'), server.client('bob')
    for i in range(50):
        a = one.request('message.send', send('race%d' % i))
        b = two.request('message.send', send('race%d' % i))
        c = one.request('message.send', send('race%d' % i))
        results = [one.reply(a), two.reply(b), one.reply(c)]
        equal(sorted(bool(r.get('duplicate')) for r in results), [False, True, True])
        equal(len({r['message_id'] for r in results}), 1)
    alice = server.inbox('alice')
    equal(len(alice), 50)
    equal(len(server.inbox('bob')), 50)


@test('the same client_id of two users is two messages')
def _():
    server = Server()
    server.client('alice').call('message.send', send('x'))
    server.client('carol').call('message.send', send('x'))
    equal(len(server.inbox('bob')), 2)


@test('a refused request leaves its client_id free')
def _():
    server = Server()
    alice = server.client('alice')
    equal(refused(alice.call, 'message.send', {'channel': 'g.nowhere', 'client_id': 'c', 'text': 'x'}).code, 404)
    assert 'duplicate' not in alice.call('message.send', send('c'))


@test('a client_id holds across a restart of everything')
def _():
    server = Server()
    first = server.client('alice').call('message.send', send('keep'))
    server.stop()
    server.start()
    equal(server.client('alice').call('message.send', send('keep')), dict(first, duplicate=True))
    equal(len(server.inbox('bob')), 1)


@test('client_id on channel methods: a group is made once, members added once')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    made = alice.call('channel.create', {'name': 'g', 'members': ['bob'], 'client_id': 'make'})
    equal(alice.call('channel.create', {'name': 'g', 'members': ['bob'], 'client_id': 'make'}), made)
    channel = made['channel']['channel']
    added = alice.call('channel.add', {'channel': channel, 'users': ['carol'], 'client_id': 'add'})
    alice.call('channel.remove', {'channel': channel, 'users': ['carol'], 'client_id': 'remove'})
    equal(alice.call('channel.add', {'channel': channel, 'users': ['carol'], 'client_id': 'add'}), added)
    members = alice.call('channel.get', {'channel': channel})['channel']['members']
    equal(sorted(m['user'] for m in members), ['alice', 'bob'])
    equal(len(alice.call('channel.list', {})['channels']), 1)


@test('a client_id of 64 bytes is taken, of 65, none, or of another type is -32602')
def _():
    server = Server()
    alice = server.client('alice')
    alice.call('message.send', send('x' * 64))
    for bad in ('x' * 65, '', 5, None, ['a'], 'ä' * 33):
        equal(refused(alice.call, 'message.send', send(bad)).code, -32602, 'client_id %r' % (bad,))
    equal(refused(alice.call, 'message.send', {'to': 'bob', 'text': 'x'}).code, -32602)


main()
