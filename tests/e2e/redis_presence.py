"""Presence through Redis: two chat machines, each with a store and users of its own."""

import threading

from chat import *
from redis import Redis, RedisError

# the time to live is 15 s with it
SHORT = 'chat_presence_timeout 1s;'


def machine(redis, http=SHORT, more='', **options):
    return Server(http=http + ' chat_redis %s%s;' % (redis if isinstance(redis, str) else redis.where, more), **options)


def friends(servers, a, b):
    """With a store on each machine, each has to know it."""
    for server in servers:
        server.rpc(a, 'contact.request', {'user': b})
        server.rpc(b, 'contact.accept', {'user': a})


def up(server):
    m = server.metrics()
    return m.get('chat_pool_redis_up') == 1


def wait_up(*servers):
    for server in servers:
        until(lambda: up(server), 20 * SLOW, 'Redis to be up')


def settled(redis, *servers):
    """Those who asked over HTTP to set things up are offline again, everywhere."""
    until(lambda: redis.keys() == [], 20 * SLOW, 'no key to be left')
    for server in servers:
        until(lambda: server.metrics()['chat_pool_redis_users'] == 0, 20 * SLOW, 'nobody to be online')


def two(redis, http=SHORT, pairs=(('alice', 'bob'),), **options):
    servers = machine(redis, http, **options), machine(redis, http, **options)
    for a, b in pairs:
        friends(servers, a, b)
    wait_up(*servers)
    return servers


def online(client, user):
    return client.call('presence.get', {'users': [user]})['users'][0]['online']


def told(client):
    """(user, online) of the presence events that came so far."""
    client.drain()
    found = [(e['params']['user'], e['params']['online']) for e in client.events if e['method'] == 'presence']
    client.events = type(client.events)(e for e in client.events if e['method'] != 'presence')
    return found


def next_told(client, timeout=10):
    e = client.event('presence', timeout=timeout * SLOW)
    return e['user'], e['online']


@test('users of two machines see each other: asked, told as contacts, watched; last_active_at goes along')
def _():
    redis = Redis()
    a, b = two(redis, pairs=(('alice', 'bob'), ('zoe', 'yves')))
    settled(redis, a, b)
    alice = a.client('alice')
    told(alice)
    before = time.time() * 1000
    bob = b.client('bob')
    equal(next_told(alice), ('bob', True))
    until(lambda: online(bob, 'alice'), 10 * SLOW)
    until(lambda: online(alice, 'bob'), 10 * SLOW)
    carol = b.client('carol')
    equal(alice.call('presence.get', {'users': ['carol']})['users'], [{'user': 'carol', 'online': False, 'last_active_at': None}])
    group = a.rpc('dave', 'channel.create', {'name': 'g', 'members': ['alice', 'carol']})
    until(lambda: alice.call('presence.watch', {'users': ['carol']})['users'][0]['online'], 10 * SLOW)
    ended = time.time() * 1000
    carol.close()
    bob.close()
    gone = []
    while len(gone) < 2:
        event = next_told(alice)
        # that she came may be told behind the answer that says so
        if event != ('carol', True):
            gone.append(event)
    equal(sorted(gone), [('bob', False), ('carol', False)])
    row = alice.call('presence.get', {'users': ['bob']})['users'][0]
    equal(row['online'], False)
    assert before - 5 <= row['last_active_at'] and ended - 5 <= row['last_active_at'] <= time.time() * 1000 + 5, (row, ended)
    equal([k for k in redis.keys() if 'bob' in k], [])


@test('a user at both machines is online until the last connection at either has ended')
def _():
    redis = Redis()
    a, b = two(redis)
    settled(redis, a, b)
    alice = a.client('alice')
    told(alice)
    here, there = a.client('bob'), b.client('bob')
    equal(next_told(alice), ('bob', True))
    until(lambda: len([k for k in redis.keys() if ':bob:' in k]) == 2, 10 * SLOW)
    here.close()
    until(lambda: len([k for k in redis.keys() if ':bob:' in k]) == 1, 10 * SLOW)
    equal((told(alice), online(alice, 'bob')), ([], True))
    there.close()
    equal(next_told(alice), ('bob', False))


@test('keys have a time to live, are written again before it ends, and hold no more than they need')
def _():
    redis = Redis()
    a = machine(redis)
    wait_up(a)
    a.client('alice')
    key = until(lambda: [k for k in redis.keys() if ':alice:' in k], 10 * SLOW)[0]
    assert re.fullmatch('chat:on:alice:[0-9a-f]{16}', key), key
    assert 5000 < redis.call('PTTL', key) <= 15000
    assert re.fullmatch(r'\d+ \d+', redis.call('GET', key))
    redis.call('PEXPIRE', key, 60000)
    until(lambda: redis.call('PTTL', key) <= 15000, 15 * SLOW, 'the key to be written again')
    redis.call('FLUSHALL')
    until(lambda: redis.keys() == [key], 15 * SLOW, 'a key that was lost to be written again')


@test('SIGKILL of Redis for 10 s under load: messages go on, nobody is told offline falsely, presence heals')
def _():
    redis = Redis()
    a, b = two(redis, pairs=(('alice', 'bob'), ('alice', 'carol'), ('alice', 'dan')))
    settled(redis, a, b)
    alice = a.client('alice')
    bob, carol = b.client('bob'), b.client('carol')
    equal(sorted((next_told(alice), next_told(alice))), [('bob', True), ('carol', True)])
    told(alice)
    stop, sent, slowest = threading.Event(), [0], [0.0]

    def load():
        loaders = a.client('lena'), b.client('lars')
        while not stop.is_set():
            for c in loaders:
                start = time.monotonic()
                c.call('message.send', {'to': 'max', 'text': 'x', 'client_id': 'n%d' % sent[0]})
                slowest[0] = max(slowest[0], time.monotonic() - start)
                sent[0] += 1

    thread = threading.Thread(target=load)
    thread.start()
    try:
        until(lambda: sent[0] > 100, 20 * SLOW)
        redis.kill()
        start, before = time.monotonic(), sent[0]
        until(lambda: not up(a) and not up(b), 20 * SLOW, 'the outage to be seen in /metrics')
        carol.close()                   # offline, but that cannot be known at the other machine
        dan = b.client('dan')           # likewise online
        erin = a.client('erin')
        friends([a], 'alice', 'erin')
        equal(next_told(alice), ('erin', True))     # of one's own machine all is known
        while time.monotonic() - start < 10 or sent[0] - before <= 100:
            equal(told(alice), [])
            equal((online(alice, 'bob'), online(alice, 'carol'), online(alice, 'dan')), (True, True, False))
            time.sleep(0.2)
        during = sent[0] - before
        equal(a.status()['pool']['store']['redis_up'], 0)
        redis.start()
        start = time.monotonic()
        equal(sorted((next_told(alice), next_told(alice))), [('carol', False), ('dan', True)])
        healed = time.monotonic() - start
        print('# healed after %.1f s' % healed)
        wait_up(a, b)
    finally:
        stop.set()
        thread.join()
    print('# %d messages while Redis was away, the slowest took %.1f s' % (during, slowest[0]))
    equal((told(alice), online(alice, 'bob'), online(alice, 'dan')), ([], True, True))
    m = a.metrics()
    assert m['chat_pool_redis_connects'] >= 4 and m['chat_pool_redis_failures'] >= 2, m
    assert m['chat_pool_redis_lag_us'] > 0, m['chat_pool_redis_lag_us']


@test('a Redis that hangs is noticed, and what was known stays')
def _():
    redis = Redis()
    a, b = two(redis)
    settled(redis, a, b)
    alice, bob = a.client('alice'), b.client('bob')
    equal(next_told(alice), ('bob', True))
    redis.freeze()
    until(lambda: not up(a) and not up(b), 20 * SLOW, 'the hang to be seen')
    equal((told(alice), online(alice, 'bob')), ([], True))
    a.client('erin').say('bob', 'goes on')
    redis.freeze(False)
    wait_up(a, b)
    time.sleep(2.5)
    equal((told(alice), online(alice, 'bob')), ([], True))


@test('a machine that is killed: its users go offline when their time to live ends, not before the timeout')
def _():
    redis = Redis()
    a, b = two(redis)
    settled(redis, a, b)
    alice, bob = a.client('alice'), b.client('bob')
    equal(next_told(alice), ('bob', True))
    b.nginx.send_signal(signal.SIGSTOP)         # it would start the pool anew
    for pid in b.nginx_workers():
        os.kill(pid, signal.SIGSTOP)
    died = time.monotonic()
    for pid in b.pool_processes().values():
        os.kill(pid, signal.SIGKILL)
    equal(next_told(alice, 60), ('bob', False))
    took = time.monotonic() - died
    assert took >= 1, took
    until(lambda: not [k for k in redis.keys() if ':bob:' in k], 10 * SLOW)
    for pid in b.nginx_workers():
        os.kill(pid, signal.SIGCONT)
    b.nginx.send_signal(signal.SIGCONT)
    equal(next_told(alice, 30), ('bob', True))  # nginx held his connection


@test('a killed store, and a pool that restarts, are seen by nobody at the other machine')
def _():
    redis = Redis()
    a, b = two(redis, http='chat_presence_timeout 5s;')
    settled(redis, a, b)
    alice, bob = a.client('alice'), b.client('bob')
    until(lambda: online(alice, 'bob'), 10 * SLOW)
    b.written_behind()
    told(alice)
    b.kill('chatd: store')
    b.wait_ready()
    wait_up(b)
    a.kill('chatd: store')
    a.wait_ready()
    wait_up(a)
    until(lambda: online(alice, 'bob'), 5 * SLOW)
    time.sleep(6)                               # longer than the timeout
    equal(online(alice, 'bob'), True)
    equal([e for e in told(alice) if not e[1]], [])
    equal(len([k for k in redis.keys() if ':bob:' in k]), 1)


@test('a password file, a database and a user with few rights are enough; a wrong password is logged and retried')
def _():
    redis = Redis()
    redis.call('ACL', 'SETUSER', 'chat', 'on', '>sesame open', '~chat:*', 'resetchannels', '&chat:presence:*', '-@all',
               '+ping', '+select', '+set', '+del', '+mget', '+scan', '+publish', '+subscribe')
    secret = redis.dir + '/secret'
    with open(secret, 'w') as f:
        f.write('chat\nwrong\n')
    a = machine(redis.tcp, more=' db=3 password_file=' + secret)
    b = machine(redis.where, more=' password_file=%s db=3' % secret)
    friends((a, b), 'alice', 'bob')
    until(lambda: 'WRONGPASS' in a.logs(), 10 * SLOW)
    equal(up(a), False)
    with open(secret, 'w') as f:
        f.write('chat\nsesame open\n')
    wait_up(a, b)
    alice, bob = a.client('alice'), b.client('bob')
    until(lambda: online(alice, 'bob') and online(bob, 'alice'), 10 * SLOW)
    assert 'db3' in redis.call('INFO', 'keyspace') and 'db0' not in redis.call('INFO', 'keyspace')
    for s in (a, b):
        for path in (s.run_dir + '/settings', s.run_dir + '/chatd.log', s.error_log):
            assert 'sesame' not in read(path), path
    equal(a.metrics()['chat_pool_redis_failures'] > 0, True)


@test('other databases of one Redis are other worlds')
def _():
    redis = Redis()
    a, b = machine(redis), machine(redis, more=' db=1')
    friends((a, b), 'alice', 'bob')
    wait_up(a, b)
    alice = a.client('alice')
    b.client('bob')
    until(lambda: a.metrics()['chat_pool_redis_lag_us'] > 0, 10 * SLOW)
    time.sleep(1)
    equal((online(alice, 'bob'), a.metrics()['chat_pool_redis_users']), (False, 0))


@test('a Redis without memory refuses keys: presence goes on by its messages, and heals when there is memory')
def _():
    redis = Redis()
    a, b = two(redis)
    settled(redis, a, b)
    alice = a.client('alice')
    redis.call('CONFIG', 'SET', 'maxmemory', '1')
    bob = b.client('bob')
    equal(next_told(alice), ('bob', True))
    until(lambda: b.metrics()['chat_pool_redis_failures'] > 0, 20 * SLOW)
    equal([k for k in redis.keys() if ':bob:' in k], [])
    redis.call('CONFIG', 'SET', 'maxmemory', '0')
    until(lambda: [k for k in redis.keys() if ':bob:' in k], 15 * SLOW)
    equal((told(alice), online(alice, 'bob')), ([], True))
    bob.close()
    equal(next_told(alice), ('bob', False))


@test('what others write to the channel and to keys ends nothing')
def _():
    redis = Redis()
    a = machine(redis)
    friends([a], 'alice', 'bob')
    wait_up(a)
    settled(redis, a)
    alice = a.client('alice')
    told(alice)
    head = '1 ' + 'f' * 16 + ' %d %d 15 1\n'
    for frame in ('', 'x', '1', head, head % (5, 1) + '+', head % (5, 2) + '+a/b 1 1\n', head % (5, 3) + '+bob 1',
                  head % (5, 4) + '*bob 1 1\n', '2' + (head % (5, 5))[1:], 'x' * 100000,
                  head % (5, 6) + '+bob 99999999999999999999 1\n', '1 ' + 'g' * 16 + ' 1 1 1 1\n'):
        redis.call('PUBLISH', 'chat:presence:0', frame)
    for key, value in (('chat:on:', 'x'), ('chat:on:bob:', '1 1'), ('chat:on:bob:zz', '1 1'),
                       ('chat:on:bob:' + 'e' * 16, 'x'), ('chat:on:b"b:' + 'e' * 16, '1 1'), ('chat:on:' + 'u' * 70 + ':' + 'e' * 16, '1 1')):
        redis.call('SET', key, value)
    redis.call('LPUSH', 'chat:on:carol:' + 'e' * 16, 'a list')
    redis.call('PUBLISH', 'chat:presence:0', head % (6, 1) + '+bob 7 8\n')
    equal(next_told(alice), ('bob', True))
    equal(next_told(alice, 30), ('bob', False))         # that machine is silent
    equal(up(a), True)


@test('chat_redis is checked by nginx -t, and chatd -r takes the same')
def _():
    redis = Redis()
    server = machine(redis, start=False)
    secret = redis.dir + '/secret'
    for text, error in (('x', 'HOST:PORT'), ('a:0', 'HOST:PORT'), ('a:b:1', 'HOST:PORT'), (':6379', 'HOST:PORT'),
                        ('[]:6379', 'HOST:PORT'), ('unix:/' + 'x' * 107, 'HOST:PORT'), ('a:6379 db=x', 'db=N'), ('a:6379 db=65536', 'db=N'),
                        ('a:6379 password=x', 'password_file=PATH'), ('a:6379 password_file=', 'password_file=PATH'),
                        ('a:6379 password_file=/nowhere', 'No such file'), ('a:6379; chat_redis a:6379', 'duplicate'),
                        ('a:6379 db=1 db=1 db=1', 'number of arguments')):
        server.write_configuration(http='chat_redis %s;' % text)
        status, output = server.test_configuration()
        assert status != 0 and error in output, (text, output)
    open(secret, 'w').close()
    server.write_configuration(http='chat_redis a:1 password_file=%s;' % secret)
    assert 'no password' in server.test_configuration()[1]
    for text in ('a:6379', '[::1]:6379 db=0', 'unix:relative db=7'):
        server.write_configuration(http='chat_redis %s;' % text)
        equal(server.test_configuration()[0], 0, text)
    for bad in ('x', 'a:6379  db=1', 'unix:relative', 'a:6379 db=-1'):
        p = subprocess.run([OBJS + '/chatd', '-d', redis.dir, '-r', bad], stderr=subprocess.PIPE, text=True)
        assert p.returncode != 0 and 'invalid value' in p.stderr, (bad, p.stderr)
    own = Server(pool='own', pool_options=('-r', redis.where))
    wait_up(own)
    own = Server(pool='own', http='chat_redis a:6379;', start=False)
    own.write_configuration()
    assert "-r 'a:6379'" in own.test_configuration()[1]


main()
