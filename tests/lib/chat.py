"""Starts nginx with the module and a pool in a temporary directory on free
ports, and ends all of it again; the clients are in websocket.py.

Environment (set by tools/run-tests): CHAT_OBJS has ngx_chat_module.so, chatd
and preload/; CHAT_NGINX is the nginx; CHAT_ASAN says that the module is
linked into it; CHAT_VALGRIND has chatd run under memcheck; CHAT_KEEP keeps the
directory.
"""

import http.client
import importlib.machinery
import importlib.util
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import tap
from ports import free_port
from tap import Skip, cleanup, equal, main, scratch, test, until
from websocket import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client, Closed, Refused,
                       RpcError, WebSocket, frame)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OBJS = os.environ.get('CHAT_OBJS', ROOT + '/objs')
NGINX = os.environ.get('CHAT_NGINX', '/usr/sbin/nginx')
ASAN = bool(os.environ.get('CHAT_ASAN'))
# a directory for memcheck's reports: chatd runs under it then
VALGRIND = os.environ.get('CHAT_VALGRIND')
# sanitizers and memcheck slow everything down
SLOW = 10 if VALGRIND else 4 if ASAN else 1

_loader = importlib.machinery.SourceFileLoader('chat_token', ROOT + '/tools/token')
token = importlib.util.module_from_spec(importlib.util.spec_from_loader('chat_token', _loader))
_loader.exec_module(token)

# what no test may leave in a log
BAD_LOG = re.compile(r'\[(alert|emerg|crit)\]|runtime error:|Sanitizer|exited on signal|exited with (fatal )?code [1-9]')


def alive(pid):
    """A zombie is not."""
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def children(pid):
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def title(pid):
    try:
        with open('/proc/%d/cmdline' % pid, 'rb') as f:
            return f.read().split(b'\0')[0].decode()
    except OSError:
        return ''


def memcheck():
    """What stands before chatd's path to run it under memcheck, or nothing."""
    return ['valgrind', '-q', '--trace-children=yes', '--leak-check=full', '--show-leak-kinds=definite',
            '--errors-for-leak-kinds=definite', '--log-file=%s/memcheck.%%p' % VALGRIND] if VALGRIND else []


def read(path):
    try:
        with open(path, errors='replace') as f:
            return f.read()
    except OSError:
        return ''


class Pool:
    """A chatd that the test itself runs, for chat_workers unix:DIR."""

    def __init__(self, run_dir, store, workers=1, preload=None, env=None, options=()):
        self.run_dir = run_dir
        self.process = None
        self.command = memcheck() + [OBJS + '/chatd', '-d', run_dir, '-n', str(workers), '-s', 'leveldb:' + store,
                        *options]
        self.env = dict(os.environ, **(env or {}))
        if preload:
            libraries = [OBJS + '/preload/%s.so' % preload]
            if ASAN:
                libraries[:0] = [subprocess.check_output(['gcc', '-print-file-name=lib%s.so' % l], text=True).strip()
                                 for l in ('asan', 'ubsan')]
            self.env['LD_PRELOAD'] = ' '.join(libraries)
        os.makedirs(run_dir, exist_ok=True)

    def start(self):
        with open(self.run_dir + '/stderr', 'ab') as err:
            self.process = subprocess.Popen(self.command, env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=err, stderr=err, start_new_session=True)

    def stop(self, sig=signal.SIGTERM):
        if self.process:
            self.process.send_signal(sig)
            self.process.wait(20 * SLOW)
            self.process = None


class Daemon:
    """A process that is no child of ours, with what is used of Popen."""

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        return None if alive(self.pid) else 0

    def send_signal(self, sig):
        os.kill(self.pid, sig)

    def wait(self, timeout):
        until(lambda: not alive(self.pid), timeout, 'process %d to end' % self.pid)


class Server:
    """nginx with pool.

    pool='nginx': chat_workers N; pool='own': a Pool beside it;
    pool=None: a run directory nobody serves.  nginx stays in the foreground
    unless daemon is set, which a binary upgrade needs.
    """

    def __init__(self, pool='nginx', chat_workers=2, workers=2, http='', server='', ws='', rpc='', api='', main='',
                 events='', preload=None, pool_env=None, pool_options=(), tls=False, directory=None, port=None,
                 start=True, allow=None, run_dir=None, wait=True, store=None, store_options='', daemon=False):
        self.dir = directory or tempfile.mkdtemp(prefix='chat-')
        self.own_dir = directory is None
        os.chmod(self.dir, 0o755)
        self.port = port or free_port()
        self.tls_port = free_port() if tls else None
        self.run_dir = run_dir or self.dir + '/run'
        self.store = store or self.dir + '/store'
        self.error_log = self.dir + '/error.log'
        self.access_log = self.dir + '/access.log'
        self.allow = re.compile(allow) if allow else None
        self.key_file = self.dir + '/key'
        self.key = b'0123456789abcdef0123456789abcdef'
        self.clients = []
        self.nginx = None
        self.pool = None
        self.settings = dict(pool=pool, chat_workers=chat_workers, workers=workers, http=http, server=server,
                             ws=ws, rpc=rpc, api=api, main=main, events=events, daemon=daemon, store_options=store_options)
        if not os.path.exists(self.key_file):
            with open(self.key_file, 'wb') as f:
                f.write(self.key + b'\n')
        if tls:
            self.make_certificate()
        if pool == 'own':
            self.pool = Pool(self.run_dir, self.store, chat_workers, preload, pool_env, pool_options)
        cleanup(self.finish)
        if start:
            self.start(wait)

    def make_certificate(self):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj',
                        '/CN=localhost', '-keyout', self.dir + '/tls.key', '-out', self.dir + '/tls.crt'],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def configuration(self):
        s = self.settings
        lines = []
        if not ASAN:
            lines.append('load_module %s/ngx_chat_module.so;' % OBJS)
        if os.getuid() == 0:
            lines.append('user root;')
        for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'):
            if name in os.environ:
                lines.append('env %s;' % name)
        lines += ['daemon %s;' % ('on' if s['daemon'] else 'off'), 'pid %s/nginx.pid;' % self.dir, 'error_log %s info;' % self.error_log,
                  'worker_processes %d;' % s['workers'],
                  'worker_rlimit_nofile %d;' % resource.getrlimit(resource.RLIMIT_NOFILE)[1], s['main'],
                  'events { worker_connections 4096; %s }' % s['events'],
                  'http {', 'access_log %s;' % self.access_log]
        lines += ['%s_temp_path %s/tmp-%s;' % (n, self.dir, n)
                  for n in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi')]
        if s['pool'] == 'nginx':
            lines += ['chat_workers %s;' % s['chat_workers'], 'chat_program %s;' % self.chatd_path(),
                      'chat_run_dir %s;' % self.run_dir, 'chat_store leveldb:%s %s;' % (self.store, s['store_options'])]
        else:
            lines.append('chat_workers unix:%s;' % self.run_dir)
        lines += ['chat_jwt_key %s;' % self.key_file, s['http'], 'server {', 'listen 127.0.0.1:%d;' % self.port]
        if self.tls_port:
            lines += ['listen 127.0.0.1:%d ssl http2;' % self.tls_port, 'ssl_certificate %s/tls.crt;' % self.dir,
                      'ssl_certificate_key %s/tls.key;' % self.dir]
        lines += ['location = /ws { chat_websocket; %s }' % s['ws'],
                  'location = /rpc { chat_rpc; %s }' % s['rpc'],
                  'location /v1/ { chat_api; %s }' % s['api'],
                  'location = /echo { chat_echo; }', 'location = /status { chat_status; }',
                  'location = /metrics { chat_metrics; }', s['server'], '}', '}']
        return '\n'.join(lines) + '\n'

    def chatd_path(self):
        if not VALGRIND:
            return OBJS + '/chatd'
        with open(self.dir + '/chatd', 'w') as f:
            f.write('#!/bin/sh\nexec %s %s/chatd "$@"\n' % (' '.join(memcheck()), OBJS))
        os.chmod(self.dir + '/chatd', 0o755)
        return self.dir + '/chatd'

    def write_configuration(self, **changes):
        self.settings.update(changes)
        with open(self.dir + '/nginx.conf', 'w') as f:
            f.write(self.configuration())

    def command(self, *more):
        return [NGINX, '-p', self.dir + '/', '-c', self.dir + '/nginx.conf', '-e', self.error_log, *more]

    def test_configuration(self):
        """(exit status, output) of nginx -t."""
        # nginx does not clean up after -t
        env = dict(os.environ, ASAN_OPTIONS='detect_leaks=0')
        p = subprocess.run(self.command('-t', '-e', 'stderr'), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, env=env)
        return p.returncode, p.stdout

    def start(self, wait=True):
        self.write_configuration()
        if self.pool and not self.pool.process:
            self.pool.start()
        with open(self.dir + '/stderr', 'ab') as err:
            self.nginx = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                          start_new_session=True)
        if self.settings['daemon']:
            assert self.nginx.wait(20) == 0, read(self.dir + '/stderr')
            self.nginx = Daemon(int(until(lambda: read(self.dir + '/nginx.pid'), 10, 'nginx.pid')))
        until(self.listening, 20 * SLOW, 'nginx to listen: ' + read(self.dir + '/stderr')[-2000:])
        if wait and self.settings['pool']:
            self.wait_ready()

    def listening(self):
        if self.nginx.poll() is not None:
            raise AssertionError('nginx ended at once: %s%s' % (read(self.dir + '/stderr')[-2000:],
                                                                read(self.error_log)[-2000:]))
        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port)) == 0

    def wait_ready(self, timeout=30):
        """Each worker of the pool answers, and the store behind it."""
        def answers():
            try:
                return all(self.rpc('probe%d' % i, 'channel.list', {}) is not None for i in range(4))
            except (OSError, http.client.HTTPException, HttpError, RpcError):
                return False
        until(answers, timeout * SLOW, 'the pool to answer', every=0.05)

    # --- processes

    def pool_parent(self):
        if self.pool:
            return self.pool.process.pid if self.pool.process else None
        try:
            pid = int(read(self.run_dir + '/chatd.pid') or 0)
        except ValueError:
            return None
        return pid if pid and alive(pid) and (VALGRIND or title(pid).startswith('chatd: parent')) else None

    def pool_processes(self):
        """{title: pid} of the pool's roles, the parent among them."""
        parent = self.pool_parent()
        if not parent:
            return {}
        found = {title(p): p for p in children(parent) if alive(p)}
        found['chatd: parent'] = parent
        return found

    def nginx_workers(self):
        return [p for p in children(self.nginx.pid) if alive(p) and 'worker process' in title(p)]

    def kill(self, name, sig=signal.SIGKILL):
        """Kills a role by its title, e.g. 'chatd: store', and returns its pid."""
        pid = until(lambda: self.pool_processes().get(name), 10 * SLOW, name)
        os.kill(pid, sig)
        if sig == signal.SIGKILL:
            until(lambda: not alive(pid), 10 * SLOW, 'process %d to die' % pid)
        return pid

    def reload(self, **changes):
        """Reloads, and waits until the old workers stopped listening."""
        before = set(self.nginx_workers())
        if changes:
            self.write_configuration(**changes)
        self.nginx.send_signal(signal.SIGHUP)
        until(lambda: len(set(self.nginx_workers()) - before) >= self.settings['workers'], 20 * SLOW,
              'new nginx workers')
        return before

    def stop(self, sig=signal.SIGTERM):
        """Ends nginx, and the pool without the 3 s it would wait for another."""
        parent = self.pool_parent() if not self.pool else None
        if self.nginx and self.nginx.poll() is None:
            self.nginx.send_signal(sig)
            self.nginx.wait(30 * SLOW)
        self.nginx = None
        if self.pool:
            self.pool.stop()
        elif parent and self.settings['pool'] and alive(parent):
            os.kill(parent, signal.SIGTERM)
            until(lambda: not alive(parent), 30 * SLOW, 'the pool to end')

    def finish(self, failed):
        """Ends what still runs; fails the test for what stands in the logs."""
        if failed:
            self.show_logs()
        for c in self.clients:
            if c.sock.fileno() >= 0:
                c.sock.close()
        try:
            self.stop()
        finally:
            for pid in list(self.pool_processes().values()) if not self.pool else []:
                os.kill(pid, signal.SIGKILL)
            bad = [] if failed else self.bad_log_lines()
            if self.own_dir and not os.environ.get('CHAT_KEEP') and not failed:
                shutil.rmtree(self.dir, ignore_errors=True)
        if bad:
            raise AssertionError('in the logs:\n' + '\n'.join(bad[:20]))

    def logs(self):
        return read(self.error_log) + read(self.dir + '/stderr') + read(self.run_dir + '/chatd.log') + read(
            self.run_dir + '/stderr')

    def bad_log_lines(self):
        ending, bad = set(), []
        for line in self.logs().splitlines():
            master = re.search(r'\] (\d+)#', line)
            if master and re.search(r'SIGTERM\) received.* exiting', line):
                ending.add(master[1])
            # by then nginx itself kills a worker that takes longer than a second
            killed = master and master[1] in ending and 'exited on signal 9' in line
            if BAD_LOG.search(line) and not killed and not (self.allow and self.allow.search(line)):
                bad.append(line)
        return bad

    def show_logs(self):
        for path in (self.error_log, self.dir + '/stderr', self.run_dir + '/chatd.log', self.run_dir + '/stderr'):
            for line in read(path).splitlines()[-25:]:
                print('# %s: %s' % (os.path.basename(path), line))
        print('# kept: ' + self.dir)

    # --- talking to it

    def token(self, user, key=None, header=None, **claims):
        body = {'sub': user, 'exp': int(time.time()) + 3600}
        body.update(claims)
        return token.sign({k: v for k, v in body.items() if v is not None}, key or self.key, header)

    def client(self, user, after=None, **options):
        """Comes again when the pool has not answered for two seconds, as a client is to."""
        end = time.monotonic() + 30 * SLOW
        while True:
            start = time.monotonic()
            try:
                return self.connect(user, after, **options)
            except Refused as r:
                if (r.status != 503 or r.problem['reason'] != 'unavailable' or time.monotonic() - start < 1.5
                        or time.monotonic() > end):
                    raise

    def connect(self, user, after=None, **options):
        return Client(self, user, after, timeout=options.pop('timeout', 10 * SLOW), **options)

    def http(self, method, path, body=None, headers=None, tls=False, timeout=15):
        """(status, headers in lower case, body text)."""
        c = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout * SLOW)
        try:
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode()
        finally:
            c.close()

    def post(self, user, body, **options):
        """POST /rpc with a text body."""
        return self.http('POST', options.pop('path', '/rpc'), body.encode() if isinstance(body, str) else body,
                         {'Authorization': 'Bearer ' + self.token(user), 'Content-Type': 'application/json'},
                         **options)

    def rpc(self, user, method, params=None, **options):
        """One method over HTTP: its result, RpcError, or HttpError."""
        body = {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params or {}}
        status, headers, text = self.post(user, json.dumps(body), **options)
        if status != 200:
            raise HttpError(status, headers, text)
        answer = json.loads(text)
        if 'error' in answer:
            raise RpcError(answer['error'])
        return answer['result']

    def status(self):
        return json.loads(self.http('GET', '/status')[2])

    def metrics(self):
        """{name: value}, without `_total` and labels; the values of one name added up."""
        values = {}
        for line in self.http('GET', '/metrics')[2].splitlines():
            m = re.match(r'^(\w+)(?:\{[^}]*\})? (\S+)$', line)
            if m:
                name = re.sub('_total$', '', m.group(1))
                values[name] = values.get(name, 0) + float(m.group(2))
        return values

    def written_behind(self):
        """Waits until what the store writes behind, once a second, is on the disk."""
        # its counters come once a second, too: from one message's to the next one's it has
        # begun to write, and the third one's commit comes after that
        for _ in range(3):
            before = self.metrics()['chat_pool_commit_messages']
            self.rpc('behind', 'message.send', {'to': 'behind', 'client_id': os.urandom(8).hex(), 'text': 'x'})
            until(lambda: self.metrics()['chat_pool_commit_messages'] > before, 20 * SLOW, 'the counters')

    def api(self, user, method, path, body=None, headers=None, **options):
        """A resource below /v1/: (status, headers, parsed answer or None)."""
        headers = dict({'Authorization': 'Bearer ' + self.token(user)} if user else {}, **(headers or {}))
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            headers.setdefault('Content-Type', 'application/json')
        status, got, text = self.http(method, '/v1/' + path, body, headers, **options)
        return status, got, json.loads(text) if text else None

    def inbox(self, user, after=0):
        """All events of a user, page by page."""
        events = []
        while True:
            page = self.rpc(user, 'inbox.sync', {'after': after, 'limit': 1000})
            events += page['events']
            if not page['more']:
                return events
            after = page['events'][-1]['params']['inbox_id']

    def check_store(self):
        """`chatd check` on the stopped store: (status, output)."""
        p = subprocess.run([OBJS + '/chatd', 'check', self.store], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=300)
        return p.returncode, p.stdout.decode(errors='replace')


def while_it_lives(connect):
    """What connect() makes with a token that soon runs out: on a busy machine it
    may have before it was used, and the next is tried."""
    def attempt():
        try:
            return connect()
        except Refused as e:
            equal(e.problem['reason'], 'token_expired')
        except Closed as e:
            equal(e.reason, 'token_expired')
    return until(attempt, 60 * SLOW, 'a connection with a token that lives')


class HttpError(Exception):
    def __init__(self, status, headers, body):
        super().__init__('HTTP %d %s' % (status, body[:300]))
        self.status, self.headers, self.body = status, headers, body


def refused(function, *args, **kwargs):
    """The RpcError that calling raises; fails when it raises none."""
    try:
        result = function(*args, **kwargs)
    except RpcError as e:
        return e
    raise AssertionError('accepted, with %r' % (result,))


def refusal(server, user, **options):
    """The Refused of a handshake."""
    try:
        server.connect(user, **options)
    except Refused as r:
        return r
    raise AssertionError('the handshake was accepted')
