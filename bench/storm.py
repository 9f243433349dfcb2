"""A reconnect storm, for bench/run: all clients of a server are there when it
is killed; it is started again and stores messages for each of them; it is
killed once more, and they all come back at once with their cursors while it
starts.  The clients are in as many processes as their descriptors ask for.
"""

import json
import os
import resource
import subprocess
import tempfile
import time

from processes import cpu_s
from servers import LOAD, Failed

BACKLOG = 5  # messages that each misses


def say(holders):
    for h in holders:
        h.stdin.write('\n')
        h.stdin.flush()


def hear(holders, word):
    for h in holders:
        line = h.stdout.readline().strip()
        if line != word:
            raise Failed('a process with clients says "%s" in place of "%s"' % (line, word))


def start(server, n, out):
    """Processes with n clients together, all connected."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = -(-n // (files - 256))
    each = -(-n // count)
    holders = []
    for i in range(count):
        holders.append(subprocess.Popen(
            [LOAD, 'storm', '-B', '-n', str(min(each, n - i * each)), '-b', str(BACKLOG), '-u', 's%dn' % i,
             '-j', '%s/%d' % (out, i)] + server.options(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    return holders


def measure(server, n):
    """The figures of n clients."""
    holders = []
    with tempfile.TemporaryDirectory() as out:
        try:
            begin = time.monotonic()
            holders = start(server, n, out)
            hear(holders, 'connected')
            print('    {:,} connected'.format(n), flush=True)
            connected = time.monotonic()
            server.kill()
            first_killed = time.monotonic()
            server.start()
            restarted = time.monotonic()
            say(holders)
            hear(holders, 'stored')
            print('    {:,} messages stored'.format(n * BACKLOG), flush=True)
            stored = time.monotonic()
            server.kill()
            killed = time.monotonic()
            say(holders)
            server.start()
            ready = time.monotonic()
            for h in holders:
                h.stdout.read()
                if h.wait() not in (0, 1):
                    raise Failed('a process with clients ended with %d' % h.returncode)
            figures = []
            for i in range(len(holders)):
                with open('%s/%d' % (out, i)) as f:
                    figures.append(json.load(f))
        finally:
            for h in holders:
                h.stdin.close()
                h.stdout.close()
                h.kill()
                h.wait()
    whole = {'clients': n, 'processes': len(holders), 'connects_per_s': n / (connected - begin),
             'first_killed_to_ready_s': restarted - first_killed, 'killed_to_ready_s': ready - killed,
             'server_cpu_s': cpu_s(server.pids())}
    whole['stored_per_s'] = n * BACKLOG / (stored - restarted)
    for name in ('events_synced', 'refused', 'broken'):
        whole[name] = sum(f[name] for f in figures)
    # of the process whose clients fared worst
    for name in ('all_connected_s', 'all_in_sync_s', 'in_sync_p50_us', 'in_sync_p99_us'):
        whole[name] = max(f[name] for f in figures)
    return whole
