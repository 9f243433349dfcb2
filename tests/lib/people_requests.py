"""Operations under way: over HTTP, one or a batch, or over a device's WebSocket."""

import json
import socket

from chat import SLOW
from people_model import Refused

WAIT = 40 * SLOW    # for an answer, whatever is killed


class Op:
    def __init__(self, user, method, params, device=None, of=None):
        self.user, self.method, self.params, self.device, self.of = user, method, params, device, of
        self.got = None           # the result, or the Refused
        self.sent = 0             # how often
        self.disturbed = False    # something died meanwhile
        self.revision = None
        self.lane = None          # (connection, place): what was sent on one takes effect in order

    def body(self):
        return {'method': self.method if self.of is None else self.of.method, 'params': self.params}

    def answered(self, message):
        """Takes a JSON-RPC answer; 503 is none."""
        if message is None or message.get('error', {}).get('code') == 503:
            return
        error = message.get('error')
        self.got = Refused(error['code'], error['data']['reason']) if error else message['result']

    def __repr__(self):
        return '%s %s %s -> %s' % (self.user, self.method, self.params, self.got)


class Socket:
    """Requests by HTTP, the answer to be read later; a list is a batch."""

    def __init__(self, server, ops, path='/rpc'):
        self.ops, self.path, self.sock = ops, path, None
        self.rest = path != '/rpc'
        if self.rest:
            body = ops[0].params
        else:
            body = [dict(op.body(), jsonrpc='2.0', id=i) for i, op in enumerate(ops)]
            body = body if len(ops) > 1 else body[0]
        body = json.dumps(body).encode()
        bearer = server.token(ops[0].user, dev=ops[0].device)
        head = ('POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n'
                'Content-Type: application/json\r\nContent-Length: %d\r\n\r\n' % (path, bearer, len(body))).encode()
        try:
            self.sock = socket.create_connection(('127.0.0.1', server.port), 30 * SLOW)
            self.sock.sendall(head + body)
        except OSError:
            self.close()

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def finish(self):
        data = b''
        try:
            while self.sock:
                more = self.sock.recv(1 << 16)
                if not more:
                    break
                data += more
        except socket.timeout:
            raise AssertionError('no answer by HTTP: %r' % self.ops)
        except OSError:
            return
        finally:
            self.close()
        head, _, text = data.partition(b'\r\n\r\n')
        if not head:
            return
        lines = head.decode().lower().split('\r\n')
        status = int(lines[0].split()[1])
        if 'transfer-encoding: chunked' in lines:
            raise AssertionError('chunked: %s' % head)
        if status in (502, 503, 504):
            return
        answer = json.loads(text)
        if self.rest:
            self.ops[0].got = answer if status == 201 else Refused(answer['code'], answer['reason'])
            return
        assert status == 200, (status, text)
        for message in answer if isinstance(answer, list) else [answer]:
            self.ops[message['id']].answered(message)


class Connection:
    """The same over the WebSocket of a device."""

    def __init__(self, device, ops):
        self.device, self.ops = device, ops
        try:
            self.keys = device.request([op.body() for op in ops])
        except OSError:
            self.keys = None
            device.lost()

    def finish(self):
        if self.keys:
            found = self.device.answers(self.keys, WAIT)
            for key, op in zip(self.keys, self.ops):
                op.answered(found.get(key))
