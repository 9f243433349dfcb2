"""One device of a user, on whatever transport it has at the moment: WebSocket,
server-sent events, a long poll, or none.  What comes is handed on in order,
and the numbers of the inbox have to come without a gap."""

import json
import select
import socket
import time

from chat import PING, PONG, SLOW, Client, Closed, Refused, frame
from events import Stream

# the server was reloaded or a process of it is away
AWAY = (OSError, EOFError)


class Device:
    def __init__(self, server, user, name, took, live):
        """took(device, inbox_id, method, params) is told of every event that has a
        number, with the method 'own' and the client_id for the result of an own
        send; live(device, method, params) of the others."""
        self.server, self.user, self.name, self.took, self.live = server, user, name, took, live
        self.kind = None          # 'ws', 'sse', 'poll'
        self.client = None
        self.cursor = 0
        self.since = 0            # when the connection began
        self.empty_at = 0         # when nothing was there to be read
        self.resumed = 0
        self.sent = {}            # request id -> client_id
        self.untold = {}          # request id -> answer

    def __repr__(self):
        return '%s/%s %s@%d' % (self.user, self.name, self.kind, self.cursor)

    def bearer(self):
        return self.server.token(self.user, dev=self.name)

    @property
    def standing(self):
        return self.kind in ('ws', 'sse')

    def connect(self, kind, after=True, header=False):
        """False when the server is not there for it now."""
        assert self.kind is None, self
        try:
            getattr(self, 'connect_' + kind)(after, header)
        except (*AWAY, Refused, Closed) as e:
            if isinstance(e, Refused) and e.status != 503:
                raise
            self.lost()
            return False
        self.kind, self.since, self.resumed = kind, time.monotonic(), 0
        self.server.clients.remove(self.client)
        self.drain()
        return self.kind is not None

    def connect_ws(self, after, header):
        self.client = Client(self.server, self.user, after=self.cursor if after else None,
                             token=self.bearer(), timeout=20 * SLOW)
        if not after:
            self.cursor = self.client.last

    def stream(self, path, headers):
        self.client = Stream(self.server, None, path, dict(headers, Authorization='Bearer ' + self.bearer()),
                             timeout=30)

    def connect_sse(self, after, header):
        if header:
            self.stream('events?after=0', {'Last-Event-ID': str(self.cursor)})
        else:
            self.stream('events' + ('?after=%d' % self.cursor if after else ''), {})
        self.client.head()
        if self.client.status != 200:
            assert self.client.status == 503, (self.client.status, self.client.rest())
            raise EOFError
        ready = self.client.event()
        if not after and not header:
            self.cursor = ready.data['inbox_id']

    def connect_poll(self, after, header):
        self.stream('inbox?after=%d&wait=10' % self.cursor, {})

    def lost(self):
        """The connection has ended, or is to."""
        if self.client is not None:
            self.client.sock.close()
        self.client = self.kind = None
        self.sent, self.untold = {}, {}

    def end(self, abort=False):
        if self.kind is None:
            return
        self.drain()
        if self.kind == 'ws' and abort:
            self.client.abort()
        elif self.kind == 'ws':
            self.client.close()
            self.take_messages()
        self.lost()

    # --- what has come

    def drain(self):
        """Takes what is there already."""
        while self.kind is not None:
            at = time.monotonic()
            if not self.readable():
                self.empty_at = at
                return
            self.pump()

    def readable(self):
        if self.kind == 'ws' and self.client.buffer or self.kind == 'sse' and b'\n\n' in self.client.body:
            return True
        return bool(select.select([self.client.sock], [], [], 0)[0])

    def pump(self, timeout=None):
        """Takes the next thing that comes."""
        try:
            getattr(self, 'pump_' + self.kind)(timeout)
        except (socket.timeout, TimeoutError):
            raise AssertionError('%r: half a message, or none' % self)
        except AWAY:
            self.lost()
        except Closed as c:
            self.take_messages()
            self.lost()
            # only a reload ends a connection, or the end of nginx's process
            assert c.code in (1012, None), '%s/%s: %s' % (self.user, self.name, c)

    def pump_ws(self, timeout):
        c = self.client
        if timeout is None:
            # there is something; a ping alone is no message to wait for
            if not c.buffer:
                c.fill()
            while c.buffer and c.buffer[0] & 15 == PING:
                c.send_bytes(frame(PONG, c.read_frame()[3]))
            if not c.buffer:
                return
        c.pump(timeout)
        self.take_messages()

    def take_messages(self):
        seen, self.client.seen = self.client.seen, []
        self.client.events.clear()
        for message in seen:
            if isinstance(message, dict) and 'method' in message:
                self.event(message['method'], message['params'])
            elif isinstance(message, dict):
                client_id = self.sent.pop(message.get('id'), None)
                result = message.get('result')
                if client_id and result and not result.get('duplicate'):
                    self.event('own', {'inbox_id': result['inbox_id'], 'client_id': client_id})

    def pump_sse(self, timeout):
        if b'\n\n' not in self.client.body:
            self.client.fill()
        while True:
            e = self.client.pop()
            if e is None:
                break
            assert (e.id is not None) == ('inbox_id' in e.data), e
            self.event(e.method, e.data)
        if self.client.ended:
            raise EOFError

    def pump_poll(self, timeout):
        self.client.fill()
        if not self.client.started and b'\r\n\r\n' in self.client.raw:
            self.client.head()
        if not self.client.started or not self.client.ended:
            return
        page = json.loads(self.client.rest())
        status = self.client.status
        self.lost()
        if status == 200:
            for e in page['events']:
                self.event(e['method'], e['params'])
        else:
            assert status == 503, (status, page)

    def event(self, method, params):
        params = dict(params)
        inbox_id = params.pop('inbox_id', None)
        if inbox_id is None:
            if method == 'session.resumed':
                self.resumed += 1
            self.live(self, method, params)
            return
        assert inbox_id == self.cursor + 1, '%r: event %d came: %s %s' % (self, inbox_id, method, params)
        self.cursor = inbox_id
        self.took(self, inbox_id, method, params)

    # --- requests over the WebSocket

    def request(self, bodies):
        """One request, or several as a batch; their ids."""
        keys = []
        for body in bodies:
            keys.append(self.client.next_id)
            self.client.next_id += 1
        messages = [dict(body, jsonrpc='2.0', id=key) for body, key in zip(bodies, keys)]
        if len(bodies) == 1:
            if bodies[0]['method'] == 'message.send':
                self.client.sequenced.add(keys[0])
                self.sent[keys[0]] = bodies[0]['params']['client_id']
            self.client.send(json.dumps(messages[0]))
        else:
            self.client.send(json.dumps(messages))
        return keys

    def answers(self, keys, timeout):
        """{id: answer} of what is answered; what is missing was lost with the connection."""
        client, found = self.client, {}
        end = time.monotonic() + timeout
        while client is not None and client is self.client and len(found) < len(keys):
            for key in [None] + keys:
                got = client.replies.pop(key, None)
                for m in got if isinstance(got, list) else [got] if got else []:
                    found[m['id']] = m
            if len(found) < len(keys):
                assert time.monotonic() < end, '%r: no answer in %d s' % (self, timeout)
                self.pump(max(0.001, end - time.monotonic()))
        if client is not None and len(found) < len(keys):
            for key in [None] + keys:
                got = client.replies.pop(key, None)
                for m in got if isinstance(got, list) else [got] if got else []:
                    found[m['id']] = m
        return found
