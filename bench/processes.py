"""Processes and what they use, from /proc: a server is its roots with all their descendants."""

import os
import time

SETTLE_S = 60
STILL_BYTES = 65536


def children(pid):
    """Of one that is gone: none."""
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def tree(roots):
    return [p for root in roots for p in [root] + tree(children(root))]


def lives(pid):
    """Not one that has ended and that nobody waits for."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rpartition(')')[2].split()[0] not in 'ZX'
    except OSError:
        return False


def title(pid):
    try:
        with open('/proc/%d/cmdline' % pid, 'rb') as f:
            return f.read().decode(errors='replace')
    except OSError:
        return ''


def cpu_s(roots):
    """User and system time of all; of children that are gone, what their parents waited for."""
    ticks = 0
    for pid in tree(roots):
        try:
            with open('/proc/%d/stat' % pid) as f:
                ticks += sum(map(int, f.read().rpartition(')')[2].split()[11:15]))
        except OSError:
            pass
    return ticks / os.sysconf('SC_CLK_TCK')


def pss(pids):
    """Proportional set size: what they share is counted once."""
    found = 0
    for pid in pids:
        try:
            with open('/proc/%d/smaps_rollup' % pid) as f:
                found += sum(int(line.split()[1]) * 1024 for line in f if line.startswith('Pss:'))
        except OSError:
            pass
    return found


def settle(memory):
    """What memory() is once it stands still: figures by name.  After a minute as it is then."""
    was, until = memory(), time.monotonic() + SETTLE_S
    while True:
        time.sleep(1)
        now = memory()
        if all(abs(now[k] - was[k]) < STILL_BYTES for k in now) or time.monotonic() > until:
            return now
        was = now
