"""Contacts: requests, friends, blocks, and who is told of them."""

import random

from chat import *

STATES = ('request', 'accept', 'decline', 'remove', 'block', 'unblock')


def contact(client, what, user, **more):
    return client.call('contact.' + what, dict(user=user, **more))['contact']


def contacts(client):
    answer = client.call('contact.list', {})
    equal((answer['more'], answer['next']), (False, None))
    return {c['user']: c['state'] for c in answer['contacts']}


def told(client, user):
    """The state in the next contact.updated, which is of this user."""
    event = client.event('contact.updated')
    equal(event['contact']['user'], user)
    return event['contact']['state']


@test('a request, its acceptance and the removal are seen on both sides, live and in sync')
def _():
    server = Server()
    alice, bob, tablet = server.client('alice'), server.client('bob'), server.client('alice', device='tablet')
    equal(contact(alice, 'request', 'bob'), {'user': 'bob', 'state': 'requested'})
    equal((told(alice, 'bob'), told(tablet, 'bob'), told(bob, 'alice')), ('requested', 'requested', 'incoming'))
    equal(contact(bob, 'accept', 'alice'), {'user': 'alice', 'state': 'friend'})
    equal((told(alice, 'bob'), told(bob, 'alice')), ('friend', 'friend'))
    equal((contacts(alice), contacts(bob)), ({'bob': 'friend'}, {'alice': 'friend'}))
    equal(contact(alice, 'remove', 'bob')['state'], 'none')
    equal((told(alice, 'bob'), told(bob, 'alice')), ('none', 'none'))
    equal((contacts(alice), contacts(bob)), ({}, {}))
    equal([(e['method'], e['params']['inbox_id'], e['params']['contact']) for e in server.inbox('bob')],
          [('contact.updated', i + 1, {'user': 'alice', 'state': s})
           for i, s in enumerate(('incoming', 'friend', 'none'))])
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('who was away reads what he missed, by after= as by inbox.sync')
def _():
    server = Server()
    alice = server.client('alice')
    contact(alice, 'request', 'bob')
    alice.say('bob', 'have a look')
    bob = server.client('bob', after=0)
    equal(told(bob, 'alice'), 'incoming')
    equal(bob.message()['text'], 'have a look')


@test('requests that cross each other make friends')
def _():
    server = Server()
    for i in range(20):
        a, b = server.client('a%d' % i), server.client('b%d' % i)
        one, two = a.request('contact.request', {'user': 'b%d' % i}), b.request('contact.request', {'user': 'a%d' % i})
        equal({a.reply(one)['contact']['state'], b.reply(two)['contact']['state']}, {'requested', 'friend'})
        equal((contacts(a), contacts(b)), ({'b%d' % i: 'friend'}, {'a%d' % i: 'friend'}))


@test('requests doubled and crossed in flight, with accepts, removals and blocks between them: both sides agree')
def _():
    seed = random.randrange(1 << 32)
    print('# seed %d' % seed)
    rng = random.Random(seed)
    server = Server()
    sides = {u: [server.client(u, device=d) for d in ('x', 'y')] for u in ('alice', 'bob')}
    other = {'alice': 'bob', 'bob': 'alice'}
    # what one may see, by what the other sees
    mirror = {'friend': 'friend', 'requested': 'incoming', 'incoming': 'requested', 'none': 'none'}
    for _ in range(15):
        due = []
        for _ in range(30):
            user = rng.choice(['alice', 'bob'])
            client = rng.choice(sides[user])
            what = rng.choice(STATES[:4] + ('request',) * 4 + STATES[4:])
            due.append((client, client.request('contact.' + what, {'user': other[user]})))
        for client, key in due:
            try:
                client.reply(key)
            except RpcError as e:
                assert e.reason in ('contact_not_found', 'contact_blocked'), e
        shown = {}
        for user in sides:
            listed = contacts(sides[user][0])
            equal(contacts(sides[user][1]), listed)
            if listed.get(other[user]) == 'blocked':
                sides[user][0].call('contact.unblock', {'user': other[user]})
        for user in sides:
            shown[user] = contacts(sides[user][0]).get(other[user], 'none')
            newest = sides[user][0].call('inbox.sync', {'after': 0})['inbox_id']
            for client in sides[user]:
                until(lambda: (client.drain(), client.last == newest)[1], 10)
            # the last event told to each device is what is listed
            last = [[e['params']['contact']['state'] for e in client.events if e['method'] == 'contact.updated'][-1:]
                    for client in sides[user]]
            assert all(l in ([], [shown[user]]) for l in last), (last, shown)
        equal(mirror[shown['alice']], shown['bob'], seed)
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('declining takes the request back on both sides; what is not there is 404')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    for what in ('accept', 'decline'):
        equal(refused(contact, bob, what, 'alice').reason, 'contact_not_found')
    contact(alice, 'request', 'bob')
    equal(refused(contact, alice, 'accept', 'bob').code, 404)
    equal(contact(bob, 'decline', 'alice')['state'], 'none')
    equal((contacts(alice), contacts(bob)), ({}, {}))
    equal(contact(bob, 'remove', 'alice')['state'], 'none')
    equal(contact(bob, 'unblock', 'alice')['state'], 'none')
    equal(len(server.inbox('bob')), 2)


@test('doubled requests change nothing and make no event')
def _():
    server = Server()
    alice = server.client('alice')
    for _ in range(3):
        equal(contact(alice, 'request', 'bob')['state'], 'requested')
    equal((len(server.inbox('alice')), len(server.inbox('bob'))), (1, 1))


@test('nobody is a contact of himself, and what is no user id is none')
def _():
    server = Server()
    alice = server.client('alice')
    for what in STATES:
        e = refused(contact, alice, what, 'alice')
        equal((e.code, e.reason), (-32602, 'oneself'))
        equal(refused(contact, alice, what, 'a/b').reason, 'bad_user')
        equal(refused(contact, alice, what, '').code, -32602)
        equal(refused(alice.call, 'contact.' + what, {}).reason, 'missing')
    equal(refused(alice.call, 'contact.list', {'after': 'x'}).reason, 'bad_cursor')


@test('the blocked one is refused direct messages and group additions, and is told nothing of the block')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'first')['channel']
    bob.say('alice', 'before')
    contact(alice, 'request', 'bob')
    contact(bob, 'accept', 'alice')
    before = len(server.inbox('bob'))
    equal(contact(alice, 'block', 'bob')['state'], 'blocked')
    equal(contacts(alice), {'bob': 'blocked'})
    equal((contacts(bob), len(server.inbox('bob'))), ({'alice': 'friend'}, before))
    calls = [('message.send', {'to': 'alice', 'client_id': 'x', 'text': 'x'}),
             ('message.send', {'channel': channel, 'client_id': 'x', 'text': 'x'}),
             ('channel.create', {'name': 'g', 'members': ['carol', 'alice']})]
    own = bob.call('channel.create', {'name': 'g', 'members': ['carol']})['channel']['channel']
    calls.append(('channel.add', {'channel': own, 'users': ['alice']}))
    calls += [('message.edit', {'channel': channel, 'message_id': 2, 'text': 'more'}),
              ('message.react', {'channel': channel, 'message_id': 1, 'emoji': '+'})]
    for method, params in calls:
        e = refused(bob.call, method, params)
        equal((e.code, e.reason), (403, 'blocked'), method)
    equal(bob.call('message.history', {'channel': channel})['messages'][-1]['text'], 'before')
    equal([e['method'] for e in server.inbox('alice')].count('message.edited'), 0)
    # the other way it is open, and he may take back what he said
    alice.call('message.react', {'channel': channel, 'message_id': 2, 'emoji': '+'})
    assert 'deleted_at' in bob.call('message.delete', {'channel': channel, 'message_id': 2})['message']
    contact(alice, 'unblock', 'bob')
    equal((contacts(alice), contacts(bob)), ({'bob': 'friend'}, {'alice': 'friend'}))
    bob.say('alice', 'after')
    server.stop()
    equal(server.check_store()[0], 0)


@test('nobody sees one type whom he blocks, nor one who blocks him, but inside groups')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'x')['channel']
    group = alice.call('channel.create', {'name': 'g', 'members': ['bob']})['channel']['channel']
    for who, other in ((alice, 'bob'), (bob, 'alice')):
        contact(who, 'block', other)
        for c in (alice, bob):
            equal(c.call('typing', {'channel': channel}), {})
            c.call('typing', {'channel': group})
        for c, user in ((alice, 'bob'), (bob, 'alice')):
            equal(c.event('typing'), {'channel': group, 'user': user})
            c.drain()
            assert not [e for e in c.events if e['method'] == 'typing'], c.events
        contact(who, 'unblock', other)
        time.sleep(2)
    alice.call('typing', {'channel': channel})
    equal(bob.event('typing'), {'channel': channel, 'user': 'alice'})


@test('blocks do not act on messages inside groups')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.call('channel.create', {'name': 'g', 'members': ['bob']})['channel']['channel']
    contact(alice, 'block', 'bob')
    bob.say(channel, 'still heard')
    equal(alice.message()['text'], 'still heard')


@test('a request to one who blocks is seen by him when the block is gone, and by the asker as any other')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    contact(alice, 'block', 'bob')
    equal(contact(bob, 'request', 'alice')['state'], 'requested')
    equal(contacts(alice), {'bob': 'blocked'})
    equal(refused(contact, alice, 'accept', 'bob').reason, 'contact_blocked')
    equal(refused(contact, alice, 'request', 'bob').reason, 'contact_blocked')
    equal(contact(alice, 'unblock', 'bob')['state'], 'incoming')
    contact(alice, 'accept', 'bob')
    equal(contacts(bob), {'alice': 'friend'})


@test('one client_id, one effect: a repeat after a removal does not ask again')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    contact(alice, 'request', 'bob', client_id='c1')
    contact(bob, 'decline', 'alice')
    equal(contact(alice, 'request', 'bob', client_id='c1')['state'], 'requested')
    equal((contacts(alice), contacts(bob)), ({}, {}))


@test('chat_unknown_users refuse: one who never connected is 404')
def _():
    server = Server(ws='chat_unknown_users refuse;', rpc='chat_unknown_users refuse;')
    alice = server.client('alice')
    for what in ('request', 'block'):
        equal(refused(contact, alice, what, 'nobody').reason, 'user_not_found')
    server.client('bob')
    equal(contact(alice, 'request', 'bob')['state'], 'requested')


@test('contacts, blocks and their events outlive a kill of every process')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    contact(alice, 'request', 'bob')
    contact(alice, 'block', 'eve')
    for name in ('chatd: store', 'chatd: worker 0', 'chatd: worker 1'):
        server.kill(name)
    server.wait_ready()
    equal(contacts(alice), {'bob': 'requested', 'eve': 'blocked'})
    contact(bob, 'accept', 'alice')
    eve = server.client('eve')
    equal(refused(eve.say, 'alice', 'hello').reason, 'blocked')
    equal([e['params']['contact']['state'] for e in server.inbox('alice')], ['requested', 'blocked', 'friend'])


@test('10,000 contacts are listed at once and page by page')
def _():
    server = Server()
    alice = server.client('alice')
    names = ['u%05d' % i for i in range(10000)]
    for at in range(0, len(names), 1000):
        keys = [alice.request('contact.request', {'user': u}) for u in names[at:at + 1000]]
        for key in keys:
            alice.reply(key)
    listed = contacts(alice)
    equal((len(listed), set(listed.values())), (10000, {'requested'}))
    seen, after = [], {}
    while True:
        page = alice.call('contact.list', dict(limit=3000, **after))
        seen += [c['user'] for c in page['contacts']]
        if not page['more']:
            break
        after = {'after': page['next']}
    equal(sorted(seen), names)
    server.stop()
    equal(server.check_store()[0], 0)


main()
