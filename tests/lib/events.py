"""A client of server-sent events, and of any answer that comes in pieces,
over a blocking socket: the chunks of HTTP/1.1 are taken apart strictly."""

import json
import socket
import time

from chat import SLOW


class Event:
    def __init__(self, fields):
        self.id = fields.get('id')
        self.method = fields.get('event')
        self.data = json.loads(fields['data'])

    def __repr__(self):
        return '%s %s %s' % (self.id, self.method, self.data)


class Stream:
    """One GET: status, headers, and the body as it comes."""

    def __init__(self, server, user, path='events', headers=(), version='1.1', timeout=10, receive_buffer=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout * SLOW)
        self.sock.connect(('127.0.0.1', server.port))
        server.clients.append(self)
        lines = ['GET /v1/%s HTTP/%s' % (path, version), 'Host: x', *('%s: %s' % h for h in dict(headers).items())]
        if user:
            lines.append('Authorization: Bearer ' + server.token(user))
        self.sock.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
        self.raw = b''     # not taken apart yet
        self.body = b''    # not read yet
        self.comments = 0
        self.ended = False
        self.started = False

    def head(self):
        while b'\r\n\r\n' not in self.raw:
            self.fill()
        head, _, self.raw = self.raw.partition(b'\r\n\r\n')
        lines = head.decode().split('\r\n')
        self.status = int(lines[0].split()[1])
        self.headers = {k.lower(): v for k, v in (l.split(': ', 1) for l in lines[1:])}
        self.chunked = self.headers.get('transfer-encoding') == 'chunked'
        self.started = True
        self.unchunk()
        return self

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            if not self.started:
                raise EOFError('no answer')
            if self.chunked and not self.ended:
                raise EOFError('cut off without the last chunk')
            self.ended = True
        self.raw += data
        if self.started:
            self.unchunk()

    def unchunk(self):
        if not self.chunked:
            self.body += self.raw
            self.raw = b''
            self.ended |= len(self.body) == int(self.headers.get('content-length', -1))
            return
        while b'\r\n' in self.raw:
            size, _, rest = self.raw.partition(b'\r\n')
            n = int(size, 16)
            if len(rest) < n + 2:
                return
            assert rest[n:n + 2] == b'\r\n', 'a chunk of %d bytes ends in %r' % (n, rest[n:n + 2])
            self.body += rest[:n]
            self.raw = rest[n + 2:]
            if n == 0:
                self.ended = True
                assert not self.raw, self.raw

    def rest(self):
        """The whole body, when it has ended."""
        if not self.started:
            self.head()
        while not self.ended:
            self.fill()
        body, self.body = self.body, b''
        return body

    def pop(self):
        """The next one that is there already, or None."""
        while True:
            text = self.body.replace(b'\r\n', b'\n')
            block, found, rest = text.partition(b'\n\n')
            if not found:
                return None
            self.body = rest
            fields = {}
            for line in block.decode().split('\n'):
                name, _, value = line.partition(':')
                if line.startswith(':'):
                    self.comments += 1
                elif line:
                    fields[name] = value[1:] if value.startswith(' ') else value
            if 'data' in fields:
                return Event(fields)

    def event(self):
        """The next one; EOFError when the stream has ended."""
        if not self.started:
            self.head()
        while True:
            event = self.pop()
            if event:
                return event
            if self.ended:
                raise EOFError('the stream has ended')
            self.fill()

    def events(self, n):
        return [self.event() for _ in range(n)]

    def quiet(self, seconds):
        """Nothing but comments comes."""
        old = self.sock.gettimeout()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                event = self.pop()
                if event:
                    raise AssertionError('an event came: %r' % event)
                self.sock.settimeout(max(0.001, end - time.monotonic()))
                self.fill()
        except socket.timeout:
            pass
        finally:
            self.sock.settimeout(old)

    def close(self):
        self.sock.close()
