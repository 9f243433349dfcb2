"""A WebSocket client that can be wrong on purpose: RFC 6455 by hand, over a
blocking socket.  Client knows chat.v1 on top: it calls methods, collects
notifications, and checks that the sequence of inbox ids has no gap.
"""

import base64
import collections
import hashlib
import json
import os
import socket
import ssl
import struct
import time
import urllib.parse

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Closed(Exception):
    """The connection ended; code is None for an end without a close frame."""

    def __init__(self, code, reason=''):
        super().__init__('closed %s %s' % (code, reason))
        self.code, self.reason = code, reason


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status, headers, body):
        super().__init__('HTTP %d %s' % (status, body[:200]))
        self.status, self.headers, self.body = status, headers, body

    @property
    def problem(self):
        return json.loads(self.body)


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.error = error
        self.code = error['code']
        self.data = error.get('data') or {}
        self.reason = self.data.get('reason')


def frame(opcode, payload=b'', fin=True, rsv=0, mask=b'\x11\x22\x33\x44', length=None, wide=None):
    """The bytes of one client frame.  length lies about the payload's; wide
    is 16 or 64 for a longer length field than needed; mask=None leaves it out."""
    n = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0 if mask is None else 0x80
    if wide == 64 or (wide is None and n > 0xffff):
        head += struct.pack('>BQ', bit | 127, n)
    elif wide == 16 or (wide is None and n > 125):
        head += struct.pack('>BH', bit | 126, n)
    else:
        head += bytes([bit | n])
    if mask is None:
        return head + payload
    if payload:
        n = len(payload)
        key = (mask * (n // 4 + 1))[:n]
        payload = (int.from_bytes(payload, 'big') ^ int.from_bytes(key, 'big')).to_bytes(n, 'big')
    return head + mask + payload


class WebSocket:
    """One connection.  `send_bytes` puts anything on the wire."""

    def __init__(self, host, port, path='/', headers=(), tls=False, timeout=10, receive_buffer=None,
                 handshake=True):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.timeout = timeout
        try:
            self.sock.connect((host, port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                self.sock = context.wrap_socket(self.sock, server_hostname=host)
            self.buffer = bytearray()
            self.close_sent = False
            self.pings = []
            if handshake:
                self.handshake(path, headers)
        except BaseException:
            self.sock.close()
            raise

    def handshake(self, path, headers):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ['GET %s HTTP/1.1' % path, 'Host: localhost', 'Upgrade: websocket', 'Connection: Upgrade',
                 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: ' + key]
        lines += ['%s: %s' % h for h in headers]
        self.send_bytes(('\r\n'.join(lines) + '\r\n\r\n').encode())
        status, got, body = self.read_response()
        if status != 101:
            self.sock.close()
            raise Refused(status, got, body)
        accept = base64.b64encode(hashlib.sha1(
            (key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()).decode()
        if got.get('sec-websocket-accept') != accept:
            raise AssertionError('wrong Sec-WebSocket-Accept')
        self.response = got

    def read_response(self):
        """(status, headers in lower case, body) of an HTTP answer."""
        while b'\r\n\r\n' not in self.buffer:
            self.fill()
        head, _, rest = bytes(self.buffer).partition(b'\r\n\r\n')
        self.buffer = bytearray(rest)
        lines = head.decode().split('\r\n')
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            headers[name.strip().lower()] = value.strip()
        status = int(lines[0].split()[1])
        body = b''
        if status != 101:
            want = int(headers.get('content-length', 0))
            while len(self.buffer) < want:
                self.fill()
            body = bytes(self.buffer[:want])
            del self.buffer[:want]
        return status, headers, body.decode('utf-8', 'replace')

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            raise Closed(None, 'reset')
        if not data:
            raise Closed(None, 'end of file')
        self.buffer += data

    def fill_to(self, n):
        while len(self.buffer) < n:
            self.fill()

    def read_frame(self):
        """(fin, rsv, opcode, payload) of the next frame, whatever it is.  A
        time-out before its end leaves it in the buffer."""
        self.fill_to(2)
        a, b = self.buffer[:2]
        if b & 0x80:
            raise AssertionError('the server masked a frame')
        n, head = b & 0x7f, 2
        if n == 126:
            head = 4
            self.fill_to(head)
            n = struct.unpack_from('>H', self.buffer, 2)[0]
            assert n > 125, 'the server wrote a length longer than needed'
        elif n == 127:
            head = 10
            self.fill_to(head)
            n = struct.unpack_from('>Q', self.buffer, 2)[0]
            assert n > 0xffff, 'the server wrote a length longer than needed'
        self.fill_to(head + n)
        payload = bytes(self.buffer[head:head + n])
        del self.buffer[:head + n]
        return a & 0x80 != 0, a >> 4 & 7, a & 15, payload

    def recv(self, timeout=None):
        """The next message, str or bytes.  Answers pings; raises Closed."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        parts, kind = [], None
        try:
            while True:
                self.sock.settimeout(max(end - time.monotonic(), 0.001))
                fin, rsv, opcode, payload = self.read_frame()
                assert rsv == 0, 'reserved bits set'
                if opcode == PING:
                    self.pings.append(payload)
                    try:
                        self.send_bytes(frame(PONG, payload))
                    except OSError:
                        pass    # what it said before it ended comes next
                elif opcode == PONG:
                    pass
                elif opcode == CLOSE:
                    if not self.close_sent:
                        self.close_sent = True
                        try:
                            self.send_bytes(frame(CLOSE, payload[:2]))
                        except OSError:
                            pass
                    self.sock.close()
                    code = struct.unpack('>H', payload[:2])[0] if len(payload) >= 2 else 1005
                    raise Closed(code, payload[2:].decode())
                else:
                    kind = opcode or kind
                    parts.append(payload)
                    if fin:
                        data = b''.join(parts)
                        return data.decode() if kind == TEXT else data
        finally:
            if self.sock.fileno() >= 0:
                self.sock.settimeout(self.timeout)

    def send_bytes(self, data):
        self.sock.sendall(data)

    def send(self, data):
        if isinstance(data, str):
            self.send_bytes(frame(TEXT, data.encode('utf-8', 'surrogatepass')))
        else:
            self.send_bytes(frame(BINARY, data))

    def close(self, code=1000):
        """Close handshake; waits for the server's."""
        if self.sock.fileno() < 0:
            return
        try:
            if not self.close_sent:
                self.close_sent = True
                self.send_bytes(frame(CLOSE, struct.pack('>H', code)))
            while True:
                self.recv(5)
        except (Closed, OSError):
            pass
        self.sock.close()

    def abort(self):
        """A reset: no close frame, no orderly end."""
        if self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.sock.close()


class Client(WebSocket):
    """A chat.v1 connection: `ready` holds the params of session.ready."""

    def __init__(self, server, user, after=None, device=None, path='/ws', token=None, claims=None,
                 headers=None, **options):
        query = {}
        if after is not None:
            query['after'] = after
        if device is not None:
            query['device'] = device
        if headers is None:
            headers = [('Authorization', 'Bearer ' + (token or server.token(user, **(claims or {})))),
                       ('Sec-WebSocket-Protocol', 'chat.v1')]
        self.user = user
        self.next_id = 1
        self.sequenced = set()
        self.replies = {}
        self.events = collections.deque()
        self.seen = []
        self.resumed = 0
        super().__init__(options.pop('host', '127.0.0.1'),
                         options.pop('port', server.tls_port if options.get('tls') else server.port),
                         path + ('?' + urllib.parse.urlencode(query) if query else ''), headers, **options)
        server.clients.append(self)
        first = json.loads(WebSocket.recv(self))
        assert first.get('method') == 'session.ready', first
        self.ready = first['params']
        newest = self.ready['inbox_id']
        self.last = newest if after is None else min(after, newest)

    def _take(self, message):
        """Files one message: reply, or event; checks its place in the sequence."""
        self.seen.append(message)
        if isinstance(message, list):
            self.replies[None] = message
            return
        inbox_id = None
        if 'method' in message:
            inbox_id = message['params'].get('inbox_id')
            if message['method'] == 'session.resumed':
                self.resumed += 1
            self.events.append(message)
        else:
            key = message.get('id')
            result = message.get('result')
            if key in self.sequenced and isinstance(result, dict) and not result.get('duplicate'):
                inbox_id = result['inbox_id']
            self.replies[key if not isinstance(key, (dict, list)) else json.dumps(key)] = message
        if inbox_id is not None:
            if inbox_id != self.last + 1:
                raise AssertionError('%s: inbox id %d came after %d: %s'
                                     % (self.user, inbox_id, self.last, json.dumps(message)[:300]))
            self.last = inbox_id

    def pump(self, timeout=None):
        """Reads one message and files it."""
        message = json.loads(self.recv(timeout))
        self._take(message)
        return message

    def drain(self):
        """Files what has come already, without waiting."""
        try:
            while True:
                self.pump(0.01)
        except (socket.timeout, TimeoutError):
            pass

    def request(self, method, params=None, **more):
        """Sends a request and returns its id."""
        key = self.next_id
        self.next_id += 1
        body = {'jsonrpc': '2.0', 'id': key, 'method': method}
        if params is not None:
            body['params'] = params
        body.update(more)
        if method == 'message.send':
            self.sequenced.add(key)
        self.send(json.dumps(body))
        return key

    def notify(self, method, params=None):
        self.send(json.dumps({'jsonrpc': '2.0', 'method': method, 'params': params or {}}))

    def reply(self, key, timeout=10):
        """The reply to a request: its result, or RpcError."""
        end = time.monotonic() + timeout
        while key not in self.replies:
            self.pump(max(end - time.monotonic(), 0.001))
        message = self.replies.pop(key)
        if isinstance(message, dict) and 'error' in message:
            raise RpcError(message['error'])
        return message if isinstance(message, list) else message['result']

    def call(self, method, params=None, timeout=10, **more):
        return self.reply(self.request(method, params, **more), timeout)

    def raw(self, text, timeout=10):
        """Sends a text as it stands; returns the next reply, whatever its id."""
        self.send(text)
        end = time.monotonic() + timeout
        while not self.replies:
            self.pump(max(end - time.monotonic(), 0.001))
        return self.replies.pop(next(iter(self.replies)))

    def say(self, to, text, client_id=None, **params):
        """message.send to a user, or to a channel when `to` is one."""
        where = 'channel' if to[:2] in ('d.', 'g.') else 'to'
        return self.call('message.send', dict({where: to, 'text': text,
                                               'client_id': client_id or os.urandom(8).hex()}, **params))

    def event(self, method, timeout=10, **wanted):
        """Waits for a notification whose params hold `wanted`; forgets it."""
        end = time.monotonic() + timeout
        while True:
            for e in list(self.events):
                if e['method'] == method and all(e['params'].get(k) == v for k, v in wanted.items()):
                    self.events.remove(e)
                    return e['params']
            self.pump(max(end - time.monotonic(), 0.001))

    def message(self, timeout=10, **wanted):
        """The message of the next message.new."""
        end = time.monotonic() + timeout
        while True:
            for e in list(self.events):
                if e['method'] == 'message.new' and all(
                        e['params']['message'].get(k) == v for k, v in wanted.items()):
                    self.events.remove(e)
                    return e['params']['message']
            self.pump(max(end - time.monotonic(), 0.001))

    def expect_close(self, code, reason=None, timeout=10):
        """Reads on until the connection ends, and it must end like this."""
        end = time.monotonic() + timeout
        try:
            while True:
                self.pump(max(end - time.monotonic(), 0.001))
        except Closed as c:
            assert c.code == code, 'closed %s %r, not %d' % (c.code, c.reason, code)
            assert reason is None or c.reason == reason, 'closed with %r, not %r' % (c.reason, reason)
