"""The order in which operations took effect that were under way at once: one in
which every answer and every event is right has to be found."""

import collections
import time

from people_model import Impossible, Refused, direct

STEPS = 3000    # of the search; nearly always the first way is right


class Order:
    """A part of World, which has model, pending, quiet, done, counts, note()."""

    def order(self, ops):
        self.steps, self.why = STEPS, None
        found = self.search(ops)
        if found is None:
            raise AssertionError('no order explains\n%s\n%s' % (self.why, '\n'.join(
                '  inbox of %s: %s' % (u, p) for u, p in self.pending.items() if p)))
        for op in found:
            self.take(op)

    def search(self, todo):
        """A good order of those that are left, or None; everything is as it was then."""
        if not todo:
            left = {u: p for u, p in self.pending.items() if p}
            if left:
                self.why = self.why or 'events that nothing explains: %r' % left
            return None if left else []
        reasons, fitting = {}, []
        for op in todo:
            try:
                fitting.append((op, self.fits(op, todo)))
            except Impossible as i:
                reasons[op] = i
        # one that tells nobody anything may most often be done as soon as its answer fits
        for op, plan in sorted(fitting, key=lambda f: bool(f[1].events)):
            self.steps -= 1
            if self.steps < 0:
                return None
            restore = self.model.keep(op, plan)
            pending = {u: list(p) for u, p in self.pending.items()}
            self.consume(plan)
            self.model.apply(plan)
            rest = self.search([o for o in todo if o is not op])
            restore()
            self.pending.update(pending)
            if rest is not None:
                return [op] + rest
        if self.why is None:
            self.why = '\n'.join('  %r (sent %d times)\n    %s' % (op, op.sent, reasons.get(op)) for op in todo)
        return None

    def fits(self, op, todo):
        """The plan of an operation that may take effect now."""
        # what only reads may overtake a change that is not answered yet; what was refused
        # without an answer, for a process died, is tried again behind what was done
        channel = self.channel_of(op) if op.method != 'message.get' and not op.disturbed else None
        for other in todo:
            if (other is not op and op.lane and other.lane and other.lane[0] == op.lane[0] and other.lane < op.lane
                    and channel and self.channel_of(other) == channel):
                raise Impossible('comes after %r' % other)
        plan = self.model.plan(op)
        place = collections.Counter()
        for user, entry in plan.events if not self.quiet else ():
            pending = self.pending[user]
            got = pending[place[user]] if place[user] < len(pending) else None
            place[user] += 1
            if got is None or not self.may_be(entry, *got):
                raise Impossible('should tell %s %r, not %s' % (user, entry, got))
        return plan

    def consume(self, plan):
        for user, _ in plan.events if not self.quiet else ():
            del self.pending[user][0]

    def take(self, op):
        """It took effect."""
        plan = self.model.plan(op)
        self.consume(plan)
        before = self.markers(op)
        self.model.apply(plan)
        self.owe(op, before)
        if op.method == 'message.send' and not isinstance(op.got, Refused):
            # an own message says that he is there, without a receipt
            for key in [k for k in self.owed if k[:2] == (op.got['channel'], op.user)]:
                del self.owed[key]
        # who is out hears of nobody, also when he comes back before the receipt was due
        for channel, reader, d in list(self.owed):
            members = self.model.channels[channel].members
            if reader not in members or d.user not in members:
                del self.owed[channel, reader, d]
        self.counts[op.method] += 1
        if isinstance(op.got, Refused):
            self.counts['refused'] += 1
        elif op.of is None and 'client_id' in op.params and op.method not in ('channel.read', 'inbox.ack'):
            self.done.append(op)
        if op.method.startswith('contact.'):
            self.related_at[frozenset((op.user, op.params['user']))] = time.monotonic()
        self.note('%r%s', op, ' (sent %d times)' % op.sent if op.sent > 1 else '')

    @staticmethod
    def channel_of(op):
        if op.of is not None:
            return None
        return op.params.get('channel') or ('to' in op.params and direct(op.user, op.params['to'])) or None

    @staticmethod
    def may_be(entry, method, params):
        """Like accepts; a message that was deleted in the same round tells no text."""
        if entry.accepts(method, params):
            return True
        m, mine = params.get('message'), entry.params.get('message')
        return bool(method == entry.method and m and mine and 'deleted_at' in m and 'text' not in m
                    and (m['channel'], m['message_id']) == (mine['channel'], mine['message_id']))
