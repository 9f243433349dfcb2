"""Users with several devices each do everything a user can, at random, on every
transport, while processes are killed and nginx is reloaded.  A plain model
(tests/lib/people_model.py) says what each of them has to see.

Work goes in rounds: some operations are under way at once, then each has an
answer.  Which of them came first is the server's choice: it is taken from the
inboxes, and there has to be an order in which every answer and every event is
right.  In quiet spells, one operation at a time and no request for who is
offline, presence is looked at, too.

SEED repeats a run's choices, as far as the server is as fast as then; SECONDS
is for how long it goes on.  Otherwise there are two short runs, the first with
a fixed seed.
"""

import collections
import random

from chat import *
from device import Device
from people_choice import Choice
from people_looks import PRESENCE_TIMEOUT, SLACK, Looks
from people_model import Behind, Model, Refused
from people_order import Order
from people_requests import WAIT, Connection, Op, Socket

SECONDS = float(os.environ.get('SECONDS', 0)) or 20
SEED = int(os.environ.get('SEED', 0))
SEEDS = [SEED] if SEED else [1, random.randrange(2, 1 << 30)] if 'SECONDS' not in os.environ else [
    random.randrange(1, 1 << 30)]

DEVICES = [2, 5, 3, 2, 1, 1, 2, 1, 3, 1]    # of each user
USERS = ['u%d' % i for i in range(len(DEVICES))]


class World(Choice, Looks, Order):
    def __init__(self, seed, seconds):
        self.seed, self.seconds, self.users = seed, seconds, USERS
        self.random = random.Random(seed)
        self.server = Server(http='chat_presence_timeout %ds; chat_drain_time 300ms;' % PRESENCE_TIMEOUT,
                             chat_workers=2, allow=r'chatd|exited on signal 9')
        self.model = Model(USERS)
        self.devices = {u: [Device(self.server, u, '%s-%d' % (u, i), self.took, self.live) for i in range(n)]
                        for u, n in zip(USERS, DEVICES)}
        self.all = [d for u in USERS for d in self.devices[u]]
        self.waiting = {d: collections.deque() for d in self.all}  # came and not looked at
        self.log = {u: 0 for u in USERS}        # how much of each inbox was read and is right
        self.pending = {u: [] for u in USERS}   # what was read of it beyond the model
        self.known = []     # what was read of it again
        self.done = collections.deque(maxlen=60)    # operations that may be repeated
        self.trace = collections.deque(maxlen=100)
        self.counts = collections.Counter()
        self.n = 0
        self.quiet = False
        self.active = {u: 0 for u in USERS}     # when he was at last seen to do something
        self.disturbed_at = 0
        self.killed_at = None
        self.told = collections.defaultdict(dict)     # device -> user -> (online, when)
        self.receipts = collections.defaultdict(dict)  # device -> (channel, user) -> (delivered, read)
        self.owed = {}    # (channel, reader, device) -> (delivered, read) at least
        self.tried = {u: set() for u in USERS}    # devices that the server may have met
        self.related_at = {}    # (a, b) -> when their contact changed

    def note(self, text, *args):
        self.trace.append('%7.3f %s' % (time.monotonic() - self.started, text % args if args else text))

    # --- what devices are told

    def took(self, device, inbox_id, method, params):
        self.waiting[device].append((inbox_id, method, params))

    def look(self, device):
        """Holds what came against the model."""
        queue, inbox = self.waiting[device], self.model.users[device.user].inbox
        while queue and queue[0][0] <= len(inbox):
            inbox_id, method, params = queue.popleft()
            entry = inbox[inbox_id - 1]
            if method == 'own':
                m = entry.message.first if entry.method == 'message.new' else {}
                assert (m.get('sender'), m.get('client_id')) == (device.user, params['client_id']), \
                    '%r: own message %s where %r stands at %d' % (device, params, entry, inbox_id)
            elif not entry.accepts(method, params):
                raise AssertionError('%r was told at %d: %s %s, not %r' % (device, inbox_id, method, params, entry))
            self.counts['events'] += 1

    def live(self, device, method, params):
        now = time.monotonic()
        if method == 'presence':
            other = params['user']
            self.counts['presence'] += 1
            steady = min((d.since for d in self.devices[other] if d.standing), default=now)
            # without a time it is out of sight: a contact or a block
            related_at = self.related_at.get(frozenset((device.user, other)), 0)
            # it was told after the last time when nothing was there to be read
            if not params['online'] and params['last_active_at'] and max(steady, related_at) < device.empty_at - SLACK:
                raise AssertionError('%r was told that %s is offline, who is connected for %.1f s'
                                     % (device, other, now - steady))
            self.in_good_time(params)
            self.told[device][other] = (params['online'], now)
        elif method == 'receipt':
            self.counts['receipts'] += 1
            key = params['channel'], params['user']
            before = self.receipts[device].get(key, (0, 0))
            got = params['delivered'], params['read']
            if not self.disturbed_at > device.since and not (got[0] >= before[0] and got[1] >= before[1]):
                channel = self.model.channels.get(key[0])
                assert channel is None or channel.kind == 'group', '%r: receipt %s after %s' % (device, params, before)
            self.receipts[device][key] = got
        elif method == 'session.resumed':
            self.forget_live(device)

    @staticmethod
    def in_good_time(row):
        """Nobody is offline before the timeout is over."""
        if not row['online'] and row['last_active_at']:
            since = time.time() - row['last_active_at'] / 1000
            assert since > PRESENCE_TIMEOUT - 0.2 * SLOW, 'offline after %.3f s: %s' % (since, row)

    def forget_live(self, device):
        self.told[device].clear()
        self.receipts[device].clear()
        for key in [k for k in self.owed if k[2] is device]:
            del self.owed[key]

    def pump(self):
        for d in self.all:
            d.drain()
            self.look(d)

    # --- devices come and go

    def connect(self, device, kind):
        header = kind == 'sse' and self.random.random() < 0.5
        after = self.random.random() < 0.9
        self.forget_live(device)
        self.waiting[device].clear() if not after else None
        self.tried[device.user].add(device.name)
        if not device.connect(kind, after or kind == 'poll' or header, header):
            return False
        self.active[device.user] = time.monotonic()
        self.model.users[device.user].devices.setdefault(device.name, Behind())
        self.note('%r connected, after=%s header=%s', device, after, header)
        self.counts[kind] += 1
        if self.quiet and kind == 'ws':
            self.ask_presence(device)
        return True

    def disconnect(self, device):
        abort = self.random.random() < 0.5
        self.note('%r ends, abort=%s', device, abort)
        device.end(abort)
        self.active[device.user] = time.monotonic()

    def shuffle_devices(self, users=USERS):
        """Some go, some come, some change their transport; some catch up by inbox.sync."""
        for device in [d for u in users for d in self.devices[u]]:
            x = self.random.random()
            if device.kind is None and x < 0.25:
                kind = self.random.choices(['ws', 'sse', 'poll'], [6, 3, 0 if self.quiet else 2])[0]
                self.connect(device, kind)
            elif device.kind is None and x < 0.3 and not self.quiet:
                self.sync(device)
            elif device.kind is not None and x < (0.06 if device.kind != 'poll' else 0.3):
                self.disconnect(device)

    def sync(self, device):
        """What a client does that polls."""
        self.note('%r syncs', device)
        while True:
            limit = self.random.choice([1, 7, 100, 1000])
            page = self.ask(device.user, 'inbox.sync', {'after': device.cursor, 'limit': limit})
            equal(page['inbox_id'] >= device.cursor, True, 'inbox_id of %r' % device)
            assert len(page['events']) <= limit
            for e in page['events']:
                device.event(e['method'], e['params'])
            if not page['more']:
                break
        self.look(device)
        self.counts['sync'] += 1

    # --- requests

    def ask(self, user, method, params):
        """Something that changes nothing: over a WebSocket in a quiet spell, else by HTTP."""
        end = time.monotonic() + WAIT
        op = Op(user, method, params)
        while op.got is None:
            assert time.monotonic() < end, 'no answer to %r' % op
            self.pump()
            sockets = [d for d in self.devices[user] if d.kind == 'ws']
            if sockets and (self.quiet or self.random.random() < 0.3):
                Connection(sockets[0], [op]).finish()
            else:
                op.device = None
                Socket(self.server, [op]).finish()
                self.active[user] = time.monotonic()
            if op.got is None:
                time.sleep(0.02)
        if isinstance(op.got, Refused):
            raise AssertionError('refused: %r' % op)
        return op.got

    def carriers(self, ops):
        """Each operation on some transport, neighbours of one user perhaps as a batch."""
        found = []
        while ops:
            op = ops.pop(0)
            group = [op]
            while ops and ops[0].user == op.user and self.random.random() < 0.7:
                group.append(ops.pop(0))
            sockets = [d for d in self.devices[op.user] if d.kind == 'ws'
                       and not (len(group) > 1 and any(c.device is d for c in found if isinstance(c, Connection)))]
            if self.quiet:
                sockets = sockets or [d for d in self.devices[op.user] if d.kind == 'ws']
            if sockets and (self.quiet or self.random.random() < 0.75):
                device = self.random.choice(sockets)
                for o in group:
                    o.device = device.name
                c = Connection(device, group)
            else:
                name = self.random.choice(self.devices[op.user]).name
                for o in group:
                    o.device = name
                rest = len(group) == 1 and op.method == 'message.send' and self.random.random() < 0.4
                c = Socket(self.server, group, '/v1/messages' if rest else '/rpc')
            for i, o in enumerate(group):
                self.tried[o.user].add(o.device)
                o.sent += 1
                o.lane = (id(c.device) if isinstance(c, Connection) else id(c), len(found), i) if o.sent == 1 else None
            found.append(c)
        return found

    def round(self, ops, disturb=None):
        todo = list(ops)
        end = time.monotonic() + WAIT
        first = True
        while todo:
            assert time.monotonic() < end, 'no answer within %d s: %r' % (WAIT, todo)
            carriers = self.carriers(list(todo))
            if disturb and first:
                self.disturb(disturb)
            first = False
            for c in carriers:
                c.finish()
            for op in todo:
                op.disturbed |= self.disturbed_at > self.round_at
                if op.got is not None:
                    self.active[op.user] = time.monotonic()
                    self.model.users[op.user].devices.setdefault(op.device, Behind())
            todo = [op for op in todo if op.got is None]
            if todo:
                self.pump()
                time.sleep(0.02)
        if not self.quiet:
            self.read_logs()
        self.order(list(ops))
        while self.known:
            self.check_logged(*self.known.pop())
        if self.killed_at is not None:
            self.model.killed(self.killed_at)
            self.killed_at = None
        self.pump()

    def read_logs(self):
        """Every inbox from where it was left."""
        todo = {u: Op(u, 'inbox.sync', {'after': self.log[u], 'limit': 1000}) for u in USERS}
        end = time.monotonic() + WAIT
        while todo:
            assert time.monotonic() < end, 'no answer to inbox.sync'
            sockets = [Socket(self.server, [op]) for op in todo.values()]
            for s in sockets:
                s.finish()
            for u, op in list(todo.items()):
                if op.got is None:
                    continue
                assert not isinstance(op.got, Refused), op
                self.active[u] = time.monotonic()
                for e in op.got['events']:
                    self.logged(u, e['method'], dict(e['params']))
                op.params['after'] = self.log[u]
                if op.got['more']:
                    op.got = None
                else:
                    equal(op.got['inbox_id'], self.log[u], 'newest of %s' % u)
                    del todo[u]

    def logged(self, user, method, params):
        inbox, inbox_id = self.model.users[user].inbox, params.pop('inbox_id')
        equal(inbox_id, self.log[user] + 1, 'inbox id of %s' % user)
        self.log[user] = inbox_id
        if inbox_id > len(inbox):
            self.pending[user].append((method, params))
        else:
            self.known.append((user, inbox_id, method, params))

    def check_logged(self, user, inbox_id, method, params):
        entry = self.model.users[user].inbox[inbox_id - 1]
        if not entry.accepts(method, params, strict=True):
            raise AssertionError('inbox %d of %s is %s %s, not %r' % (inbox_id, user, method, params, entry))

    # --- receipts

    def markers(self, op):
        if op.method not in ('channel.read', 'inbox.ack') or isinstance(op.got, Refused):
            return {}
        return {c.id: (c.members[op.user].delivered.value, c.members[op.user].read.value)
                for c in self.model.channels.values() if op.user in c.members}

    def owe(self, op, before):
        """Who is connected and wrote what a marker went past hears of it."""
        for channel, was in before.items():
            c = self.model.channels[channel]
            me = c.members[op.user]
            is_ = me.delivered.value, me.read.value
            if is_ == was or me.delivered.sure != is_[0] or me.read.sure != is_[1]:
                continue
            for u in c.members:
                wrote = any(m.first['sender'] == u for m in c.messages[max(0, is_[0] - 50):is_[0]])
                if u != op.user and (wrote or c.kind == 'direct'):
                    for d in self.devices[u]:
                        if d.standing and not op.disturbed and d.since < self.round_at:
                            self.owed[channel, op.user, d] = is_

    # --- what is disturbed

    def disturb(self, what):
        self.note('--- %s', what)
        self.counts[what] += 1
        if what == 'reload':
            self.server.nginx.send_signal(signal.SIGHUP)
        else:
            pid = self.server.pool_processes().get(what)
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if what != 'chatd: worker 0' and what != 'chatd: worker 1':
                self.killed_at = time.monotonic()
        self.disturbed_at = time.monotonic()
        self.owed.clear()

    # --- the whole

    def quiet_spell(self):
        """Some go offline; the others go on, one operation at a time."""
        self.check()
        self.note('--- quiet')
        self.quiet = True
        for d in self.all:
            if d.kind == 'poll':
                self.disconnect(d)
        away = set(self.random.sample(USERS, len(USERS) // 3))
        for d in [d for u in away for d in self.devices[u]]:
            self.disconnect(d) if d.kind else None
        here = [u for u in USERS if u not in away]
        for d in self.all:
            if d.kind == 'ws':
                self.ask_presence(d)
        end = time.monotonic() + PRESENCE_TIMEOUT + SLACK + 3
        kill_at = time.monotonic() + 1 if self.random.random() < 0.4 else None
        while time.monotonic() < end:
            self.round_at = time.monotonic()
            self.shuffle_devices(here)
            able = [u for u in here if any(d.kind == 'ws' for d in self.devices[u])]
            if not able:
                self.connect(self.devices[here[0]][0], 'ws') if self.devices[here[0]][0].kind is None else None
                continue
            disturb = None
            if kill_at and time.monotonic() > kill_at:
                kill_at, disturb = None, self.random.choice(['chatd: store', 'chatd: worker 0', 'chatd: worker 1'])
            self.round([self.choose(self.random.choice(able))], disturb)
            if self.random.random() < 0.2:
                self.check_presence()
            self.pump()
            time.sleep(0.01)    # the spell is there for time to pass
        self.check_presence()
        self.quiet = False
        self.note('--- loud')

    def run(self):
        self.started = self.round_at = time.monotonic()
        end = self.started + self.seconds
        next_disturb, next_quiet = self.started + 2, self.started + 5
        rounds = 0
        for u in USERS:
            # a request by HTTP alone makes nobody a user
            self.connect(self.devices[u][0], 'ws')
        # on a slow machine until enough is done
        while time.monotonic() < end or self.counts['message.send'] <= 2 * self.seconds / SLOW:
            disturb = None
            self.round_at = time.monotonic()
            if self.round_at >= next_disturb:
                next_disturb = self.round_at + self.random.uniform(1, 4) * SLOW
                disturb = self.random.choice(['chatd: store', 'chatd: worker 0', 'chatd: worker 1', 'chatd: parent',
                                              'reload', 'reload'])
            self.shuffle_devices()
            self.round(self.choose_some(self.random.choice([1, 2, 4, 8, 12])), disturb)
            rounds += 1
            if self.random.random() < 0.25:
                self.check()
            if time.monotonic() >= next_quiet:
                self.quiet_spell()
                next_quiet = time.monotonic() + 12
        self.finish()
        print('# seed %d: %d rounds, %s' % (self.seed, rounds, dict(sorted(self.counts.items()))), flush=True)

    def finish(self):
        """Everybody comes back, and all is looked at."""
        self.note('--- the end')
        for d in self.all:
            while d.kind is None and not self.connect(d, 'ws'):
                time.sleep(0.05)
        self.round([])
        self.check_synced()
        for c in self.model.channels.values():
            if c.members:
                self.check_channel(c)
        for u in USERS:
            self.check_list(u)
            self.check_contacts(u)
            self.check_devices(u)
            self.log[u] = 0
        self.round([])
        for c in self.model.channels.values():
            if c.members and c.newest:
                self.check_history(c)
        self.check_presence()
        for d in self.all:
            d.end()
        self.server.stop()
        status, output = self.server.check_store()
        equal(status, 0, output)


def run(seed, seconds):
    print('# SEED=%d SECONDS=%g' % (seed, seconds), flush=True)
    world = World(seed, seconds)
    try:
        world.run()
    except BaseException:
        print('# failed with SEED=%d SECONDS=%g; what came last:' % (seed, seconds))
        for line in world.trace:
            print('#   ' + line[:600])
        raise


for number, seed_ in enumerate(SEEDS):
    def one(seed=seed_):
        run(seed, SECONDS)
    test('%s: %g s of everything at random: inboxes, unread, receipts, lists, cursors and presence are as the model says'
         % ('a fixed seed' if number == 0 and len(SEEDS) > 1 else 'a seed', SECONDS))(one)

main()
