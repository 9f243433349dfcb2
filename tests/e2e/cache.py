"""`chat_store ... cache=`: what is kept of channels and users in memory is
bounded, by a reload too, and nothing is forgotten by it."""

from chat import *

N = 4000   # direct channels, above 3 MB with their users
MIB = 1 << 20


def say_to_each(server, word):
    """A message to every one of N users, who are not there; their numbers in the channels."""
    ids = []
    for first in range(0, N, 50):
        batch = [{'jsonrpc': '2.0', 'id': i, 'method': 'message.send',
                  'params': {'to': 'u%d' % i, 'client_id': '%s-%d' % (word, i), 'text': word}}
                 for i in range(first, first + 50)]
        status, _, text = server.post('alice', json.dumps(batch))
        equal(status, 200)
        ids += [a['result']['message_id'] for a in sorted(json.loads(text), key=lambda a: a['id'])]
    return ids


def misses(server, messages):
    """At a time when so many messages were committed: the counters of a process come together."""
    seen = {}

    def told():
        seen.update(server.metrics())
        return seen['chat_pool_commit_messages'] == messages
    until(told, 30 * SLOW, 'all messages to be counted', every=0.1)
    return seen['chat_pool_cache_misses']


def shrinks(server):
    """What was changed a moment ago stays until it is on the disk."""
    until(lambda: server.rpc('alice', 'channel.list') and server.metrics()['chat_pool_cache_bytes'] <= 1.1 * MIB,
          30 * SLOW, 'the cache to shrink')


@test('what channels and users take stays at cache=, and they are read again; a reload changes it for the running store')
def _():
    server = Server(store_options='cache=1m')
    equal(say_to_each(server, '1'), [1] * N)
    before = misses(server, N)
    equal(say_to_each(server, '2'), [2] * N)
    assert misses(server, 2 * N) - before > N / 2, 'nothing was read again'
    shrinks(server)

    store = server.pool_processes()['chatd: store']
    server.reload(store_options='cache=64m')
    k, before, now = 2, 0, misses(server, 2 * N)
    while now != before:   # until the store has been told, and all are in memory
        k += 1
        assert k < 12, 'misses though all has room'
        equal(say_to_each(server, str(k)), [k] * N)
        before, now = now, misses(server, k * N)
    assert 2 * MIB < server.metrics()['chat_pool_cache_bytes'] < 64 * MIB

    server.reload(store_options='cache=1m')
    shrinks(server)
    equal(server.pool_processes()['chatd: store'], store)
    equal(len(server.inbox('alice')), k * N)


@test('chatd -m bounds it where there are no settings')
def _():
    server = Server(pool='own', pool_options=('-m', '1'))
    equal(say_to_each(server, '1'), [1] * N)
    shrinks(server)


main()
