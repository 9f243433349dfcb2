"""Profiles, and finding users by them."""

from chat import *


def user(client, name):
    return client.call('user.get', {'user': name})['user']


def found(client, query, **more):
    return [u['user'] for u in client.call('user.search', dict(query=query, **more))['users']]


NOTHING = {'display_name': None, 'avatar': None, 'status': None}


@test('a profile is set piece by piece, read by all, and emptied again')
def _():
    server = Server()
    alice, bob = server.client('alice'), server.client('bob')
    equal(user(bob, 'alice'), dict(NOTHING, user='alice'))
    answer = alice.call('user.update', {'display_name': 'Alice \u00c4\u00df\u2028 "x"', 'status': 'here'})['user']
    equal(answer, {'user': 'alice', 'display_name': 'Alice \u00c4\u00df\u2028 "x"', 'avatar': None, 'status': 'here'})
    alice.call('user.update', {'avatar': 'a.png'})
    equal(user(bob, 'alice'), dict(answer, avatar='a.png'))
    equal(alice.call('user.update', {'display_name': '', 'avatar': '', 'status': ''})['user'], user(bob, 'alice'))
    equal(user(bob, 'alice'), dict(NOTHING, user='alice'))
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('reading never makes a user')
def _():
    server = Server()
    alice = server.client('alice')
    for _ in range(2):
        e = refused(user, alice, 'nobody')
        equal((e.code, e.reason), (404, 'user_not_found'))
        equal(found(alice, 'nobody'), [])
    alice.say('nobody', 'now you are')
    equal(user(alice, 'nobody'), dict(NOTHING, user='nobody'))


@test('search is by the beginning of the id and of the name, whatever the case in any script')
def _():
    server = Server()
    names = {'straus': 'Stra\u00dfe', 'turk': '\u0130stanbul', 'greek': '\u039f\u03b4\u03c5\u03c3\u03c3\u03b5\u03cd\u03c2',
             'wide': '\uff21\uff22\uff23', 'accent': 'E\u0301ric', 'Zoe.B': None, 'zo': 'ZO'}
    clients = {u: server.client(u) for u in names}
    for u, name in names.items():
        if name:
            clients[u].call('user.update', {'display_name': name})
    c = clients['zo']
    equal(found(c, 'STRASSE'), ['straus'])
    equal(found(c, 'stra'), ['straus'])
    equal(found(c, '\u03bf\u03b4\u03c5\u03c3\u03c3\u03b5\u03cd\u03c3'), ['greek'])
    equal(found(c, '\u039f\u0394'), ['greek'])
    equal(found(c, 'abc'), ['wide'])
    equal(found(c, '\u00e9RIC'), ['accent'])
    equal(found(c, 'zO'), ['zo', 'Zoe.B'])
    equal(found(c, 'ZOE.b'), ['Zoe.B'])
    equal(found(c, 'oe'), [])
    c.call('user.update', {'display_name': 'Other'})
    equal((found(c, 'other'), found(c, 'ZO', limit=1)), (['zo'], ['zo']))
    c.call('user.update', {'display_name': ''})
    equal((found(c, 'other'), found(c, 'zo')), ([], ['zo', 'Zoe.B']))
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('a search is bounded, and what is no search or profile is refused by its parameter')
def _():
    server = Server()
    alice = server.client('alice')
    channel = alice.call('channel.create', {'name': 'g', 'members': ['m%02d' % i for i in range(99)]})
    for i in range(99):
        alice.request('contact.request', {'user': 'mm%02d' % i})
    until(lambda: len(found(alice, 'm', limit=100)) == 100, 5)
    equal(len(found(alice, 'M')), 50)
    for method, params, reason in (
            ('user.search', {'query': ''}, 'out_of_range'), ('user.search', {'query': 'x' * 65}, 'out_of_range'),
            ('user.search', {'query': 'x', 'limit': 101}, 'out_of_range'), ('user.search', {'query': 1}, 'wrong_type'),
            ('user.get', {'user': '../x'}, 'bad_user'), ('user.update', {}, 'missing'),
            ('user.update', {'display_name': 'x' * 201}, 'out_of_range'), ('user.update', {'status': None}, 'wrong_type'),
            ('user.update', {'avatar': 'x' * 1025}, 'out_of_range'), ('user.update', {'user': 'bob'}, 'unknown_param')):
        equal(refused(alice.call, method, params).reason, reason, '%s %r' % (method, params))
    equal(found(alice, '\u00ad'), [])
    equal(found(alice, '\x00'), [])


@test('the longest name, and one that is only spaces or NULs')
def _():
    server = Server()
    alice = server.client('alice')
    for name in ('\U0001f600' * 200, '\ufdfa' * 200, ' \t', 'a\x00b\x00'):
        equal(alice.call('user.update', {'display_name': name})['user']['display_name'], name)
        equal(found(alice, name[:2]), ['alice'])
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('a profile outlives a kill of the store, and a client_id changes it once')
def _():
    server = Server()
    alice = server.client('alice')
    alice.call('user.update', {'display_name': 'One', 'client_id': 'c'})
    alice.call('user.update', {'display_name': 'Two'})
    equal(alice.call('user.update', {'display_name': 'Three', 'client_id': 'c'})['user']['display_name'], 'One')
    server.kill('chatd: store')
    equal(until(lambda: server.rpc('bob', 'user.get', {'user': 'alice'}), 10)['user']['display_name'], 'Two')
    equal(found(alice, 'two'), ['alice'])


main()
