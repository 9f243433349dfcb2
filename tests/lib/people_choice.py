"""What is done next, at random: mostly what is allowed, now and then what is not."""

from people_requests import Op

EMOJI = ['+', '\u2764', '\U0001f44d', 'no']


class Choice:
    """A part of World, which has random, users, devices, model, done, n, quiet, channel_of()."""

    def choose(self, user=None):
        r = self.random
        user = user or r.choice(self.users)
        mine = [c for c in self.model.channels.values() if user in c.members]
        groups = [c for c in mine if c.kind == 'group']
        self.n += 1
        client_id = 'c%d' % self.n
        x = r.random()
        if x < 0.05 and self.done:
            of = r.choice([op for op in self.done if op.method != 'message.send'] or self.done if r.random() < 0.7
                          else self.done)
            if not self.quiet or any(d.kind == 'ws' for d in self.devices[of.user]):
                return Op(of.user, 'repeat', of.params, of=of)
        if x < 0.33 or not mine:
            return self.choose_send(user, mine, client_id)
        if x < 0.44:
            return self.choose_contact(user, client_id)
        if x < 0.50:
            return self.choose_ack(user)
        if x < 0.53 or not groups:
            if len(self.model.channels) > 40:
                return self.choose_send(user, mine, client_id)
            params = {'name': 'g%d' % self.n, 'members': r.sample(self.users, r.randrange(0, 6)), 'client_id': client_id}
            if r.random() < 0.3:
                params['avatar'] = 'a%d.png' % self.n
            return Op(user, 'channel.create', params)
        if x < 0.66:
            return self.choose_group(user, client_id)
        return self.choose_in(user, r.choice(list(self.model.channels.values()) if r.random() < 0.1 else mine), client_id)

    def choose_send(self, user, mine, client_id):
        r = self.random
        params = {'client_id': client_id, 'text': 'text %d %s' % (self.n, 'x' * r.choice([0, 0, 10, 300, 5000]))}
        if mine and r.random() < 0.6:
            channel = r.choice(mine)
            params['channel'] = channel.id
            if channel.newest and r.random() < 0.2:
                params['reply_to'] = r.randrange(1, channel.newest + 2)
        else:
            params['to'] = r.choice(self.users)
        if r.random() < 0.2:
            params['mentions'] = r.sample(self.users, 2)
        return Op(user, 'message.send', params)

    def choose_contact(self, user, client_id):
        r = self.random
        what = r.choices(['request', 'accept', 'decline', 'remove', 'block', 'unblock'], [5, 4, 1, 2, 1, 4])[0]
        other = r.choice(self.users)
        known = [o for o, (s, _) in self.model.users[user].contacts.items() if s == 'incoming']
        if known and r.random() < 0.6:
            what, other = r.choice(['accept', 'accept', 'accept', 'decline']), r.choice(known)
        return Op(user, 'contact.' + what, {'user': other, 'client_id': client_id})

    def choose_ack(self, user):
        upto = self.random.randrange(0, len(self.model.users[user].inbox) + 2)
        return Op(user, 'inbox.ack', {'inbox_id': upto})

    def choose_group(self, user, client_id):
        r = self.random
        groups = [c for c in self.model.channels.values() if c.kind == 'group' and
                  (user in c.members or r.random() < 0.1)]
        direct_ = [c for c in self.model.channels.values() if c.kind == 'direct' and user in c.members]
        channel = r.choice(direct_ if direct_ and r.random() < 0.05 else groups or list(self.model.channels.values()))
        params = {'channel': channel.id, 'client_id': client_id}
        what = r.choices(['add', 'remove', 'leave', 'role', 'update'], [6, 2, 1, 3, 2])[0]
        if what in ('add', 'remove'):
            params['users'] = r.sample(self.users, r.randrange(1, 4))
        elif what == 'role':
            params.update(user=r.choice(self.users), role=r.choice(['owner', 'admin', 'member']))
        elif what == 'update':
            params['name'] = r.choice([channel.name or 'x', 'n%d' % self.n])
            if r.random() < 0.3:
                params['avatar'] = r.choice(['', 'b%d.png' % self.n])
        return Op(user, 'channel.' + what, params)

    def choose_in(self, user, channel, client_id):
        r = self.random
        params = {'channel': channel.id, 'client_id': client_id}
        newest = channel.newest
        what = r.choices(['edit', 'delete', 'react', 'read', 'hide', 'mute', 'get'], [5, 2, 5, 5, 2, 2, 2])[0]
        if what in ('edit', 'delete', 'react', 'get'):
            own = [i for i in range(1, newest + 1) if channel.message(i).first['sender'] == user]
            params['message_id'] = r.choice(own) if own and what in ('edit', 'delete') and r.random() < 0.8 else \
                r.randrange(max(1, newest - 5), newest + 2)
            if what == 'edit':
                params['text'] = r.choice(['same', 'edit %d' % self.n])
            elif what == 'react':
                params['emoji'] = r.choice(EMOJI)
                if r.random() < 0.4:
                    params['remove'] = r.random() < 0.8
            elif what == 'get':
                del params['client_id']
            return Op(user, 'message.' + what, params)
        if what == 'read':
            params['message_id'] = r.randrange(0, newest + 2)
        elif what == 'mute':
            params['until'] = r.choice([0, None, 1900000000000 + self.n])
        return Op(user, 'channel.' + what, params)

    def choose_some(self, n):
        """Several at once, without those whose order nothing would show: a hide and
        a send, two mutes of one member, two changes of one contact."""
        ops, taken = [], set()
        for _ in range(n):
            op = self.choose(ops[-1].user if ops and self.random.random() < 0.3 else None)
            channel = self.channel_of(op)
            keys = {(channel, 'hidden')} if op.method in ('channel.hide', 'channel.mute') else set()
            if op.method.startswith('contact.'):
                keys.add(frozenset((op.user, op.params['user'])))
            if op.of is not None:
                keys.add((op.of.params.get('channel'), 'any'))
            clash = keys & taken or (channel, 'hidden') in taken or (channel, 'any') in taken or (
                keys and any(self.channel_of(o) == channel for o in ops) and channel is not None) or (
                op.of is not None and any(self.channel_of(o) == op.of.params.get('channel') for o in ops))
            if not clash:
                taken |= keys
                ops.append(op)
        return ops
