"""The load generator against bench/limit, for as short as it can be: its checks find nothing wrong, and the figures
that bench/run reads are there.  How large they are says nothing here.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from ports import free_port
from tap import cleanup, equal, main, test, until

OBJS = os.environ['CHAT_OBJS']


class Limit:
    def __init__(self):
        self.dir, self.port = tempfile.mkdtemp(), free_port()
        self.process = subprocess.Popen([OBJS + '/bench-limit', str(self.port), self.dir + '/store'])
        cleanup(self.end)
        until(self.listens, 20, 'limit')

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port)) == 0

    def end(self, failed):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.dir)

    def load(self, *arguments, status=0):
        path = self.dir + '/figures'
        p = subprocess.run([OBJS + '/bench-load', *arguments, '-a', '127.0.0.1:%d' % self.port, '-p',
                            str(self.process.pid), '-j', path],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        equal(p.returncode, status, p.stdout)
        with open(path) as f:
            return json.load(f)


def has(figures, *names):
    equal([n for n in names if n not in figures], [], 'not among the figures')


@test('pairs in the closed and in the open loop are answered and delivered, and all figures are there')
def _():
    limit = Limit()
    for loop in ('-W', '2'), ('-r', '200'):
        figures = limit.load('pairs', '-n', '2', *loop, '-t', '0.5', '-w', '0')
        equal((figures['broken'], figures['deliveries'] > 0), (0, True))
        has(figures, 'rested', 'cpu_us_per_message', 'delivery_p99_us', 'ack_p99_us', 'thread_limit_cpu_us',
            'thread_limit_sleeps', 'thread_limit_waited_us', 'thread_limit_preempted')


@test('groups are made, and each member is delivered each message once')
def _():
    figures = Limit().load('groups', '-n', '1', '-m', '5', '-W', '1', '-t', '0.2', '-w', '0')
    equal((figures['broken'], figures['deliveries']), (0, 4 * figures['messages']))


@test('beside others the rest of a server is not waited for, nor told')
def _():
    assert 'rested' not in Limit().load('pairs', '-n', '1', '-W', '1', '-t', '0.1', '-w', '0', '-N')


@test('names that would be cut are refused, and so is a mixed day of a few')
def _():
    for arguments, why in (('pairs', '-u', 'x' * 41), 'too long a prefix'), (('mixed', '-n', '19'), '20 users or more'):
        p = subprocess.run([OBJS + '/bench-load', *arguments],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        equal((p.returncode, why in p.stdout), (2, True), p.stdout)


main()
