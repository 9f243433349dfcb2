#!/usr/bin/python3
"""Thousands of clients over HTTP that wait at once, half of them in long polls
and half in streams of server-sent events: what each costs, and whether all
are told when something happens.  For bench/run; run as a program it is one of
the processes that hold the clients:

    http_crowd.py KIND FIRST N PORT KEY   opens them; `parked` when all wait,
                                          `served` with how many were told
"""

import http.client
import importlib.machinery
import importlib.util
import json
import os
import resource
import select
import socket
import subprocess
import sys
import time

from processes import children, pss, settle, title, tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KINDS = ('poll', 'sse')
GROUP = 100         # members of a group at most
HOLDERS = 2         # processes for the clients of a kind
OPENING = 64        # of a process at once
PARK_S, SERVE_S = 120, 60


def load_token():
    loader = importlib.machinery.SourceFileLoader('chat_token', ROOT + '/tools/token')
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader('chat_token', loader))
    loader.exec_module(module)
    return module


def name(kind, i):
    return '%s%d' % (kind, i)


def bearer(token, key, user):
    return 'Authorization: Bearer ' + token.sign({'sub': user, 'exp': int(time.time()) + 3600}, key)


# --- a process that holds clients

class Holder:
    """Each client is at inbox id 1; what it is to be told is the message of id 2."""

    def __init__(self, kind, first, n, port, key):
        self.kind, self.port, self.key = kind, port, key
        self.token = load_token()
        self.todo = list(range(first, first + n))
        self.epoll = select.epoll()
        self.socks, self.got = {}, {}
        self.parked = self.served = self.lost = 0
        self.waits = set()

    def open_one(self):
        i = self.todo.pop()
        path = '/v1/inbox?after=1&wait=60' if self.kind == 'poll' else '/v1/events?after=1'
        s = socket.create_connection(('127.0.0.1', self.port), 30)
        s.sendall(('GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n' % (
            path, bearer(self.token, self.key, name(self.kind, i)))).encode())
        s.setblocking(False)
        self.socks[s.fileno()], self.got[s.fileno()] = s, b''
        self.epoll.register(s.fileno(), select.EPOLLIN)

    def turn(self):
        for fd, _ in self.epoll.poll(0.1):
            data = self.socks[fd].recv(65536)
            self.got[fd] += data
            if not data:
                self.end(fd, False)
            elif fd not in self.waits:
                self.see_parked(fd)
            if fd in self.waits:
                self.see_served(fd)

    def see_parked(self, fd):
        head, found, body = self.got[fd].partition(b'\r\n\r\n')
        if found and not head.startswith(b'HTTP/1.1 200'):
            self.end(fd, False)
        elif found and (self.kind == 'poll' or b'event: session.ready' in body):
            self.waits.add(fd)
            self.parked += 1

    def see_served(self, fd):
        got = self.got[fd]
        if self.kind == 'poll' and got.endswith(b'\r\n0\r\n\r\n'):
            page = json.loads(got.partition(b'\r\n\r\n')[2].split(b'\r\n')[1])
            self.end(fd, [(e['method'], e['params']['inbox_id']) for e in page['events']] == [('message.new', 2)])
        elif self.kind == 'sse' and b'id: 2\n' in got and got.rstrip(b'\r\n0').endswith(b'}'):
            self.end(fd, got.count(b'event: message.new') == 1)

    def end(self, fd, well):
        self.served += well
        self.lost += not well
        self.epoll.unregister(fd)
        self.socks.pop(fd).close()
        self.waits.discard(fd)
        del self.got[fd]

    def run(self):
        n = len(self.todo)
        until = time.monotonic() + PARK_S
        while self.parked + self.lost < n and time.monotonic() < until:
            while self.todo and len(self.socks) - self.parked < OPENING:
                self.open_one()
            self.turn()
        print('parked %d' % self.parked, flush=True)
        sys.stdin.readline()
        until = time.monotonic() + SERVE_S
        while self.socks and time.monotonic() < until:
            self.turn()
        print('served %d' % self.served, flush=True)


# --- the measurement

def memory(server):
    """Proportional set size of nginx, the chatd worker and the store."""
    found = {'nginx': pss(tree([server.process.pid])), 'worker': 0, 'store': 0}
    for pid in children(server.pool):
        found['store' if 'store' in title(pid) else 'worker'] += pss([pid])
    return found


def rpc(server, token, user, method, params):
    c = http.client.HTTPConnection('127.0.0.1', server.port, timeout=60)
    try:
        header, _, value = bearer(token, server.secret, user).partition(': ')
        c.request('POST', '/rpc', json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params}),
                  {header: value, 'Content-Type': 'application/json'})
        return json.loads(c.getresponse().read())['result']
    finally:
        c.close()


def answer(holder, word):
    line = holder.stdout.readline().split()
    if line[:1] != [word]:
        raise OSError('a process with clients ended: %r' % line)
    return int(line[1])


def measure(server, n):
    """The figures of n clients of each kind at once."""
    token = load_token()
    groups = []
    for kind in KINDS:
        for first in range(0, n, GROUP):
            users = [name(kind, i) for i in range(first, min(n, first + GROUP))]
            made = rpc(server, token, users[0], 'channel.create', {'name': 'g', 'members': users[1:]})
            groups.append((users[0], made['channel']['channel']))
    figures, holders = {'clients_of_a_kind': n}, {}
    broken = 0
    try:
        before = settle(lambda: memory(server))
        for kind in KINDS:
            start = time.monotonic()
            holders[kind] = []
            for first in range(0, n, (n + HOLDERS - 1) // HOLDERS):
                count = min(n - first, (n + HOLDERS - 1) // HOLDERS)
                holders[kind].append(subprocess.Popen(
                    [sys.executable, os.path.abspath(__file__), kind, str(first), str(count), str(server.port),
                     server.key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            figures[kind + '_parked'] = sum(answer(h, 'parked') for h in holders[kind])
            figures[kind + '_parked_per_s'] = figures[kind + '_parked'] / (time.monotonic() - start)
            after = settle(lambda: memory(server))
            for k in after:
                figures['%s_bytes_%s' % (kind, k)] = (after[k] - before[k]) / n
            figures[kind + '_bytes'] = sum(after[k] - before[k] for k in after) / n
            before = after
        start = time.monotonic()
        for kind in KINDS:
            for h in holders[kind]:
                h.stdin.write('\n')
                h.stdin.flush()
        for i, (user, channel) in enumerate(groups):
            rpc(server, token, user, 'message.send', {'channel': channel, 'client_id': 'c%d' % i, 'text': 'to everyone'})
        for kind in KINDS:
            figures[kind + '_served'] = sum(answer(h, 'served') for h in holders[kind])
            broken += 2 * n - figures[kind + '_parked'] - figures[kind + '_served']
        figures['all_served_s'] = time.monotonic() - start
    finally:
        for h in [h for kind in holders.values() for h in kind]:
            h.stdin.close()
            h.stdout.close()
            h.terminate()
            h.wait()
    figures['broken'] = broken
    return figures


def main():
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    kind, first, n, port, key = sys.argv[1:]
    with open(key, 'rb') as f:
        Holder(kind, int(first), int(n), int(port), f.read().strip()).run()


if __name__ == '__main__':
    main()
