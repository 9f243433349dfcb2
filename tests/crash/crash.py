"""Fifty clients talk while processes are killed and nginx is reloaded; then
everybody's records, the store and `chatd check` have to agree.

CHAT_CRASH_SECONDS (60) is for how long, CHAT_CRASH_SEED repeats a run's
choices.
"""

import collections
import random
import threading

from chat import *

SECONDS = float(os.environ.get('CHAT_CRASH_SECONDS', 60))
SEED = int(os.environ.get('CHAT_CRASH_SEED', 0)) or random.randrange(1, 1 << 30)
N_CLIENTS, N_GROUPS, GROUP_SIZE, IN_FLIGHT = 50, 5, 10, 3
KILL_EVERY, RELOAD_EVERY = 2, 10
SENDS_PER_SECOND = 40     # of each client: what comes has to be verified too

Sent = collections.namedtuple('Sent', 'client_id target text')


class Talker(threading.Thread):
    """One user on one device: sends, remembers what it was told, reconnects."""

    def __init__(self, server, number, groups, seed):
        super().__init__(daemon=True)
        self.server, self.user, self.groups = server, 'u%d' % number, groups
        self.random = random.Random(seed)
        self.client = None
        self.cursor = 0
        self.inbox = []                 # what came, in the order of inbox ids
        self.acknowledged = {}          # client_id -> result
        self.n_sent = 0
        self.connections = []           # of each: what was sent on it, in order
        self.unanswered = collections.OrderedDict()  # client_id -> Sent
        self.stop_sending = threading.Event()
        self.finish_at = None           # inbox id to reach before ending
        self.closes = collections.Counter()
        self.refused = 0
        self.failure = None

    def run(self):
        try:
            while not self.done():
                try:
                    self.connect()
                    self.talk()
                except Closed as c:
                    self.closes[c.code] += 1
                except Refused as r:
                    assert r.status == 503, r
                    self.refused += 1
                except ConnectionError:
                    self.closes['refused'] += 1
                self.keep()
        except BaseException as e:
            self.failure = '%s: %r (connection %s)' % (self.user, e, self.client and self.client.last)
        finally:
            if self.client:
                self.client.sock.close()

    def done(self):
        return self.finish_at is not None and self.cursor >= self.finish_at and not self.unanswered

    def keep(self):
        """Takes over what the connection has filed."""
        c = self.client
        if c is None:
            return
        for message in c.seen:
            result, params = message.get('result'), message.get('params', {})
            if 'method' in message:
                if 'inbox_id' in params:
                    self.inbox.append(message['params'])
            elif 'error' in message:
                # 503 says: unknown whether it was stored; it is sent again
                if message['error']['code'] != 503:
                    raise AssertionError('an error: %r' % message)
                self.again.append(self.keys.pop(message['id']))
            else:
                sent = self.keys.pop(message['id'])
                self.acknowledged[sent.client_id] = result
                self.unanswered.pop(sent.client_id, None)
                if not result.get('duplicate'):
                    self.inbox.append({'inbox_id': result['inbox_id'], 'own': sent.client_id})
        c.seen.clear()
        c.events.clear()
        c.replies.clear()
        self.cursor = c.last

    def connect(self):
        self.client = None
        self.client = self.server.client(self.user, after=self.cursor, device='d')
        self.server.clients.remove(self.client)
        self.keys = {}
        self.again = []
        self.connections.append([])
        # what was not answered goes first, with the same client_ids, in order
        for sent in list(self.unanswered.values()):
            self.send(sent)

    def send(self, sent):
        where = 'channel' if sent.target.startswith('g.') else 'to'
        key = self.client.request('message.send', {where: sent.target, 'client_id': sent.client_id, 'text': sent.text})
        self.keys[key] = sent
        self.connections[-1].append(sent)

    def talk(self):
        next_send = time.monotonic()
        while not self.done():
            while (not self.stop_sending.is_set() and len(self.unanswered) < IN_FLIGHT
                   and time.monotonic() >= next_send):
                next_send += 1 / SENDS_PER_SECOND
                n = self.n_sent
                self.n_sent += 1
                target = (self.random.choice(self.groups) if self.random.random() < 0.4
                          else 'u%d' % self.random.randrange(N_CLIENTS))
                sent = Sent('%s-%d' % (self.user, n), target, 'message %d of %s' % (n, self.user))
                self.unanswered[sent.client_id] = sent
                self.send(sent)
            try:
                self.client.pump(max(0.001, min(0.2, next_send - time.monotonic())))
            except (socket.timeout, TimeoutError):
                pass
            self.keep()
            while self.again:
                self.send(self.again.pop(0))


def unanswered(talkers):
    return {client_id for t in talkers for client_id in set(t.unanswered)}


def disturb(server, rng, until_time, talkers):
    """Kills and reloads until the time is over and enough has been done on a slow
    machine, too; how often what was done.

    A request at which a worker ended three times ends its connection.  So none
    is there for more than two kills, however slow the machine is."""
    done = collections.Counter()
    before, last = set(), set()     # what the last two kills met

    def enough():
        return (sum(len(t.acknowledged) for t in talkers) > 10 * SECONDS
                and sum(v for k, v in done.items() if k != 'reload') >= SECONDS / KILL_EVERY / 2)
    next_kill = time.monotonic() + KILL_EVERY
    next_reload = time.monotonic() + RELOAD_EVERY
    while time.monotonic() < until_time or not enough():
        time.sleep(0.05)    # the disturbances are made by the clock, as the test says
        assert not [t.failure for t in talkers if t.failure], [t.failure for t in talkers if t.failure]
        if time.monotonic() >= next_kill:
            until(lambda: not before & unanswered(talkers), 60 * SLOW, 'answers to what two kills have met')
            next_kill = time.monotonic() + KILL_EVERY
            pool = server.pool_processes()
            if pool:
                name = rng.choice(sorted(pool))
                try:
                    os.kill(pool[name], signal.SIGKILL)
                    done[name] += 1
                except ProcessLookupError:
                    pass
                before, last = last, unanswered(talkers)
        if time.monotonic() >= next_reload:
            next_reload = time.monotonic() + RELOAD_EVERY
            server.nginx.send_signal(signal.SIGHUP)
            done['reload'] += 1
    return done


def verify(server, talkers, groups, members):
    log = {t.user: server.inbox(t.user) for t in talkers}
    channels = collections.defaultdict(dict)
    n_acknowledged = 0

    for t in talkers:
        ids = [e['params']['inbox_id'] for e in log[t.user]]
        equal(ids, list(range(1, len(ids) + 1)), '%s: inbox ids' % t.user)
        # what the client was shown is the inbox, each entry once, in order
        equal([e['inbox_id'] for e in t.inbox], ids, '%s: what was pushed' % t.user)
        by_client_id = {}
        for e, shown in zip(log[t.user], t.inbox):
            message = e['params'].get('message')
            if not message:
                continue
            place = channels[message['channel']].setdefault(message['message_id'], message)
            equal(place, message, 'one message in two inboxes')
            if 'own' in shown:
                equal((message['sender'], message['client_id']), (t.user, shown['own']), 'own message in its place')
            else:
                equal(shown['message'], message, 'pushed and stored')
            if message['sender'] == t.user:
                assert message['client_id'] not in by_client_id, 'stored twice: %s' % message
                by_client_id[message['client_id']] = message
        equal(t.unanswered, collections.OrderedDict(), '%s: unanswered' % t.user)
        for client_id, result in t.acknowledged.items():
            message = by_client_id.get(client_id)
            assert message, 'acknowledged and lost: %s of %s' % (client_id, t.user)
            for k in ('channel', 'message_id', 'sent_at'):
                equal(result[k], message[k], client_id)
        n_acknowledged += len(t.acknowledged)

    for channel, messages in channels.items():
        equal(sorted(messages), list(range(1, len(messages) + 1)), 'message ids of ' + channel)
        times = [messages[i]['sent_at'] for i in sorted(messages)]
        equal(times, sorted(times), 'sent_at in ' + channel)
        who = members.get(channel) or channel[2:].split('~')
        for user in set(who):
            order = [e['params']['message']['message_id'] for e in log[user]
                     if e['params'].get('message', {}).get('channel') == channel]
            equal(order, sorted(messages), 'order of %s for %s' % (channel, user))

    # the sends of one connection to one channel took effect in the order sent,
    # but for those that were sent more than once
    stored = {(m['sender'], m['client_id']): (channel, i) for channel, messages in channels.items()
              for i, m in messages.items()}
    for t in talkers:
        times = collections.Counter(s.client_id for connection in t.connections for s in connection)
        for connection in t.connections:
            last = {}
            for sent in connection:
                if times[sent.client_id] == 1:
                    channel, i = stored[t.user, sent.client_id]
                    assert i > last.get(channel, 0), 'order of sends of %s to %s: %s' % (t.user, sent.target, sent)
                    last[channel] = i
    return n_acknowledged, channels


@test('%.0f s of kills and reloads under the traffic of %d clients: nothing lost, doubled, out of order or unanswered'
      % (SECONDS, N_CLIENTS))
def _():
    print('# seed %d' % SEED, flush=True)
    rng = random.Random(SEED)
    server = Server(http='chat_drain_time 1s;', chat_workers=2, allow=r'chatd|exited on signal 9')
    groups, members = [], {}
    for g in range(N_GROUPS):
        users = ['u%d' % i for i in range(g * GROUP_SIZE, (g + 1) * GROUP_SIZE)]
        channel = server.rpc(users[0], 'channel.create', {'name': 'g%d' % g, 'members': users[1:]})['channel']['channel']
        groups.append(channel)
        members[channel] = users
    talkers = [Talker(server, i, [groups[i // GROUP_SIZE]], rng.random()) for i in range(N_CLIENTS)]
    for t in talkers:
        t.start()
    done = disturb(server, rng, time.monotonic() + SECONDS, talkers)

    for t in talkers:
        t.stop_sending.set()
    server.wait_ready()
    failures = lambda: [t.failure for t in talkers if t.failure]
    until(lambda: failures() or not any(t.unanswered for t in talkers), 40 * SLOW, 'every request to be answered')
    equal(failures(), [])
    for t in talkers:
        events = server.rpc(t.user, 'inbox.sync', {'after': t.cursor, 'limit': 1})
        t.finish_at = events['inbox_id']
    for t in talkers:
        t.join(40 * SLOW)
        assert not t.is_alive() or t.failure, '%s stands at %d of %d' % (t.user, t.cursor, t.finish_at)
    equal(failures(), [])

    closes = sum((t.closes for t in talkers), collections.Counter())
    n, channels = verify(server, talkers, groups, members)
    print('# %d messages acknowledged in %d channels; %s; connections ended: %s; handshakes refused: %d' % (
        n, len(channels), dict(done), dict(closes), sum(t.refused for t in talkers)), flush=True)
    # only a reload ends a connection, and it says so
    equal(set(closes) - {1012, 'refused'}, set(), 'connections ended with')
    server.stop()
    status, output = server.check_store()
    equal(status, 0, output)
    print('# ' + output.strip().replace('\n', '\n# '), flush=True)


main()
