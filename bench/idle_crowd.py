#!/usr/bin/python3
"""Connections that do nothing but answer pings: what each costs a server, and
how fast messages are delivered while they are held.  For bench/run; run as a
program it holds WebSockets over TLS:

    idle_crowd.py FIRST N PORT KEY   `ready` when all stand, `left` how many
                                     are still there when stdin ends
"""

import os
import resource
import select
import socket
import ssl
import subprocess
import sys
import time

import http_crowd
from processes import cpu_s, pss, settle, tree
from servers import LOAD, Failed

PER_HOLDER = 16000   # connections of a process; it may have 20,000 descriptors
PER_SOURCE = 8000    # as bench-load does it
OPENING = 256        # at once
TALKERS = 20         # pairs who send and receive while the others are held
TLS_SOURCE = 0x7f000301

HANDSHAKE = ('GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
             'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9hZCBnZW5lcmF0b3IhIQ==\r\n'
             'Sec-WebSocket-Protocol: chat.v1\r\n%s\r\n\r\n')
PING, PONG = b'\x89\x00', b'\x8a\x80abcd'


# --- a process that holds connections over TLS

class Holder:
    def __init__(self, first, n, port, key):
        self.token = http_crowd.load_token()
        self.users, self.port, self.key = range(first, first + n), port, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.epoll = select.epoll()
        self.socks = {}

    def open_one(self, i):
        source = TLS_SOURCE + i // PER_SOURCE
        s = socket.create_connection(('127.0.0.1', self.port), 30, (socket.inet_ntoa(source.to_bytes(4, 'big')), 0))
        s = self.context.wrap_socket(s)
        s.sendall((HANDSHAKE % http_crowd.bearer(self.token, self.key, 'wss%d' % i)).encode())
        got = b''
        while b'session.ready' not in got:
            data = s.recv(4096)
            if not data:
                raise Failed('refused: %r' % got)
            got += data
        s.setblocking(False)
        self.socks[s.fileno()] = s
        self.epoll.register(s.fileno(), select.EPOLLIN)

    def turn(self):
        for fd, _ in self.epoll.poll(0.1):
            if fd == 0:
                return False
            try:
                data = self.socks[fd].recv(4096)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            except OSError:
                data = b''
            if not data:
                self.epoll.unregister(fd)
                self.socks.pop(fd).close()
            elif PING in data:
                self.socks[fd].sendall(PONG)
        return True

    def run(self):
        for i in self.users:
            self.open_one(i)
        print('ready %d' % len(self.socks), flush=True)
        self.epoll.register(0, select.EPOLLIN)
        while self.turn():
            pass
        print('left %d' % len(self.socks), flush=True)


# --- the measurement

def memory(server):
    """Proportional set size: nginx, the chatd worker and the store, or all of another server."""
    if server.name.startswith('chat'):
        return http_crowd.memory(server)
    return {'server': pss(tree(server.pids()))}


def slab():
    with open('/proc/meminfo') as f:
        return sum(int(line.split()[1]) * 1024 for line in f if line.startswith('Slab:'))


def open_holder(server, k, n):
    if server.tls_port:
        command = [sys.executable, os.path.abspath(__file__), str(k * PER_HOLDER), str(n), str(server.tls_port),
                   server.key]
    else:
        command = [LOAD, 'idle', '-H', '-n', str(n), '-c', str(OPENING), '-u',
                   'u%dx' % k if k else 'u'] + server.options()
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def deliveries(server, load, seconds, when):
    """Messages of a few beside those who do nothing, over the plain port."""
    # the others' pings leave the server no rest
    beside = ['-N'] if when == 'held' else []
    try:
        got = load(['pairs', '-n', str(TALKERS), '-r', '500', '-t', str(seconds), '-u', 'p'] + beside, server)
    except (Failed, ValueError):
        if server.keeps:
            raise
        got = {}
    figures = {'%s_%s' % (when, k): got[k] for k in ('delivery_p50_us', 'delivery_p99_us') if k in got}
    # what keeps nothing may lose something, above all between several processes
    return figures, got.get('broken', 0) if server.keeps else 0


def hold(server, n, holders, figures):
    """Opens n connections: what they take, by process."""
    before, start = settle(lambda: memory(server)), time.monotonic()
    for k, first in enumerate(range(0, n, PER_HOLDER)):
        holders.append(open_holder(server, k, min(n - first, PER_HOLDER)))
        http_crowd.answer(holders[-1], 'ready')
        print('    {:,} of {:,} connected'.format(min(first + PER_HOLDER, n), n), flush=True)
    # over TLS a client of ours opens one at a time: that would be its own rate
    if not server.tls_port:
        figures['connects_per_s'] = n / (time.monotonic() - start)
    after = settle(lambda: memory(server))
    figures.update(('before_%s_bytes' % k, before[k]) for k in before)
    return {k: (after[k] - before[k]) / n for k in after}


def release(holders):
    """How many connections were left."""
    for h in holders:
        h.stdin.close()
    return sum(http_crowd.answer(h, 'left') for h in holders)


def end(holders):
    for h in holders:
        h.terminate()
        h.wait()
        h.stdout.close()


def make_users(server, n):
    """What connections of users cost whom the store does not know; it does then, in a server just started."""
    holders, figures, pool = [], {}, server.pool
    try:
        taken = hold(server, n, holders, figures)
        lost = n - release(holders)
    finally:
        end(holders)
    server.stop(True)
    server.start()
    if server.pool == pool:
        raise Failed('the pool with new users has not ended')
    figures = {'new_users_' + k: v for k, v in figures.items() if k.startswith('before_')}
    figures.update(bytes_new_users=sum(taken.values()), pid_pool_new_users=pool, pid_pool=server.pool)
    return figures, lost


def measure(server, n, seconds, load):
    """The figures of n idle connections; load runs the load generator."""
    figures, holders, broken = {'connections': n}, [], 0
    if server.name.startswith('chat'):
        new, broken = make_users(server, n)
        figures.update(new)
    alone, faults = deliveries(server, load, seconds, 'alone')
    broken += faults
    try:
        kernel = slab()
        taken = hold(server, n, holders, figures)
        figures['bytes_per_connection'] = sum(taken.values())
        figures.update(('bytes_' + k, taken[k]) for k in taken if len(taken) > 1)
        figures['kernel_bytes_both_ends'] = (slab() - kernel) / n
        cpu, start = cpu_s(server.pids()), time.monotonic()
        time.sleep(max(seconds, 2 * server.heartbeat_s))
        figures['idle_cpu_percent'] = 100 * (cpu_s(server.pids()) - cpu) / (time.monotonic() - start)
        held, faults = deliveries(server, load, seconds, 'held')
        figures.update(alone)
        figures.update(held)
        broken += faults + n - release(holders)
    finally:
        end(holders)
    figures['broken'] = broken
    return figures


def main():
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    first, n, port, key = sys.argv[1:]
    with open(key, 'rb') as f:
        Holder(int(first), int(n), int(port), f.read().strip()).run()


if __name__ == '__main__':
    main()
