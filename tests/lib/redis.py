"""Runs a redis-server of the test's own, in a directory of its own.

    redis = Redis()                 # on a Unix socket and on a free port
    redis.where                     # as chat_redis wants it
    redis.call('KEYS', '*')
    redis.kill(); redis.start()
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

from chat import SLOW, free_port
from tap import cleanup, until


class RedisError(Exception):
    pass


class Redis:
    def __init__(self, start=True, **config):
        self.dir = tempfile.mkdtemp(prefix='chat-redis-')
        os.chmod(self.dir, 0o755)
        self.socket = self.dir + '/s'
        self.port = free_port()
        self.where = 'unix:' + self.socket
        self.tcp = '127.0.0.1:%d' % self.port
        self.config = dict({'save': '""', 'appendonly': 'no'}, **config)
        self.users = []
        self.process = None
        self.login = ()
        cleanup(self.finish)
        if start:
            self.start()

    def start(self):
        with open(self.dir + '/redis.conf', 'w') as f:
            f.write('bind 127.0.0.1\nport %d\nunixsocket %s\nunixsocketperm 777\ndir %s\nlogfile %s/log\n'
                    % (self.port, self.socket, self.dir, self.dir))
            for name, value in self.config.items():
                f.write('%s %s\n' % (name.replace('_', '-'), value))
            for user in self.users:
                f.write('user %s\n' % user)
        self.process = subprocess.Popen(['redis-server', self.dir + '/redis.conf'], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        until(self.answers, 20 * SLOW, 'redis-server to answer')

    def answers(self):
        try:
            self.call('PING')
            return True
        except (OSError, RedisError, EOFError):
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None
        try:
            os.unlink(self.socket)
        except FileNotFoundError:
            pass

    def freeze(self, on=True):
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def finish(self, failed):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- talking to it

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(self.socket)
        f = s.makefile('rwb')
        s.close()
        if self.login:
            self.ask(f, 'AUTH', *self.login)
        return f

    def call(self, *words):
        with self.connect() as f:
            return self.ask(f, *words)

    def ask(self, f, *words):
        f.write(b'*%d\r\n' % len(words))
        for word in words:
            word = str(word).encode()
            f.write(b'$%d\r\n%s\r\n' % (len(word), word))
        f.flush()
        return self.answer(f)

    def answer(self, f):
        line = f.readline()
        if not line.endswith(b'\r\n'):
            raise EOFError('redis-server closed')
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b'-':
            raise RedisError(rest)
        if kind == b':':
            return int(rest)
        if kind == b'$':
            return None if rest == '-1' else f.read(int(rest) + 2)[:-2].decode()
        if kind == b'*':
            return None if rest == '-1' else [self.answer(f) for _ in range(int(rest))]
        return rest

    def keys(self):
        return sorted(self.call('KEYS', '*'))
