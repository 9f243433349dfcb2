"""What the server has to know, as plain as it can be said: users, contacts,
channels, messages, markers, inboxes.  Nothing here talks to a server.

plan(op) says what an operation would do now: its answer, the events with
whose inbox they go to, and how the state changes.  Times and the ids of groups
are the server's to choose: they are taken from the answer the operation got
(op.got).  Markers and cursors are written behind, so a kill may take the last
seconds of them back: they are kept as what is sure and what is said.
"""

import collections
import time

BEHIND = 6    # seconds that a kill may take back; one, on a machine at rest


class Refused(Exception):
    """The answer is an error."""

    def __init__(self, code, reason):
        super().__init__('%d %s' % (code, reason))
        self.code, self.reason = code, reason


class Impossible(Exception):
    """No answer like op.got can come now."""


def direct(a, b):
    return 'd.' + '~'.join(sorted((a, b)))


def kept(message, *without, **more):
    return dict({k: v for k, v in message.items() if k not in without}, **more)


class Behind:
    """A number that only grows and is written behind: at least `sure`."""

    def __init__(self, value=0):
        self.sure = self.value = value
        self.log = collections.deque()    # (when, what was sure before)

    def raise_to(self, value, sure=None):
        sure = value if sure is None else sure
        if value > self.value or sure > self.sure:
            self.log.append((time.monotonic(), self.sure))
            self.value, self.sure = max(self.value, value), max(self.sure, sure)
        while self.log and self.log[0][0] < time.monotonic() - 60:
            self.log.popleft()

    def killed(self, at):
        for when, sure in self.log:
            if when > at - BEHIND:
                self.sure = min(self.sure, sure)
                break

    def seen(self, value):
        """The server says so: what is possible is the truth from now on."""
        if not self.sure <= value <= self.value:
            return False
        if value != self.value or value != self.sure:
            self.sure = self.value = value
            self.log.clear()
        return True

    def __repr__(self):
        return '%d' % self.value if self.sure == self.value else '%d..%d' % (self.sure, self.value)


class Member:
    def __init__(self, role, newest):
        self.role, self.read, self.delivered = role, Behind(newest), Behind(newest)
        self.hidden, self.muted = 0, 0

    def own(self, message_id):
        for marker in (self.read, self.delivered):
            marker.raise_to(message_id)

    def has_read(self, message_id):
        self.read.raise_to(message_id)
        self.delivered.raise_to(message_id)


class Message:
    def __init__(self, first):
        self.first = first        # as it was sent
        self.now = first          # without reactions
        self.revisions = []       # as each edit told it
        self.reactions = []       # [emoji, [users]]
        self.deleted = False

    def shown(self):
        if not self.reactions:
            return self.now
        return dict(self.now, reactions=[{'emoji': e, 'users': list(u)} for e, u in self.reactions])


class Channel:
    def __init__(self, channel, kind, created_at, name=None, avatar=None):
        self.id, self.kind, self.created_at, self.name, self.avatar = channel, kind, created_at, name, avatar
        self.members = {}         # user -> Member, in joining order
        self.messages = []

    @property
    def newest(self):
        return len(self.messages)

    def message(self, message_id):
        return self.messages[message_id - 1]

    def activity(self):
        return self.messages[-1].first['sent_at'] if self.messages else self.created_at

    def shown(self, created_at=None):
        c = {'channel': self.id, 'kind': self.kind, 'created_at': self.created_at or created_at,
             'members': [{'user': u, 'role': m.role} for u, m in self.members.items()]}
        if self.kind == 'group':
            c['name'] = self.name
        if self.avatar:
            c['avatar'] = self.avatar
        return c

    def short(self):
        return {'channel': self.id, 'kind': self.kind}

    def hand_over(self):
        roles = [m.role for m in self.members.values()]
        if roles and 'owner' not in roles:
            heirs = [m for m in self.members.values() if m.role == 'admin'] or list(self.members.values())
            heirs[0].role = 'owner'


class Entry:
    """An event in an inbox.  That of a deleted message tells no text any more."""

    def __init__(self, method, params, message=None):
        self.method, self.params, self.message = method, params, message

    def now(self):
        return {'message': self.message.now} if self.message and self.message.deleted else self.params

    def accepts(self, method, params, strict=False):
        """Read or pushed: what was pushed before a deletion had the text."""
        return method == self.method and (params == self.now() or not strict and params == self.params)

    def __repr__(self):
        return '%s %s' % (self.method, self.now())


class User:
    def __init__(self, name):
        self.name = name
        self.inbox = []
        self.contacts = {}        # other -> [state, blocks]
        self.devices = {}         # those the server knows -> Behind
        self.acked = Behind()

    def contact(self, other):
        return tuple(self.contacts.get(other, ('none', False)))

    def blocks(self, other):
        return self.contact(other)[1]


class Plan:
    def __init__(self, answer, events=(), change=None):
        self.answer, self.events, self.change = answer, list(events), change


class Model:
    def __init__(self, users):
        self.users = {u: User(u) for u in users}
        self.channels = {}
        self.plans = {'message.send': self.send, 'message.edit': self.edit, 'message.delete': self.delete,
                      'message.react': self.react, 'channel.create': self.create, 'channel.add': self.add,
                      'channel.remove': self.remove, 'channel.leave': self.leave, 'channel.role': self.role,
                      'channel.update': self.update, 'channel.hide': self.hide, 'channel.mute': self.mute,
                      'channel.read': self.read, 'inbox.ack': self.ack, 'message.get': self.get_message,
                      'repeat': self.repeat}
        for what in ('request', 'accept', 'decline', 'remove', 'block', 'unblock'):
            self.plans['contact.' + what] = self.contact

    # --- operations

    def plan(self, op):
        """What op would do now; Impossible when it got another answer."""
        try:
            p = self.plans[op.method](op)
        except Refused as r:
            if isinstance(op.got, Refused) and (op.got.code, op.got.reason) == (r.code, r.reason):
                return Plan(None)
            raise Impossible('should be refused with %s' % r)
        if isinstance(op.got, Refused):
            raise Impossible('should be done, with %r' % (p.answer,))
        got = op.got
        if op.sent > 1 or op.disturbed:
            got = kept(got, 'duplicate')
        # what is answered again may be the message as it is then
        loose = op.sent > 1 or op.disturbed
        if got != p.answer and not (loose and set(got) == set(p.answer) == {'message'} and all(
                got['message'][k] == p.answer['message'][k] for k in ('channel', 'message_id', 'sender'))):
            raise Impossible('should be answered with %r' % (p.answer,))
        return p

    def apply(self, p):
        for user, entry in p.events:
            self.users[user].inbox.append(entry)
        if p.change:
            p.change()

    def keep(self, op, p):
        """A function that undoes apply(p)."""
        me = self.users[op.user]
        lengths = [(self.users[u].inbox, len(self.users[u].inbox)) for u, _ in p.events]
        contacts = [(self.users[a].contacts, b, self.users[a].contacts.get(b))
                    for a, b in ((op.user, op.params.get('user')), (op.params.get('user'), op.user))
                    if op.method.startswith('contact.') and a in self.users]
        name = op.params.get('channel') or ('to' in op.params and direct(op.user, op.params['to'])) or (
            op.method == 'channel.create' and isinstance(op.got, dict) and op.got['channel']['channel'])
        channel = self.channels.get(name)
        objects = []
        if channel:
            objects = [channel, *channel.members.values()]
            if 1 <= op.params.get('message_id', 0) <= channel.newest:
                objects.append(channel.message(op.params['message_id']))
        saved = [(o, {k: v.copy() if isinstance(v, (list, dict)) and k != 'messages' else v
                      for k, v in o.__dict__.items()}) for o in objects]
        newest = channel.newest if channel else 0
        devices = dict(me.devices)
        behind = [(b, b.sure, b.value, list(b.log)) for b in self.markers(op.user, me)] if op.method in (
            'message.send', 'channel.read', 'inbox.ack') else []

        def restore():
            me.devices = devices
            for b, b.sure, b.value, log in behind:
                b.log = collections.deque(log)
            for inbox, length in lengths:
                del inbox[length:]
            for of, other, was in contacts:
                of.pop(other, None)
                if was is not None:
                    of[other] = was
            for o, values in saved:
                o.__dict__.update(values)
            if channel:
                del channel.messages[newest:]
                self.channels[name] = channel
            elif name:
                self.channels.pop(name, None)
        return restore

    def markers(self, name, user):
        members = [c.members[name] for c in self.channels.values() if name in c.members]
        return [user.acked, *user.devices.values(), *(b for m in members for b in (m.read, m.delivered))]

    def took(self, op, *path):
        """A value that the server chose."""
        value = op.got
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return 0 if value is None else value

    def member(self, op):
        channel = self.channels.get(op.params['channel'])
        if channel is None or op.user not in channel.members:
            raise Refused(404, 'channel_not_found')
        return channel, channel.members[op.user]

    def send(self, op):
        p, sender = op.params, self.users[op.user]
        if 'to' in p:
            channel = self.channels.get(direct(op.user, p['to']))
            if self.users[p['to']].blocks(op.user):
                raise Refused(403, 'blocked')
        else:
            channel, _ = self.member(op)
            self.heard(op, channel)
        newest = channel.newest if channel else 0
        if p.get('reply_to', 0) > newest:
            raise Refused(404, 'message_not_found')
        new = channel is None
        if new:
            channel = Channel(direct(op.user, p['to']), 'direct', None)
            for u in (op.user, p['to']):
                channel.members[u] = Member('member', 0)
        sent_at = self.took(op, 'sent_at')
        if channel.messages and sent_at < channel.messages[-1].first['sent_at']:
            raise Impossible('sent_at went back')
        message = Message(dict({k: p[k] for k in ('client_id', 'text', 'reply_to', 'mentions') if k in p}, type='text',
                               channel=channel.id, message_id=newest + 1, sender=op.user, sent_at=sent_at))
        answer = {'channel': channel.id, 'message_id': newest + 1, 'inbox_id': len(sender.inbox) + 1,
                  'sent_at': sent_at}
        def change():
            self.channels[channel.id] = channel
            channel.messages.append(message)
            channel.members[op.user].own(newest + 1)
        return Plan(answer, self.tell(channel, Entry('message.new', {'message': message.first}, message)), change)

    def heard(self, op, channel):
        """In a direct channel nobody is told anything by one whom he blocks."""
        if channel.kind == 'direct' and any(self.users[u].blocks(op.user) for u in channel.members):
            raise Refused(403, 'blocked')

    def tell(self, channel, entry):
        return [(u, entry) for u in channel.members]

    def message_of(self, op):
        channel, member = self.member(op)
        if not 1 <= op.params['message_id'] <= channel.newest:
            raise Refused(404, 'message_not_found')
        return channel, member, channel.message(op.params['message_id'])

    def get_message(self, op):
        return Plan({'message': self.message_of(op)[2].shown()})

    def edit(self, op):
        channel, member, m = self.message_of(op)
        if m.first['sender'] != op.user:
            raise Refused(403, 'not_allowed')
        if m.deleted:
            raise Refused(410, 'message_deleted')
        self.heard(op, channel)
        if m.now['text'] == op.params['text']:
            return Plan({'message': m.shown()})
        edited_at = self.took(op, 'message', 'edited_at')
        if edited_at < m.first['sent_at'] and not op.sent > 1:
            raise Impossible('edited before it was sent')
        now = dict(m.now, text=op.params['text'], edited_at=edited_at)
        told = dict(now, reactions=m.shown()['reactions']) if m.reactions else now
        def change():
            m.now = now
            m.revisions.append(told)
            op.revision = told
        return Plan({'message': told}, self.tell(channel, Entry('message.edited', {'message': told}, m)), change)

    def delete(self, op):
        channel, member, m = self.message_of(op)
        if m.first['sender'] != op.user and member.role == 'member':
            raise Refused(403, 'not_allowed')
        if m.deleted:
            return Plan({'message': m.shown()})
        gone = kept(m.now, 'text', deleted_at=self.took(op, 'message', 'deleted_at'))
        def change():
            m.now, m.deleted, m.reactions = gone, True, []
        return Plan({'message': gone}, self.tell(channel, Entry('message.deleted', {'message': gone}, m)), change)

    def react(self, op):
        channel, member, m = self.message_of(op)
        emoji, remove = op.params['emoji'], op.params.get('remove', False)
        if m.deleted:
            raise Refused(410, 'message_deleted')
        if not remove:
            self.heard(op, channel)
        after = [[e, [u for u in users if not (remove and e == emoji and u == op.user)]] for e, users in m.reactions]
        mine = next((users for e, users in after if e == emoji), None)
        if not remove and mine is None:
            after.append([emoji, [op.user]])
        elif not remove and op.user not in mine:
            mine.append(op.user)
        after = [r for r in after if r[1]]
        if after == m.reactions:
            return Plan({'message': m.shown()})
        if len(after) > 20:
            raise Refused(409, 'too_many_reactions')
        entry = Entry('message.reacted', {'channel': channel.id, 'message_id': op.params['message_id'],
                                          'user': op.user, 'emoji': emoji, 'removed': remove})
        answer = dict(m.now, reactions=[{'emoji': e, 'users': u} for e, u in after]) if after else m.now
        def change():
            m.reactions = after
        return Plan({'message': answer}, self.tell(channel, entry), change)

    # groups: a change is tried on a copy, which then takes the place

    def changed(self, op, channel, gone=()):
        shown = channel.shown()
        entry = Entry('channel.updated', {'channel': shown})
        out = Entry('channel.updated', {'channel': channel.short(), 'removed': True})
        answer = {'channel': shown if op.user in channel.members else channel.short()}
        def change():
            self.channels[channel.id] = channel
        return Plan(answer, self.tell(channel, entry) + [(u, out) for u in gone], change)

    def copy(self, channel):
        c = Channel(channel.id, channel.kind, channel.created_at, channel.name, channel.avatar)
        c.messages = channel.messages
        for u, m in channel.members.items():
            c.members[u] = Member(m.role, 0)
            c.members[u].__dict__.update(m.__dict__)
        return c

    def group(self, op, roles):
        channel, member = self.member(op)
        if channel.kind != 'group':
            raise Refused(403, 'not_a_group')
        if member.role not in roles:
            raise Refused(403, 'not_allowed')
        return self.copy(channel), member

    def newcomers(self, op, users, present):
        found = [u for u in dict.fromkeys(users) if u not in present]
        if any(self.users[u].blocks(op.user) for u in found):
            raise Refused(403, 'blocked')
        return found

    def create(self, op):
        p = op.params
        found = self.newcomers(op, p['members'], {op.user})
        channel = Channel(self.took(op, 'channel', 'channel'), 'group', self.took(op, 'channel', 'created_at'),
                          p['name'], p.get('avatar'))
        if channel.id in self.channels and not op.sent > 1:
            raise Impossible('an id that is taken')
        channel.members[op.user] = Member('owner', 0)
        for u in found:
            channel.members[u] = Member('member', 0)
        return self.changed(op, channel)

    def add(self, op):
        channel, _ = self.group(op, ('owner', 'admin'))
        found = self.newcomers(op, op.params['users'], channel.members)
        if not found:
            return Plan({'channel': channel.shown()})
        for u in found:
            channel.members[u] = Member('member', channel.newest)
        return self.changed(op, channel)

    def remove(self, op):
        channel, member = self.group(op, ('owner', 'admin'))
        gone = [u for u in dict.fromkeys(op.params['users']) if u in channel.members]
        if member.role != 'owner' and any(u != op.user and channel.members[u].role != 'member' for u in gone):
            raise Refused(403, 'not_allowed')
        if not gone:
            return Plan({'channel': channel.shown()})
        for u in gone:
            del channel.members[u]
            channel.hand_over()
        return self.changed(op, channel, gone)

    def leave(self, op):
        channel, _ = self.group(op, ('owner', 'admin', 'member'))
        del channel.members[op.user]
        channel.hand_over()
        return self.changed(op, channel, [op.user])

    def role(self, op):
        channel, _ = self.group(op, ('owner',))
        other = channel.members.get(op.params['user'])
        if other is None:
            raise Refused(404, 'member_not_found')
        if other.role == op.params['role']:
            return Plan({'channel': channel.shown()})
        if other.role == 'owner' and [m.role for m in channel.members.values()].count('owner') == 1:
            raise Refused(403, 'not_allowed')
        other.role = op.params['role']
        return self.changed(op, channel)

    def update(self, op):
        channel, _ = self.group(op, ('owner', 'admin'))
        before = channel.shown()
        channel.name = op.params.get('name', channel.name)
        channel.avatar = op.params.get('avatar', channel.avatar)
        if channel.shown() == before:
            return Plan({'channel': before})
        return self.changed(op, channel)

    # what is a member's own

    def hide(self, op):
        channel, member = self.member(op)
        def change():
            member.hidden = channel.newest + 1
        created_at = self.took(op, 'channel', 'created_at')
        return Plan({'channel': channel.shown(created_at)}, (), change)

    def mute(self, op):
        channel, member = self.member(op)
        until = op.params['until']
        got = op.got['channel'] if isinstance(op.got, dict) and 'channel' in op.got else None
        # the answer has markers: those are looked at by channel.get
        answer = dict(channel.shown(self.took(op, 'channel', 'created_at')), muted_until=until)
        if got is not None and len(got['members']) == len(answer['members']):
            answer['members'] = [dict(m, **{k: g[k] for k in ('delivered', 'read')}) if m['user'] == g['user'] else m
                                 for m, g in zip(answer['members'], got['members'])]
        def change():
            member.muted = until
        return Plan({'channel': answer}, (), change)

    def read(self, op):
        channel, member = self.member(op)
        if op.params['message_id'] > channel.newest:
            raise Refused(-32602, 'beyond_newest')
        return Plan({}, (), lambda: member.has_read(op.params['message_id']))

    def ack(self, op):
        user, upto = self.users[op.user], op.params['inbox_id']
        if upto > len(user.inbox):
            raise Refused(-32602, 'beyond_newest')
        def change():
            if upto == 0:
                return
            user.devices.setdefault(op.device, Behind()).raise_to(upto)
            for at in range(user.acked.sure, upto):
                entry = user.inbox[at]
                if entry.method == 'message.new':
                    m = entry.message.first
                    member = self.channels[m['channel']].members.get(op.user)
                    if member:
                        member.delivered.raise_to(m['message_id'], m['message_id'] if at >= user.acked.value else 0)
            user.acked.raise_to(upto)
        return Plan({}, (), change)

    # contacts

    def contact(self, op):
        what, other = op.method.split('.')[1], op.params['user']
        if other == op.user:
            raise Refused(-32602, 'oneself')
        me, him = self.users[op.user], self.users[other]
        (mine, blocks), (his, his_blocks) = me.contact(other), him.contact(op.user)
        was = self.contact_shown(mine, blocks), self.contact_shown(his, his_blocks)
        if what == 'request':
            if blocks:
                raise Refused(409, 'contact_blocked')
            if mine == 'incoming':
                mine = his = 'friend'
            elif mine == 'none':
                mine, his = 'requested', 'incoming'
        elif what == 'accept':
            if mine not in ('incoming', 'friend'):
                raise Refused(404, 'contact_not_found')
            if blocks:
                raise Refused(409, 'contact_blocked')
            mine = his = 'friend'
        elif what == 'decline':
            if mine != 'incoming':
                raise Refused(404, 'contact_not_found')
            mine = his = 'none'
        elif what == 'remove':
            mine = his = 'none'
        else:
            blocks = what == 'block'
        shown = self.contact_shown(mine, blocks), self.contact_shown(his, his_blocks)
        events = []
        for user, of, before, after in ((op.user, other, was[0], shown[0]), (other, op.user, was[1], shown[1])):
            if before != after:
                events.append((user, Entry('contact.updated', {'contact': {'user': of, 'state': after}})))
        def change():
            me.contacts[other], him.contacts[op.user] = [mine, blocks], [his, his_blocks]
        return Plan({'contact': {'user': other, 'state': shown[0]}}, events, change)

    @staticmethod
    def contact_shown(state, blocks):
        return 'blocked' if blocks else state

    # an operation sent again with its client_id

    def repeat(self, op):
        of = op.of
        if of.method == 'message.send':
            return Plan(dict(kept(of.got, 'duplicate'), **({} if op.sent > 1 or op.disturbed else {'duplicate': True})))
        if of.method.startswith('message.'):
            m = self.channels[of.params['channel']].message(of.params['message_id'])
            if of.revision and not m.deleted:
                return Plan({'message': of.revision})
            return Plan({'message': m.shown()})
        return Plan(of.got)

    # --- what is shown

    def list(self, user):
        """(activity, channel, member) of the channels that channel.list shows, newest first."""
        rows = [(c.activity(), c, c.members[user]) for c in self.channels.values() if user in c.members]
        return sorted([r for r in rows if r[2].hidden != r[1].newest + 1], key=lambda r: -(r[0] or 0))

    def contact_list(self, user):
        return {o: self.contact_shown(*c) for o, c in self.users[user].contacts.items() if self.contact_shown(*c) != 'none'}

    def visible(self, asker, seen):
        """May he see whether the other is online?"""
        if asker == seen:
            return True
        if self.users[seen].blocks(asker):
            return False
        if self.users[seen].contact(asker)[0] == 'friend':
            return True
        for c in self.channels.values():
            if asker in c.members and seen in c.members:
                senders = {m.first['sender'] for m in c.messages}
                if c.kind == 'group' or {asker, seen} <= senders:
                    return True
        return False

    def killed(self, at):
        """The process that writes behind was killed at that time."""
        for u in self.users.values():
            for b in [u.acked, *u.devices.values()]:
                b.killed(at)
        for c in self.channels.values():
            for m in c.members.values():
                m.read.killed(at)
                m.delivered.killed(at)
