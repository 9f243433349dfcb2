"""Groups: members, roles, markers, receipts, the list."""

from chat import *


def group(owner, *members, name='friends'):
    return owner.call('channel.create', {'name': name, 'members': list(members)})['channel']['channel']


def members(client, channel):
    return {m['user']: m for m in client.call('channel.get', {'channel': channel})['channel']['members']}


def roles(client, channel):
    return {user: m['role'] for user, m in members(client, channel).items()}


@test('creating a group makes the creator owner and tells every member with one channel.updated')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    made = alice.call('channel.create', {'name': 'friends', 'members': ['bob', 'carol'], 'avatar': 'a.png'})['channel']
    equal((made['kind'], made['name'], made['avatar']), ('group', 'friends', 'a.png'))
    equal(roles(alice, made['channel']), {'alice': 'owner', 'bob': 'member', 'carol': 'member'})
    for c in (alice, bob):
        event = c.event('channel.updated')
        equal((event['inbox_id'], event['channel']['channel']), (1, made['channel']))
    equal(len(server.inbox('carol')), 1)


@test('a message to a group goes to every member once, the sender included')
def _():
    server = Server()
    clients = [server.client(u) for u in ('alice', 'bob', 'carol', 'dave')]
    channel = group(clients[0], 'bob', 'carol', 'dave')
    clients[1].say(channel, 'hello all')
    for c in clients[:1] + clients[2:]:
        equal(c.message()['text'], 'hello all')
    for u in ('alice', 'bob', 'carol', 'dave'):
        equal([e['method'] for e in server.inbox(u)], ['channel.updated', 'message.new'])


@test('adding: a new member sees the whole history, and his read marker starts at the newest')
def _():
    server = Server()
    alice, carol = server.client('alice'), server.client('carol')
    channel = group(alice, 'bob')
    for i in range(3):
        alice.say(channel, 'm%d' % i)
    alice.call('channel.add', {'channel': channel, 'users': ['carol']})
    equal(carol.event('channel.updated')['channel']['channel'], channel)
    equal([m['text'] for m in carol.call('message.history', {'channel': channel})['messages']], ['m0', 'm1', 'm2'])
    own = [c for c in carol.call('channel.list', {})['channels'] if c['channel'] == channel][0]
    equal((own['unread'], own['read']), (0, 3))


@test('adding a present member and removing an absent one changes nothing and makes no event')
def _():
    server = Server()
    alice = server.client('alice')
    channel = group(alice, 'bob')
    alice.event('channel.updated')
    alice.call('channel.add', {'channel': channel, 'users': ['bob', 'alice']})
    alice.call('channel.remove', {'channel': channel, 'users': ['zoe']})
    equal(len(server.inbox('alice')), 1)
    equal(len(server.inbox('bob')), 1)


@test('a removed member gets a last event, keeps his old ones, and is answered 404 from then on')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = group(alice, 'bob', 'carol')
    alice.say(channel, 'before')
    alice.call('channel.remove', {'channel': channel, 'users': ['bob']})
    last = bob.event('channel.updated', removed=True)
    equal(last['channel'], {'channel': channel, 'kind': 'group'})
    alice.say(channel, 'after')
    equal([e['method'] for e in server.inbox('bob')], ['channel.updated', 'message.new', 'channel.updated'])
    calls = [('message.send', {'channel': channel, 'client_id': 'x', 'text': 'x'}),
             ('message.history', {'channel': channel}), ('message.get', {'channel': channel, 'message_id': 1}),
             ('channel.get', {'channel': channel}), ('channel.add', {'channel': channel, 'users': ['dave']}),
             ('channel.remove', {'channel': channel, 'users': ['carol']}), ('channel.leave', {'channel': channel}),
             ('channel.update', {'channel': channel, 'name': 'x'}), ('channel.hide', {'channel': channel}),
             ('channel.role', {'channel': channel, 'user': 'carol', 'role': 'admin'}),
             ('channel.read', {'channel': channel, 'message_id': 1})]
    for method, params in calls:
        mine = refused(bob.call, method, params).error
        params = dict(params, channel='g.' + '0' * 16)
        nowhere = refused(bob.call, method, params).error
        equal((mine['code'], mine), (404, nowhere), method + ': like a channel that is not there')


@test('a removed member\'s send that races his removal is stored or 404, the same for all')
def _():
    server = Server()
    alice, bob, carol = (server.client(u) for u in ('alice', 'bob', 'carol'))
    for i in range(20):
        channel = group(alice, 'bob', 'carol')
        remove = alice.request('channel.remove', {'channel': channel, 'users': ['bob']})
        send = bob.request('message.send', {'channel': channel, 'client_id': 'r%d' % i, 'text': 'racing'})
        alice.reply(remove)
        try:
            stored = bob.reply(send)['message_id']
        except RpcError as e:
            equal(e.code, 404)
            stored = 0
        history = carol.call('message.history', {'channel': channel})['messages']
        equal([m['message_id'] for m in history], [1] if stored else [])
        order = [e['method'] for e in server.inbox('bob') if e['params'].get('channel', {}).get('channel') == channel
                 or e['params'].get('message', {}).get('channel') == channel]
        equal(order, ['channel.updated'] + ['message.new'] * (1 if stored else 0) + ['channel.updated'])


@test('a group holds 100 members: 101 are refused, and of two who would be 100th and 101st only one gets in')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    names = ['bob'] + ['u%d' % i for i in range(98)]
    e = refused(alice.call, 'channel.create', {'name': 'g', 'members': names + ['x', 'y']})
    equal(e.code in (409, -32602), True, 'code %d' % e.code)
    channel = alice.call('channel.create', {'name': 'g', 'members': names[:97]})['channel']['channel']
    alice.call('channel.role', {'channel': channel, 'user': 'bob', 'role': 'admin'})
    alice.call('channel.add', {'channel': channel, 'users': ['last-but-one']})
    one = alice.request('channel.add', {'channel': channel, 'users': ['a100']})
    two = bob.request('channel.add', {'channel': channel, 'users': ['b100']})
    codes = []
    for client, key in ((alice, one), (bob, two)):
        try:
            client.reply(key)
            codes.append(0)
        except RpcError as e:
            equal(e.reason, 'group_full')
            codes.append(e.code)
    equal(sorted(codes), [0, 409])
    equal(len(members(alice, channel)), 100)
    equal(refused(alice.call, 'channel.add', {'channel': channel, 'users': ['one-more']}).code, 409)


@test('a message to a group of 100 reaches all of them')
def _():
    server = Server()
    alice = server.client('alice')
    channel = group(alice, *['u%d' % i for i in range(99)])
    watchers = [server.client('u%d' % i) for i in range(0, 99, 10)]
    alice.say(channel, 'to all')
    for w in watchers:
        equal(w.message()['text'], 'to all')
    for i in (1, 55, 98):
        equal(server.inbox('u%d' % i)[-1]['params']['message']['text'], 'to all')


@test('owner and admins manage; members may not; an admin removes members only; only an owner gives roles')
def _():
    server = Server()
    alice, bob, carol = (server.client(u) for u in ('alice', 'bob', 'carol'))
    channel = group(alice, 'bob', 'carol', 'dave')
    alice.call('channel.role', {'channel': channel, 'user': 'bob', 'role': 'admin'})
    for method, params in (('channel.add', {'users': ['eve']}), ('channel.remove', {'users': ['dave']}),
                           ('channel.update', {'name': 'x'}), ('channel.role', {'user': 'carol', 'role': 'admin'})):
        e = refused(carol.call, method, dict(params, channel=channel))
        equal((e.code, e.reason), (403, 'not_allowed'), 'member: ' + method)
    bob.call('channel.add', {'channel': channel, 'users': ['eve']})
    bob.call('channel.update', {'channel': channel, 'name': 'renamed'})
    bob.call('channel.remove', {'channel': channel, 'users': ['eve']})
    equal(refused(bob.call, 'channel.remove', {'channel': channel, 'users': ['alice']}).code, 403)
    equal(refused(bob.call, 'channel.role', {'channel': channel, 'user': 'carol', 'role': 'admin'}).code, 403)
    equal(refused(alice.call, 'channel.role', {'channel': channel, 'user': 'zoe', 'role': 'admin'}).code, 404)
    equal(alice.call('channel.get', {'channel': channel})['channel']['name'], 'renamed')


@test('when the last owner leaves, the oldest admin becomes owner, else the oldest member')
def _():
    server = Server()
    alice, bob, carol = (server.client(u) for u in ('alice', 'bob', 'carol'))
    one = group(alice, 'bob', 'carol')
    alice.call('channel.role', {'channel': one, 'user': 'carol', 'role': 'admin'})
    alice.call('channel.leave', {'channel': one})
    equal(roles(bob, one), {'bob': 'member', 'carol': 'owner'})
    carol.call('channel.leave', {'channel': one})
    equal(roles(bob, one), {'bob': 'owner'})
    equal(refused(alice.call, 'channel.get', {'channel': one}).code, 404)


@test('a direct channel has no roles and no members to manage: 403 not_a_group')
def _():
    server = Server()
    alice = server.client('alice')
    channel = alice.say('bob', 'hi')['channel']
    for method, params in (('channel.add', {'users': ['eve']}), ('channel.remove', {'users': ['bob']}),
                           ('channel.update', {'name': 'x'}), ('channel.role', {'user': 'bob', 'role': 'admin'}),
                           ('channel.leave', {})):
        e = refused(alice.call, method, dict(params, channel=channel))
        equal((e.code, e.reason), (403, 'not_a_group'), method)


@test('channel.read: the marker never goes back, beyond the newest is -32602, and the sender gets a receipt')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = [alice.say('bob', 'm%d' % i) for i in range(5)][0]['channel']

    def own(client):
        return [c for c in client.call('channel.list', {})['channels'] if c['channel'] == channel][0]
    equal((own(bob)['unread'], own(alice)['unread']), (5, 0))
    equal(bob.call('channel.read', {'channel': channel, 'message_id': 3}), {})
    equal(bob.call('channel.read', {'channel': channel, 'message_id': 1}), {})
    equal((own(bob)['unread'], own(bob)['read']), (2, 3))
    equal(refused(bob.call, 'channel.read', {'channel': channel, 'message_id': 6}).code, -32602)
    receipt = alice.event('receipt', user='bob', read=3)
    equal(receipt['channel'], channel)
    equal(members(alice, channel)['bob']['read'], 3)
    bob.say('alice', 'sending reads too')
    equal(own(bob)['unread'], 0)


@test('one\'s own last message is read, also when the store is killed before a marker is on the disk')
def _():
    server = Server()
    alice = server.client('alice')
    for n in range(1, 5):
        channel = alice.say('bob', 'm%d' % n)['channel']
        server.kill('chatd: store')
        own = until(lambda: server.rpc('alice', 'channel.list'), 20 * SLOW)['channels'][0]
        equal((own['unread'], own['read']), (0, n))
        equal(server.rpc('alice', 'channel.get', {'channel': channel})['channel']['members'][0]['read'], n)


@test('receipts in a group go to members who wrote among the last 50 messages, at most one a second')
def _():
    server = Server()
    alice, bob, carol = (server.client(u) for u in ('alice', 'bob', 'carol'))
    channel = group(alice, 'bob', 'carol')
    for i in range(10):
        alice.say(channel, 'm%d' % i)
    for i in range(1, 11):
        bob.call('channel.read', {'channel': channel, 'message_id': i})
    alice.event('receipt', user='bob', read=10)
    seen = [m for m in alice.seen if m.get('method') == 'receipt' and m['params']['user'] == 'bob']
    assert 1 <= len(seen) <= 4, 'ten reads at once made %d receipts' % len(seen)
    carol.call('ping')
    equal([m for m in carol.seen if m.get('method') == 'receipt'], [], 'receipts for one who wrote nothing')


@test('channel.list: newest activity first, paged by next, each with its last message')
def _():
    server = Server()
    alice = server.client('alice')

    def say(to, text):
        # activity is counted in milliseconds: each has its own
        sent = alice.say(to, text)
        until(lambda: alice.call('ping')['server_time'] > sent['sent_at'])
        return sent['channel']
    channels = [say('u%d' % i, 'hi %d' % i) for i in range(7)]
    say('u2', 'again')
    want = [channels[2]] + [c for c in reversed(channels) if c != channels[2]]
    got, after = [], None
    for pages in range(1, 10):
        page = alice.call('channel.list', dict({'limit': 3}, **({'after': after} if after else {})))
        got += page['channels']
        if not page['more']:
            break
        after = page['next']
    equal((pages, [c['channel'] for c in got]), (3, want))
    equal(got[0]['last_message']['text'], 'again')
    equal(refused(alice.call, 'channel.list', {'after': 'nonsense'}).code, -32602)


@test('channel.hide takes a channel off one\'s own list until the next message')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    channel = alice.say('bob', 'hi')['channel']
    alice.call('channel.hide', {'channel': channel})
    shown = lambda client, **more: [c['channel'] for c in client.call('channel.list', more)['channels']]
    equal((shown(alice), shown(alice, hidden=False), shown(alice, hidden=True)), ([], [], [channel]))
    equal((shown(bob), shown(bob, hidden=True)), ([channel], []))
    equal(server.api('alice', 'GET', 'channels?hidden=true')[2], alice.call('channel.list', {'hidden': True}))
    equal(server.api('alice', 'GET', 'channels?hidden=maybe')[0], 400)
    bob.say('alice', 'hello?')
    equal((shown(alice), shown(alice, hidden=True)), ([channel], []))


@test('channel.list, hidden: paged by next')
def _():
    server = Server()
    alice = server.client('alice')
    made = [alice.call('channel.create', {'name': 'g%d' % i, 'members': []})['channel']['channel'] for i in range(5)]
    for channel in made[:4]:
        alice.call('channel.hide', {'channel': channel})
    got, after = [], {}
    while True:
        page = alice.call('channel.list', dict(after, limit=3, hidden=True))
        got += [c['channel'] for c in page['channels']]
        if not page['more']:
            break
        after = {'after': page['next']}
    equal(got, made[3::-1])


@test('a non-member learns nothing: the same 404 as for a channel that is not there')
def _():
    server = Server()
    alice, eve = server.client('alice'), server.client('eve')
    secret = group(alice, 'bob')
    direct = alice.say('bob', 'psst')['channel']
    for channel in (secret, direct):
        for method, params in (('message.history', {}), ('message.get', {'message_id': 1}), ('channel.get', {}),
                               ('message.send', {'client_id': 'e', 'text': 'x'}), ('channel.hide', {}),
                               ('channel.read', {'message_id': 1}), ('channel.leave', {})):
            error = refused(eve.call, method, dict(params, channel=channel)).error
            nowhere = refused(eve.call, method, dict(params, channel='g.ffffffffffffffff')).error
            equal((error['code'], error), (404, nowhere), method)
    equal(eve.call('channel.list', {})['channels'], [])


@test('names: up to 200 characters of any Unicode, not empty, longer is -32602')
def _():
    server = Server()
    alice = server.client('alice')
    name = '\U0001f600' * 200
    channel = alice.call('channel.create', {'name': name, 'members': []})['channel']
    equal(channel['name'], name)
    for bad in ('', 'x' * 201, 5, None):
        equal(refused(alice.call, 'channel.create', {'name': bad, 'members': []}).code, -32602)
        equal(refused(alice.call, 'channel.update', {'channel': channel['channel'], 'name': bad}).code, -32602)
    for bad in (['a b'], ['x' * 65], [''], [5], 'bob', {}, None):
        equal(refused(alice.call, 'channel.create', {'name': 'g', 'members': bad}).code, -32602, repr(bad))


main()
