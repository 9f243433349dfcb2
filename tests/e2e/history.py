"""Reading back: history by every anchor, one message, pages."""

from chat import *


def talk(server, n):
    alice = server.client('alice')
    return alice, [alice.say('bob', 'm%d' % (i + 1)) for i in range(n)][0]['channel']


def ids(page):
    return [m['message_id'] for m in page['messages']]


@test('history: newest by default, before, after and around, always ascending, more where there is more')
def _():
    server = Server()
    alice, channel = talk(server, 30)

    def history(**params):
        return alice.call('message.history', dict(params, channel=channel))
    page = history(limit=10)
    equal((ids(page), page['more']), (list(range(21, 31)), True))
    page = history(before=21, limit=10)
    equal((ids(page), page['more']), (list(range(11, 21)), True))
    page = history(before=11, limit=10)
    equal((ids(page), page['more']), (list(range(1, 11)), False))
    page = history(after=0, limit=10)
    equal((ids(page), page['more']), (list(range(1, 11)), True))
    page = history(after=25)
    equal((ids(page), page['more']), (list(range(26, 31)), False))
    page = history(around=15, limit=10)
    assert 15 in ids(page) and page['more'] and len(page['messages']) == 10, page
    equal(ids(page), list(range(ids(page)[0], ids(page)[0] + 10)))
    page = history(around=30, limit=200)
    equal((ids(page), page['more']), (list(range(1, 31)), False))
    equal(ids(history(before=1)), [])
    equal(ids(history(after=30)), [])
    equal(len(history()['messages']), 30)


@test('the default limit is 50')
def _():
    server = Server()
    alice, channel = talk(server, 60)
    equal(ids(alice.call('message.history', {'channel': channel})), list(range(11, 61)))
    equal(len(server.rpc('alice', 'inbox.sync', {'after': 0})['events']), 50)


@test('a page of history ends past 1 MiB but holds at least one message')
def _():
    server = Server()
    alice = server.client('alice', timeout=30)
    for i in range(12):
        channel = alice.say('bob', '\U0001f600' * 99000)['channel']
    page = alice.call('message.history', {'channel': channel, 'limit': 200})
    assert page['more'] and 1 <= len(page['messages']) <= 4, len(page['messages'])
    equal(ids(page)[-1], 12)
    got, before = ids(page), ids(page)[0]
    while page['more']:
        page = alice.call('message.history', {'channel': channel, 'limit': 200, 'before': before})
        got = ids(page) + got
        before = got[0]
    equal(got, list(range(1, 13)))


@test('message.get gives the message that was pushed, to any member')
def _():
    server = Server()
    bob = server.client('bob')
    alice, channel = talk(server, 1)
    pushed = bob.message()
    equal(bob.call('message.get', {'channel': channel, 'message_id': 1}), {'message': pushed})
    equal(set(pushed) >= {'channel', 'message_id', 'sender', 'sent_at', 'client_id', 'type', 'text'}, True)
    equal((pushed['type'], pushed['sender'], pushed['message_id']), ('text', 'alice', 1))


@test('everything reads the same after a restart of everything')
def _():
    server = Server()
    alice, channel = talk(server, 40)
    group = alice.call('channel.create', {'name': 'g', 'members': ['bob', 'carol']})['channel']['channel']
    alice.say(group, 'to the group')
    alice.call('channel.read', {'channel': group, 'message_id': 1})

    def everything():
        return [server.rpc(u, m, p) for u in ('alice', 'bob') for m, p in (
            ('message.history', {'channel': channel}), ('message.history', {'channel': group}),
            ('channel.get', {'channel': group}), ('inbox.sync', {'after': 0, 'limit': 1000}), ('channel.list', {}))]
    before = everything()
    server.stop()
    status, output = server.check_store()
    equal(status, 0, output)
    server.start()
    equal(everything(), before)
    equal(server.client('bob').say('alice', 'next')['message_id'], 41)


main()
