"""Holds what the server shows against the model."""

import time

from chat import SLOW, equal, until
from people_model import Behind
from people_requests import WAIT, Connection, Op

PRESENCE_TIMEOUT = 2
SLACK = 3 * SLOW    # how late the server may be with what it does once a second


class Looks:
    """A part of World, which has random, users, devices, model, told, owed, ask(), pump()."""

    def check(self):
        r = self.random
        self.check_synced()
        self.check_list(r.choice(self.users))
        channels = [c for c in self.model.channels.values() if c.members]
        if channels:
            self.check_channel(r.choice(channels))
            self.check_history(r.choice(channels))
        user = r.choice(self.users)
        self.check_contacts(user)
        self.check_devices(user)
        self.check_receipts()
        self.counts['checks'] += 1

    def check_receipts(self):
        def missing():
            self.pump()
            found = []
            for (channel, user, d), (delivered, read) in list(self.owed.items()):
                c = self.model.channels[channel]
                if not d.standing or user not in c.members or d.user not in c.members:
                    del self.owed[channel, user, d]
                    continue
                got = self.receipts[d].get((channel, user), (0, 0))
                m = c.members[user]
                assert got[0] <= m.delivered.value and got[1] <= m.read.value, \
                    '%r: receipt %s of %s in %s, who is at %r, %r' % (d, got, user, channel, m.delivered, m.read)
                if got[0] < delivered or got[1] < read:
                    found.append((channel, user, d, got, (delivered, read)))
                else:
                    del self.owed[channel, user, d]
            return found
        self.in_time('receipts', lambda: missing() or None)

    def check_synced(self):
        """Who is connected gets everything."""
        def behind():
            self.pump()
            for d in self.all:
                if d.kind == 'poll':
                    continue
                if d.kind and d.cursor < len(self.model.users[d.user].inbox):
                    return d
            return None
        try:
            until(lambda: behind() is None, WAIT, 'devices', every=0.01)
        except AssertionError:
            d = behind()
            raise AssertionError('%r is not told what is beyond; the inbox ends at %d'
                                 % (d, len(self.model.users[d.user].inbox)))
        for d in self.all:
            self.look(d)
            assert not self.waiting[d], '%r was told more than there is: %s' % (d, self.waiting[d])

    def in_time(self, what, look):
        """look() says what is wrong, or None; what is delivered is known a moment later."""
        wrong = look()
        end = time.monotonic() + 10 * SLOW
        while wrong is not None and time.monotonic() < end:
            time.sleep(0.05)
            wrong = look()
        assert wrong is None, '%s: %s' % (what, wrong)

    def check_channel(self, channel, user=None):
        user = user or self.random.choice(list(channel.members))
        def look():
            got = self.ask(user, 'channel.get', {'channel': channel.id})['channel']
            if channel.created_at is None:
                channel.created_at = got['created_at']
            want = channel.shown()
            want['muted_until'] = channel.members[user].muted
            shown = [{k: m[k] for k in ('user', 'role')} for m in got['members']]
            if dict(got, members=shown) != want:
                return 'is %s, not %s' % (got, want)
            for m in got['members']:
                mine = channel.members[m['user']]
                if not mine.read.sure <= m['read'] <= mine.read.value or \
                        not mine.delivered.sure <= m['delivered'] <= mine.delivered.value:
                    return '%s of %s, not delivered %r and read %r' % (m, channel.id, mine.delivered, mine.read)
            for m in got['members']:
                mine = channel.members[m['user']]
                mine.read.seen(m['read'])
                mine.delivered.seen(m['delivered'])
            return None
        self.in_time('channel.get of %s' % user, look)

    def check_list(self, user):
        want = self.model.list(user)
        for _, c, _ in want:
            if c.created_at is None:
                self.check_channel(c, user)
        want = self.model.list(user)
        got, after = [], {}
        while True:
            page = self.ask(user, 'channel.list', dict(after, limit=self.random.choice([3, 50])))
            got += page['channels']
            if not page['more']:
                break
            after = {'after': page['next']}
        equal([r['last_message']['sent_at'] if r['last_message'] else r['created_at'] for r in got],
              [a for a, _, _ in want], 'activities in channel.list of %s (%s)' % (user, [c.id for _, c, _ in want]))
        equal(sorted(r['channel'] for r in got), sorted(c.id for _, c, _ in want), 'channel.list of %s' % user)
        for row in got:
            c = self.model.channels[row['channel']]
            m = c.members[user]
            shown = dict(c.shown(), muted_until=m.muted, unread=c.newest - row['read'], read=row['read'],
                         last_message=c.messages[-1].shown() if c.messages else None)
            equal(row, shown, 'channel.list of %s: %s' % (user, c.id))
            assert m.read.seen(row['read']), 'channel.list of %s: %s read %d, not %r' % (user, c.id, row['read'], m.read)

    def check_history(self, channel):
        r, user = self.random, self.random.choice(list(channel.members))
        at, limit = r.randrange(1, channel.newest + 2), r.choice([1, 5, 200])
        kind = r.choice(['before', 'after', None])
        got = self.ask(user, 'message.history', dict({kind: at} if kind else {}, channel=channel.id, limit=limit))
        ids = list(range(1, channel.newest + 1))
        inside = [i for i in ids if i < at] if kind == 'before' else [i for i in ids if i > at] if kind == 'after' else ids
        want = inside[:limit] if kind == 'after' else inside[-limit:]
        equal(got['messages'], [channel.message(i).shown() for i in want], 'history of %s %s %s' % (channel.id, kind, at))
        equal(got['more'], len(inside) > len(want), 'more of history')

    def check_contacts(self, user):
        got = self.ask(user, 'contact.list', {})
        equal({c['user']: c['state'] for c in got['contacts']}, self.model.contact_list(user), 'contacts of %s' % user)

    def check_devices(self, user):
        got = {d['device']: d['inbox_id'] for d in self.ask(user, 'device.list', {})['devices']}
        want = self.model.users[user].devices
        for name in set(got) & self.tried[user] - set(want):
            want[name] = Behind()
        equal(sorted(got), sorted(want), 'devices of %s' % user)
        for name, at in got.items():
            assert want[name].seen(at), 'device %s is at %d, not %r' % (name, at, want[name])
        if got:
            acked = self.model.users[user].acked
            acked.sure = min(max(acked.sure, max(got.values())), acked.value)

    # --- quiet spells: presence

    def truly(self, user):
        """True, False, or None when it cannot be said."""
        now = time.monotonic()
        devices = self.devices[user]
        if any(d.standing and d.since < now - 0.5 * SLOW for d in devices):
            return True
        if any(d.kind for d in devices) or now - max(self.active[user], self.disturbed_at) < PRESENCE_TIMEOUT + SLACK:
            return None
        return False

    def ask_presence(self, device):
        """What a client asks for when it comes; from then on it has to be told."""
        op, start = Op(device.user, 'presence.get', {'users': self.users}), time.monotonic()
        Connection(device, [op]).finish()
        for u in op.got['users'] if isinstance(op.got, dict) and device.kind else []:
            if self.told[device].get(u['user'], (None, 0))[1] < start:
                self.told[device][u['user']] = (u['online'], start)

    def check_presence(self):
        """What presence.get says, and what those who are to be told were told last."""
        askers = [d for d in self.all if d.kind == 'ws']
        if not askers:
            return
        asker = self.random.choice(askers).user
        def wrong():
            self.pump()
            if not any(d.kind == 'ws' for d in self.devices[asker]):
                return None
            got = self.ask(asker, 'presence.get', {'users': self.users})['users']
            equal([g['user'] for g in got], self.users)
            for g in got:
                self.in_good_time(g)
                visible, truth = self.model.visible(asker, g['user']), self.truly(g['user'])
                if not visible and (g['online'] or g['last_active_at'] is not None):
                    return '%s may not see %s' % (asker, g)
                if visible and truth is not None and g['online'] != truth:
                    return '%s should see %s %s, not %s' % (asker, g['user'], truth, g)
            for d in askers:
                for other, (online, _) in self.told[d].items():
                    friends = self.model.users[other].contact(d.user) == ('friend', False) and d.standing
                    truth = self.truly(other)
                    if friends and truth is not None and online != truth and other != d.user:
                        return '%r was last told that %s is %s' % (d, other, online)
            return None
        self.in_time('presence', wrong)
        self.counts['presence checks'] += 1
