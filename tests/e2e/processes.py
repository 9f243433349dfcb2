"""Processes that die, reload, upgrade, stop: nobody's connection and nobody's
request is lost.

Each test says how many times what was killed; Client checks the sequence.
"""

import threading

from chat import *

# a killed role is news for the administrator, and nginx may say that a link broke
KILLED = r'chatd|worker process \d+ exited on signal 9'


class Traffic:
    """Sends from a thread, one after the other, until stopped; every reply counts."""

    def __init__(self, server, sender, to):
        self.client = server.client(sender, timeout=30)
        self.to, self.sent, self.failure = to, [], None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        i = 0
        try:
            while not self.stopping.is_set():
                result = self.client.say(self.to, 't%d' % i, 'traffic-%s-%d' % (self.client.user, i))
                self.sent.append((result['message_id'], 't%d' % i))
                i += 1
        except BaseException as e:
            self.failure = e

    def stop(self):
        self.stopping.set()
        self.thread.join(60)
        if self.failure:
            raise self.failure
        return self.sent


def survives(name, times=4, **options):
    server = Server(allow=KILLED, **options)
    bob = server.client('bob', timeout=30)
    traffic = Traffic(server, 'alice', 'bob')
    seen = []
    for _ in range(times):
        target = len(traffic.sent) + 20
        until(lambda: traffic.failure or len(traffic.sent) >= target, 30 * SLOW, 'traffic')
        old = server.kill(name)
        until(lambda: traffic.failure or len(traffic.sent) >= target + 20, 30 * SLOW, 'traffic after the kill')
        fresh = until(lambda: server.pool_processes().get(name), 10 * SLOW, name)
        assert fresh != old
    sent = traffic.stop()
    while len(seen) < len(sent):
        seen.append(bob.message(30)['message_id'])
    equal(seen, list(range(1, len(sent) + 1)))
    history = [e['params']['message'] for e in server.inbox('bob')]
    equal([(m['message_id'], m['text']) for m in history], sent, 'stored and acknowledged messages')
    return server


@test('a chatd worker killed under traffic: both connections stay, every request is answered, nothing doubled')
def _():
    survives('chatd: worker 0', chat_workers=1)


@test('the store killed under traffic: both connections stay, every request is answered, nothing doubled')
def _():
    survives('chatd: store')


@test('the parent killed under traffic: nginx starts the pool again, nothing is lost')
def _():
    survives('chatd: parent', times=2)


@test('a role that dies serves again within 2 s')
def _():
    server = Server(allow=KILLED, chat_workers=1)
    alice = server.client('alice')
    for name in ('chatd: worker 0', 'chatd: store') * 2:
        alice.call('channel.list', {})
        server.kill(name)
        start = time.monotonic()
        alice.say('bob', 'x')
        took = time.monotonic() - start
        assert took < 8 * SLOW, '%s: %.1f s' % (name, took)


@test('session.resumed tells a client that the server side was restarted')
def _():
    server = Server(allow=KILLED, chat_workers=1)
    alice = server.client('alice')
    server.kill('chatd: worker 0')
    alice.event('session.resumed')
    equal(alice.call('ping').keys(), {'server_time'})


@test('requests in flight when a worker dies are replayed in order and answered once each')
def _():
    server = Server(allow=KILLED, chat_workers=1)
    alice, bob = server.client('alice', timeout=30), server.client('bob', timeout=30)
    keys = []
    for i in range(600):
        keys.append(alice.request('message.send', {'to': 'bob', 'client_id': 'f%d' % i, 'text': str(i)}))
        if i in (200, 400):
            server.kill('chatd: worker 0')
    results = [alice.reply(k, 30) for k in keys]
    equal([r['message_id'] for r in results], list(range(1, 601)))
    equal([bob.message(30)['text'] for _ in range(600)], [str(i) for i in range(600)])


@test('HTTP requests in flight when a worker dies are answered too')
def _():
    server = Server(allow=KILLED, chat_workers=1)
    results, failures = [], []

    def sender(n):
        for i in range(40):
            try:
                results.append(server.rpc('h%d' % n, 'message.send',
                                          {'to': 'bob', 'client_id': str(i), 'text': '%d-%d' % (n, i)}))
            except Exception as e:
                failures.append(e)
    threads = [threading.Thread(target=sender, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for quota in (30, 80):
        until(lambda: len(results) + len(failures) >= quota, 30 * SLOW)
        server.kill('chatd: worker 0')
    for t in threads:
        t.join()
    equal(failures, [])
    texts = [e['params']['message']['text'] for e in server.inbox('bob')]
    equal(len(texts), 160)
    equal(len(set(texts)), 160)


@test('a request without client_id is done once although its worker died: the module names it')
def _():
    server = Server(allow=KILLED, chat_workers=1)
    alice = server.client('alice', timeout=30)
    keys = []
    for i in range(60):
        keys.append(alice.request('channel.create', {'name': 'g%d' % i, 'members': []}))
        if i % 20 == 10:
            server.kill('chatd: worker 0' if i % 40 == 10 else 'chatd: store')
    for key in keys:
        alice.reply(key, 30)
    page = alice.call('channel.list', {'limit': 200})
    equal(sorted(c['name'] for c in page['channels']), sorted('g%d' % i for i in range(60)))


@test('a request that kills its worker every time closes its own connection 1011 and nobody else\'s')
def _():
    server = Server(pool='own', preload='poison', pool_env={'CHAT_POISON': 'the poisonous words'}, chat_workers=1,
                    allow=KILLED)
    alice, bob = server.client('alice', timeout=30), server.client('bob', timeout=30)
    bob.say('carol', 'before')
    alice.request('message.send', {'to': 'bob', 'client_id': 'p', 'text': 'the poisonous words'})
    alice.expect_close(1011, None, 30 * SLOW)
    bob.say('carol', 'after')
    assert server.inbox('bob')[-1]['params']['message']['text'] == 'after'
    server.client('alice').call('ping')


@test('reload: session.closing, then 1012, spread over chat_drain_time; a reconnect misses nothing')
def _():
    server = Server(http='chat_drain_time 2s;')
    clients = [server.client('bob', device='d%d' % i) for i in range(20)]
    alice = server.client('alice')
    alice.say('bob', 'before')
    old = server.reload()
    times = []
    for c in clients:
        closing = c.event('session.closing')
        assert closing['reconnect_after'] >= 0 and closing['reason'], closing
    for c in clients:
        c.expect_close(1012)
        times.append(time.monotonic())
    server.client('alice').say('bob', 'after')
    again = server.client('bob', after=clients[0].last)
    while again.last < 2:
        again.pump()
    alice.expect_close(1012)
    until(lambda: not set(old) & set(server.nginx_workers()), 20 * SLOW, 'old workers to leave')


@test('a reload under traffic loses no acknowledged message and answers no request wrongly')
def _():
    server = Server(http='chat_drain_time 1s;')
    acknowledged, stop, failures = [], threading.Event(), []

    def talker(n):
        client, i = None, 0
        try:
            while not stop.is_set():
                try:
                    if client is None:
                        client = server.client('t%d' % n)
                    client.say('bob', '%d-%d' % (n, i), '%d-%d' % (n, i))
                    acknowledged.append('%d-%d' % (n, i))
                    i += 1
                except (Closed, Refused, OSError):
                    client = None
        except BaseException as e:
            failures.append(e)
    threads = [threading.Thread(target=talker, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for _ in range(3):
        mark = len(acknowledged)
        until(lambda: len(acknowledged) > mark + 100 or failures, 30 * SLOW)
        old = server.reload()
        until(lambda: not set(old) & set(server.nginx_workers()), 30 * SLOW, 'old workers to leave')
    stop.set()
    for t in threads:
        t.join()
    equal(failures, [])
    texts = [e['params']['message']['text'] for e in server.inbox('bob')]
    equal(len(texts), len(set(texts)), 'a message twice')
    equal(set(acknowledged) - set(texts), set(), 'lost')


@test('worker_shutdown_timeout ends what is left at once')
def _():
    server = Server(http='chat_drain_time 60s;', main='worker_shutdown_timeout 1s;')
    clients = [server.client('bob') for _ in range(5)]
    old = server.reload()
    until(lambda: not set(old) & set(server.nginx_workers()), 20 * SLOW, 'old workers to leave')
    for c in clients:
        try:
            while True:
                c.pump()
        except Closed:
            pass
    server.client('bob').call('ping')


@test('a binary upgrade: old and new nginx share the pool, the old one\'s clients are drained')
def _():
    server = Server(http='chat_drain_time 1s;', daemon=True)
    bob = server.client('bob')
    old, parent = server.nginx.pid, server.pool_parent()
    os.kill(old, signal.SIGUSR2)
    until(lambda: os.path.exists(server.dir + '/nginx.pid.oldbin'), 20 * SLOW, 'the new master')
    new = until(lambda: int(read(server.dir + '/nginx.pid') or 0), 10)
    until(lambda: [p for p in children(new) if 'worker process' in title(p)], 20 * SLOW, 'new workers')
    try:
        alice = server.client('alice')
        alice.say('bob', 'while both run')
        equal(bob.message()['text'], 'while both run')
        os.kill(old, signal.SIGQUIT)
        server.nginx.wait(30 * SLOW)
        bob.expect_close(1012)
        again = server.client('bob', after=bob.last)
        server.client('alice').say('bob', 'after the upgrade')
        equal(again.message()['text'], 'after the upgrade')
        equal(server.pool_parent(), parent, 'the pool')
    finally:
        os.kill(new, signal.SIGTERM)
        until(lambda: not alive(new), 20 * SLOW)
    until(lambda: not alive(parent), 20 * SLOW, 'the pool to end')


@test('an nginx worker that is killed costs its clients the connection and the pool nothing')
def _():
    server = Server(workers=1, allow=KILLED)
    bob = server.client('bob')
    server.client('alice').say('bob', 'before')
    parent = server.pool_parent()
    os.kill(server.nginx_workers()[0], signal.SIGKILL)
    try:
        while True:
            bob.pump()
    except Closed as c:
        equal(c.code, None)
    again = until(lambda: connected(server, 'bob', after=0), 20 * SLOW)
    equal(again.message()['text'], 'before')
    equal(server.pool_parent(), parent)
    until(lambda: server.metrics()['chat_connections'] == 1, 10 * SLOW, 'the gauge without the dead')


def connected(server, user, **options):
    try:
        return server.client(user, **options)
    except (OSError, Refused, Closed):
        return None


@test('nginx -s stop ends the pool 3 s after its last link, and a start makes a new one')
def _():
    server = Server()
    parent = server.pool_parent()
    server.client('alice').say('bob', 'kept')
    start = time.monotonic()
    server.nginx.send_signal(signal.SIGTERM)
    server.nginx.wait(20)
    until(lambda: not alive(parent), 10 * SLOW, 'the pool to end')
    assert time.monotonic() - start > 2.9, 'the pool ended before the links were gone for 3 s'
    server.start()
    assert server.pool_parent() != parent
    equal(len(server.inbox('bob')), 1)


@test('a pool that is killed as a whole is started again and has everything')
def _():
    server = Server(allow=KILLED)
    alice = server.client('alice', timeout=30)
    alice.say('bob', 'one')
    pool = server.pool_processes()
    for pid in pool.values():
        os.kill(pid, signal.SIGKILL)
    equal(alice.say('bob', 'two')['message_id'], 2)


@test('a worker that outlives its pool leaves the sockets of the next one alone')
def _():
    server = Server(pool='own', allow=KILLED, chat_workers=1)
    alice = server.client('alice', timeout=30)
    alice.say('bob', 'before')
    old = server.pool_processes()['chatd: worker 0']
    os.kill(old, signal.SIGSTOP)
    try:
        server.kill('chatd: parent')
        server.pool.process.wait()
        server.pool.start()
        until(lambda: read(server.run_dir + '/chatd.log').count('ready') >= 4, 20 * SLOW, 'the next pool')
    finally:
        os.kill(old, signal.SIGCONT)
    until(lambda: not alive(old), 10 * SLOW, 'the old worker to end')
    alice.call('message.send', {'to': 'bob', 'text': 'after', 'client_id': 'after'}, timeout=8 * SLOW)


@test('SIGTERM to the parent ends the pool orderly; nginx starts it again and the clients stay')
def _():
    server = Server()
    alice = server.client('alice', timeout=30)
    alice.say('bob', 'one')
    old = server.kill('chatd: parent', signal.SIGTERM)
    until(lambda: not alive(old), 10 * SLOW)
    alice.event('session.resumed', 20 * SLOW)
    equal(alice.say('bob', 'two')['message_id'], 2)


@test('SIGUSR1 to the parent reopens the log of every role')
def _():
    server = Server(allow=KILLED)
    log = server.run_dir + '/chatd.log'
    os.rename(log, log + '.1')
    server.kill('chatd: parent', signal.SIGUSR1)
    until(lambda: os.path.exists(log), 10 * SLOW, 'the new log')
    # each role writes into it: a kill makes the parent say so
    server.kill('chatd: store')
    until(lambda: 'store' in read(log), 10 * SLOW, 'a line about the store')


@test('the titles are exactly chatd: parent, chatd: worker N and chatd: store')
def _():
    server = Server(chat_workers=3)
    equal(set(server.pool_processes()), {'chatd: parent', 'chatd: store', 'chatd: worker 0', 'chatd: worker 1',
                                         'chatd: worker 2'})


@test('the threads of the store have names of their own, each another')
def _():
    pid = Server().pool_processes()['chatd: store']
    wanted = {'chatd-commit'} | {'chatd-loads-%d' % i for i in (1, 2, 3)} | {'chatd-pages-%d' % i for i in (1, 2, 3, 4)}
    named = lambda: {read('/proc/%d/task/%s/comm' % (pid, t)).strip() for t in os.listdir('/proc/%d/task' % pid)}
    until(lambda: wanted <= named(), 10 * SLOW, 'names of threads')


@test('the pool holds no descriptor of nginx and is no child of it')
def _():
    server = Server()
    for name, pid in server.pool_processes().items():
        for fd in os.listdir('/proc/%d/fd' % pid):
            target = os.readlink('/proc/%d/fd/%s' % (pid, fd))
            assert 'error.log' not in target or int(fd) <= 2, (name, target)
        sockets = {os.readlink('/proc/%d/fd/%s' % (pid, fd)) for fd in os.listdir('/proc/%d/fd' % pid)}
        listening = {os.readlink('/proc/%d/fd/%s' % (server.nginx.pid, fd))
                     for fd in os.listdir('/proc/%d/fd' % server.nginx.pid)}
        equal({s for s in sockets & listening if s.startswith('socket:')}, set(), name)


@test('a second nginx with the same settings shares the pool')
def _():
    one = Server()
    two = Server(run_dir=one.run_dir, store=one.store)
    equal(one.pool_parent(), two.pool_parent())
    alice, bob = one.client('alice'), two.client('bob')
    alice.say('bob', 'across')
    equal(bob.message()['text'], 'across')
    two.settings['pool'] = None     # the pool belongs to the first
    two.nginx.send_signal(signal.SIGTERM)
    two.nginx.wait(20)
    alice.say('bob', 'still there')


@test('a second nginx with other settings on the same pool logs an error and answers 503; the first goes on')
def _():
    one = Server()
    alice = one.client('alice')
    two = Server(run_dir=one.run_dir, store=one.dir + '/other', wait=False)
    equal(refusal(two, 'bob').status, 503)
    until(lambda: '[error]' in read(two.error_log) or '[error]' in read(one.error_log), 10 * SLOW, 'an error in the log')
    two.settings['pool'] = None
    two.nginx.send_signal(signal.SIGTERM)
    two.nginx.wait(20)
    alice.say('bob', 'still there')


main()
