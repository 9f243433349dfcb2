"""Invites: links by which others join a group."""

from chat import *


def problem(server, user, method, path, body=None):
    status, _, got = server.api(user, method, path, body)
    return status, got['reason']


def group(server, *members, owner='alice'):
    return server.rpc(owner, 'channel.create', {'name': 'team', 'members': list(members)})['channel']['channel']


def invite(client, channel, **more):
    return client.call('invite.create', dict(more, channel=channel))['invite']


def reason(f, *args):
    e = refused(f, *args)
    return e.code, e.reason


@test('who has an invite sees what he would join, joins, and everybody is told')
def _():
    server = Server()
    alice, bob, carol = server.client('alice'), server.client('bob'), server.client('carol', device='c')
    channel = group(server, 'bob')
    sent = bob.call('message.send', {'channel': channel, 'client_id': 'm', 'text': 'before'})
    made = invite(alice, channel)
    assert re.fullmatch('[0-9a-f]{48}', made['invite']), made
    equal((made['channel'], made['created_by'], made['expires_at'], made['max_uses'], made['uses']),
          (channel, 'alice', None, None, 0))
    equal(carol.call('invite.get', {'invite': made['invite']}),
          {'invite': {'invite': made['invite'], 'name': 'team', 'avatar': None, 'members': 2}})
    equal(reason(carol.call, 'channel.get', {'channel': channel}), (404, 'channel_not_found'))
    joined = carol.call('invite.join', {'invite': made['invite']})['channel']
    equal([(m['user'], m['role']) for m in joined['members']], [('alice', 'owner'), ('bob', 'member'), ('carol', 'member')])
    for c in (alice, bob, carol):
        while True:
            got = c.event('channel.updated')['channel']
            if len(got['members']) == 3:
                break
        equal(got, joined)
    # the whole history, all of it read
    equal([m['text'] for m in carol.call('message.history', {'channel': channel})['messages']], ['before'])
    listed = carol.call('channel.list', {})['channels'][0]
    equal((listed['unread'], listed['read']), (0, sent['message_id']))
    # once
    newest = carol.call('inbox.sync', {'after': 0})['inbox_id']
    equal(carol.call('invite.join', {'invite': made['invite']})['channel'], joined)
    equal(alice.call('invite.join', {'invite': made['invite']})['channel'], joined)
    equal(carol.call('inbox.sync', {'after': 0})['inbox_id'], newest)
    equal([i['uses'] for i in alice.call('invite.list', {'channel': channel})['invites']], [1])
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('an invite ends: in time, by use, taken back; unknown ones are 404; a client_id makes or uses one once')
def _():
    server = Server()
    alice, carol = server.client('alice'), server.client('carol')
    channel = group(server)
    short = invite(alice, channel, lifetime=1)['invite']
    later = int(time.time() * 1000) + 60000
    equal(invite(alice, channel, expires_at=later)['expires_at'], later)
    one = invite(alice, channel, max_uses=1, client_id='i')
    equal(invite(alice, channel, max_uses=1, client_id='i'), one)
    equal(len(alice.call('invite.list', {'channel': channel})['invites']), 3)
    carol.call('invite.join', {'invite': one['invite'], 'client_id': 'j'})
    carol.call('channel.leave', {'channel': channel})
    equal('members' in carol.call('invite.join', {'invite': one['invite'], 'client_id': 'j'})['channel'], True)
    equal(reason(carol.call, 'channel.get', {'channel': channel}), (404, 'channel_not_found'))
    equal(reason(carol.call, 'invite.join', {'invite': one['invite']}), (410, 'invite_used_up'))
    gone = invite(alice, channel)['invite']
    for _ in range(2):
        equal(alice.call('invite.revoke', {'channel': channel, 'invite': gone}), {})
    for method in ('invite.get', 'invite.join'):
        equal(reason(carol.call, method, {'invite': gone}), (410, 'invite_revoked'))
    until(lambda: code(carol, short) == (410, 'invite_expired'), 5, 'the invite to expire')
    for unknown in ('0' * 48, gone[:-1] + 'g', gone.upper(), gone + '0', 'x', '../..', '\u20ac'):
        equal(reason(carol.call, 'invite.get', {'invite': unknown}), (404, 'invite_not_found'), unknown)
    equal(reason(alice.call, 'invite.revoke', {'channel': channel, 'invite': '0' * 48}), (404, 'invite_not_found'))
    for params, why in (({'lifetime': 0}, 'out_of_range'), ({'lifetime': 1, 'expires_at': later}, 'conflicting_params'),
                        ({'expires_at': int(time.time() * 1000) - 1}, 'out_of_range'), ({'max_uses': 0}, 'out_of_range'),
                        ({'max_uses': 1000001}, 'out_of_range'), ({'lifetime': '1'}, 'wrong_type'), ({'x': 1}, 'unknown_param')):
        equal(reason(alice.call, 'invite.create', dict(params, channel=channel)), (-32602, why), params)
    for params, why in (({}, 'missing'), ({'invite': 1}, 'wrong_type'), ({'invite': ''}, 'out_of_range'), ({'invite': 'x' * 161}, 'out_of_range')):
        equal(reason(carol.call, 'invite.join', params), (-32602, why), params)


def code(client, text):
    try:
        client.call('invite.get', {'invite': text})
        return None
    except RpcError as e:
        return e.code, e.reason


@test('owner and admins manage invites; no member, stranger or partner of a direct channel does')
def _():
    server = Server()
    alice, bob, carol = server.client('alice'), server.client('bob'), server.client('carol')
    channel = group(server, 'bob')
    mine = invite(alice, channel)['invite']
    for client, want in ((bob, (403, 'not_allowed')), (carol, (404, 'channel_not_found'))):
        equal(reason(client.call, 'invite.create', {'channel': channel}), want)
        equal(reason(client.call, 'invite.list', {'channel': channel}), want)
        equal(reason(client.call, 'invite.revoke', {'channel': channel, 'invite': mine}), want)
    alice.call('channel.role', {'channel': channel, 'user': 'bob', 'role': 'admin'})
    his = invite(bob, channel)['invite']
    bob.call('invite.revoke', {'channel': channel, 'invite': mine})
    equal([i['invite'] for i in alice.call('invite.list', {'channel': channel})['invites']], [his])
    # it outlives the membership of who made it, and goes with the last member
    bob.call('channel.leave', {'channel': channel})
    carol.call('invite.join', {'invite': his})
    alice.call('channel.remove', {'channel': channel, 'users': ['carol']})
    carol.call('invite.join', {'invite': his})
    carol.call('channel.leave', {'channel': channel})
    alice.call('channel.leave', {'channel': channel})
    equal(reason(bob.call, 'invite.join', {'invite': his}), (404, 'invite_not_found'))
    direct = alice.say('bob', 'x')['channel']
    equal(reason(alice.call, 'invite.create', {'channel': direct}), (403, 'not_a_group'))
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('whom the inviter or an owner blocks stays out, and a full group takes nobody')
def _():
    server = Server()
    alice, bob, carol = server.client('alice'), server.client('bob'), server.client('carol')
    channel = group(server, 'bob')
    alice.call('channel.role', {'channel': channel, 'user': 'bob', 'role': 'admin'})
    his = invite(bob, channel)['invite']
    for who in (alice, bob):
        who.call('contact.block', {'user': 'carol'})
        for method in ('invite.get', 'invite.join'):
            equal(reason(carol.call, method, {'invite': his}), (403, 'blocked'))
        who.call('contact.unblock', {'user': 'carol'})
    alice.call('channel.add', {'channel': channel, 'users': ['u%d' % i for i in range(98)]})
    equal(carol.call('invite.get', {'invite': his})['invite']['members'], 100)
    equal(reason(carol.call, 'invite.join', {'invite': his}), (409, 'group_full'))
    alice.call('channel.remove', {'channel': channel, 'users': ['u0']})
    carol.call('invite.join', {'invite': his})


@test('twenty who race for five places: five are in')
def _():
    server = Server()
    alice = server.client('alice')
    channel = group(server)
    few = invite(alice, channel, max_uses=5)['invite']
    clients = [server.client('u%d' % i) for i in range(20)]
    ids = [c.request('invite.join', {'invite': few}) for c in clients]
    def outcome(client, key):
        try:
            return client.reply(key)['channel']['channel']
        except RpcError as e:
            return e.reason
    answers = [outcome(c, i) for c, i in zip(clients, ids)]
    equal((answers.count(channel), answers.count('invite_used_up')), (5, 15))
    equal(len(alice.call('channel.get', {'channel': channel})['channel']['members']), 6)


@test('invites and their uses outlive a kill of every process')
def _():
    server = Server(allow='exited|ended|lost')
    channel = group(server)
    one = server.rpc('alice', 'invite.create', {'channel': channel, 'max_uses': 2})['invite']['invite']
    gone = server.rpc('alice', 'invite.create', {'channel': channel})['invite']['invite']
    server.rpc('alice', 'invite.revoke', {'channel': channel, 'invite': gone})
    server.rpc('bob', 'invite.join', {'invite': one})
    for name in ('chatd: store', 'chatd: worker 0', 'chatd: worker 1'):
        server.kill(name)
    until(lambda: server.rpc('alice', 'invite.list', {'channel': channel})['invites'][0]['uses'] == 1, 10)
    server.rpc('carol', 'invite.join', {'invite': one})
    equal(problem(server, 'dave', 'POST', 'invites/%s/join' % one), (410, 'invite_used_up'))
    equal(problem(server, 'dave', 'GET', 'invites/' + gone), (410, 'invite_revoked'))
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


main()
