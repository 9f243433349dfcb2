"""What a client is told is on the disk: commits held up, counted and shared."""

import threading

from chat import *


class Gate:
    """The named pipe at which every fdatasync of the pool waits while shut."""

    def __init__(self):
        self.path = scratch('chat-gate-') + '/gate'
        self.env = {'CHAT_HOLD_SYNC': self.path}

    def shut(self):
        os.mkfifo(self.path)

    def open(self):
        os.rename(self.path, self.path + '.opened')
        # stays open for those who had just found the name
        self.fd = os.open(self.path + '.opened', os.O_RDWR)

    def syncs(self):
        try:
            return os.path.getsize(self.path + '.count')
        except OSError:
            return 0


def quiet(client, seconds=0.7):
    """What comes while nothing should: the wait is the test."""
    try:
        return client.pump(seconds)
    except (socket.timeout, TimeoutError):
        return None


@test('while a commit is held no answer and no push arrives; released, all do')
def _():
    gate = Gate()
    server = Server(pool='own', preload='hold_sync', pool_env=gate.env)
    alice, bob, phone = server.client('alice'), server.client('bob'), server.client('alice', device='phone')
    alice.say('bob', 'free')
    equal((bob.message()['text'], phone.message()['text']), ('free', 'free'))
    gate.shut()
    keys = [alice.request('message.send', {'to': 'bob', 'client_id': 'h%d' % i, 'text': 'held %d' % i}) for i in range(5)]
    made = alice.request('channel.create', {'name': 'g', 'members': ['bob']})
    before = gate.syncs()
    until(lambda: gate.syncs() > before or gate.syncs() > 1, 10 * SLOW, 'the commit to reach its sync')
    for client in (alice, bob, phone):
        equal(quiet(client), None, client.user)
    # nor may anybody read what is not durable
    equal([m['text'] for m in bob.call('message.history', {'channel': 'd.alice~bob'})['messages']], ['free'])
    equal(len(server.inbox('bob')), 1)
    # what needs no commit is answered meanwhile
    alice.call('ping')
    gate.open()
    for key in keys:
        alice.reply(key)
    alice.reply(made)
    equal([bob.message()['text'] for _ in range(5)], ['held %d' % i for i in range(5)])
    equal([phone.message()['text'] for _ in range(5)], ['held %d' % i for i in range(5)])


@test('a lone sender gets a commit of its own for each message; a crowd shares: above 10 messages per commit')
def _():
    # a disk on which a sync takes 5 ms, whatever this machine has
    server = Server(pool='own', preload='hold_sync', pool_env={'CHAT_SYNC_MS': '5'}, chat_workers=1)
    alone = server.client('alone')
    alone.say('bob', 'warm')

    def figures():
        # counters come from the pool about once a second
        m = server.metrics()
        return m['chat_pool_commits'], m['chat_pool_commit_messages']

    def settled(at_least):
        return until(lambda: figures()[1] >= at_least and figures(), 20 * SLOW, 'the counters', every=0.1)
    base = settled(1)
    for i in range(50):
        alone.say('bob', str(i))
    now = settled(base[1] + 50)
    equal((now[1] - base[1]) / (now[0] - base[0]), 1.0, 'messages per commit with one sender')

    clients = [server.client('busy%d' % i, timeout=30) for i in range(100)]
    base, done, failures = now, [], []

    def talk(group):
        # busy: each sender of the group has messages under way at all times
        try:
            for i in range(10):
                keys = [(c, c.request('message.send', {'to': 'sink' + c.user, 'client_id': '%d-%d' % (i, n), 'text': 'x'}))
                        for n in range(4) for c in group]
                for c, key in keys:
                    c.reply(key, 30)
                    done.append(1)
        except BaseException as e:
            failures.append(e)
    threads = [threading.Thread(target=talk, args=(clients[i::4],)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(failures, [])
    now = settled(base[1] + 4000)
    shared = (now[1] - base[1]) / (now[0] - base[0])
    assert shared > 10, '%.1f messages per commit with 100 busy senders' % shared


@test('each message is synced: one fdatasync or more for every commit')
def _():
    gate = Gate()
    server = Server(pool='own', preload='hold_sync', pool_env=gate.env, chat_workers=1)
    alice = server.client('alice')
    before = gate.syncs()
    for i in range(20):
        alice.say('bob', str(i))
    assert gate.syncs() - before >= 20, gate.syncs() - before


@test('a pool that is stopped while a commit is held commits it first')
def _():
    gate = Gate()
    server = Server(pool='own', preload='hold_sync', pool_env=gate.env, chat_workers=1)
    alice = server.client('alice', timeout=30)
    alice.say('bob', 'free')
    gate.shut()
    before = gate.syncs()
    key = alice.request('message.send', {'to': 'bob', 'text': 'held', 'client_id': 'held'})
    until(lambda: gate.syncs() > before, 10 * SLOW, 'the commit to reach its sync')
    server.pool.process.send_signal(signal.SIGTERM)
    # longer than the store's tick, which must not look at a storage that is being closed
    equal(quiet(alice, 1.5), None)
    gate.open()
    server.pool.process.wait(20 * SLOW)
    assert 'Sanitizer' not in read(server.run_dir + '/stderr'), read(server.run_dir + '/stderr')
    server.pool.start()
    result = alice.reply(key, 20 * SLOW)
    equal((result['message_id'], result.get('duplicate')), (2, True))


main()
