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


def cache(server):
    """(bytes, misses), once what the last messages changed has been counted and told."""
    seen = []

    def rests():
        metrics = server.metrics()
        seen.append((metrics['chat_pool_cache_bytes'], metrics['chat_pool_cache_misses']))
        return len(seen) > 1 and seen[-1] == seen[-2]
    until(rests, 30 * SLOW, 'the cache to rest', every=1.1)
    return seen[-1]


@test('what channels and users take stays at cache=, and they are read again; a reload changes it for the running store')
def _():
    server = Server(store_options='cache=1m')
    equal(say_to_each(server, 'one'), [1] * N)
    size, before = cache(server)
    assert size <= 1.1 * MIB, size
    equal(say_to_each(server, 'two'), [2] * N)
    size, misses = cache(server)
    assert size <= 1.1 * MIB, size
    assert misses - before > N / 2, 'nothing was read again'

    store = server.pool_processes()['chatd: store']
    server.reload(store_options='cache=64m')
    until(lambda: 'cache %d\n' % (64 * MIB) in read(server.run_dir + '/settings'), 10 * SLOW)
    equal(say_to_each(server, 'three'), [3] * N)
    size, misses = cache(server)
    assert 2 * MIB < size < 64 * MIB, size
    equal(say_to_each(server, 'four'), [4] * N)
    equal(cache(server), (size, misses), 'all has room')

    server.reload(store_options='cache=1m')
    until(lambda: server.rpc('alice', 'channel.list') and server.metrics()['chat_pool_cache_bytes'] <= 1.1 * MIB,
          30 * SLOW, 'the cache to shrink')
    equal(server.pool_processes()['chatd: store'], store)
    equal(len(server.inbox('alice')), 4 * N)


@test('chatd -m bounds it where there are no settings')
def _():
    server = Server(pool='own', pool_options=('-m', '1'))
    equal(say_to_each(server, 'one'), [1] * N)
    size, _misses = cache(server)
    assert size <= 1.1 * MIB, size


main()
