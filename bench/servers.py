"""The servers that bench/run compares, each on loopback in a directory of its own."""

import datetime
import glob
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from processes import cpu_s, lives, tree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OBJS = os.path.abspath(os.environ.get('CHAT_OBJS', ROOT + '/objs'))
NGINX = os.environ.get('CHAT_NGINX') or shutil.which('nginx') or '/usr/sbin/nginx'
BASE = os.environ.get('BENCH_DIR', '/var/tmp')
LOAD = OBJS + '/bench-load'
STOP_S = 60  # a pool that has much to write takes its time


class Failed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def read_pid(path):
    try:
        with open(path) as f:
            return int(f.read())
    except (OSError, ValueError):
        return 0


def wait(condition, what, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed('no %s within %d s' % (what, seconds))
        time.sleep(0.05)


class Server:
    """A server in its own directory.  dialect and options are for the load generator."""

    dialect = 'chat'
    environment = None
    keeps = True  # stores what it is sent, and can be filled
    heartbeat_s = 0  # it says nothing to those who say nothing
    tls_port = 0

    def __init__(self, connections, rounds=1):
        self.dir = tempfile.mkdtemp(prefix='bench-%s-' % self.name, dir=BASE)
        self.port = free_port()
        self.connections = connections
        self.rounds = rounds
        self.process = None

    def start(self):
        with open(self.dir + '/output', 'ab') as out:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env=self.environment)
        wait(self.ready, '%s ready, see %s' % (self.name, self.dir), 60)

    def ready(self):
        if self.process.poll() is not None:
            raise Failed('%s did not start, see %s' % (self.name, self.dir))
        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port)) == 0

    def pids(self):
        return [self.process.pid]

    def rest(self):
        """Waits until its processes do nothing worth counting."""
        before = [-1.0]

        def rests():
            time.sleep(0.5)
            now = cpu_s(self.pids())
            used, before[0] = now - before[0], now
            return used < 0.02

        wait(rests, 'rest of %s' % self.name, 300)

    def options(self):
        return ['-a', '127.0.0.1:%d' % self.port, '-d', self.dialect, '-p', ','.join(map(str, self.pids()))]

    def stop(self, keep):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


class Limit(Server):
    name = 'limit'

    def command(self):
        return [OBJS + '/bench-limit', str(self.port), self.dir + '/store']


class Nginx(Server):
    def spread(self, least):
        """Worker processes that may have all the descriptors together."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return max(least, -(-self.connections * 12 // (10 * files)))

    def command(self):
        with open(self.dir + '/nginx.conf', 'w') as f:
            f.write(self.configuration())
        return [NGINX, '-p', self.dir + '/', '-c', self.dir + '/nginx.conf', '-e', self.dir + '/error.log']

    def configuration(self):
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        # the kernel spreads connections by hash
        slots = min(self.connections * 11 // (10 * self.workers()) + 256, files - 64)
        lines = ['load_module %s;' % self.module()]
        if os.getuid() == 0:
            lines.append('user root;')
        lines += ['daemon off;', 'pid nginx.pid;', 'error_log error.log notice;',
                  'worker_processes %d;' % self.workers(), 'worker_rlimit_nofile %d;' % files,
                  'events { worker_connections %d; }' % slots, 'http {', 'access_log off;']
        lines += ['%s_temp_path %s/tmp-%s;' % (n, self.dir, n)
                  for n in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi')]
        return '\n'.join(lines + self.http() + ['}', ''])


class Chat(Nginx):
    name = 'chat'
    cache = '128m'   # which is the default

    def workers(self):
        return self.spread(os.cpu_count())

    def module(self):
        return OBJS + '/ngx_chat_module.so'

    def http(self):
        self.key = self.dir + '/key'
        if not os.path.exists(self.key):  # a second start has the same
            with open(self.key, 'w') as f:
                f.write(os.urandom(32).hex())
        return ['chat_workers auto;', 'chat_program %s/chatd;' % OBJS, 'chat_run_dir %s/run;' % self.dir,
                'chat_store leveldb:%s/store cache=%s;' % (self.dir, self.cache), 'chat_jwt_key %s;' % self.key,
                'chat_presence_timeout 1s;',
                'server {', 'listen 127.0.0.1:%d reuseport backlog=4096;' % self.port,
                'location = /ws { chat_websocket; }', 'location = /metrics { chat_metrics; }', '}']

    def ready(self):
        if not super().ready():
            return False
        self.pool = read_pid(self.dir + '/run/chatd.pid')
        probe = [LOAD, 'idle', '-n', '1', '-t', '0.1', '-u', 'probe'] + self.options() if self.pool else ['false']
        return subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def pids(self):
        return [self.process.pid, self.pool]

    def options(self):
        return super().options() + ['-k', self.key]

    def longest_commit_us(self):
        """Of the last minute or two."""
        with urllib.request.urlopen('http://127.0.0.1:%d/metrics' % self.port, timeout=10) as answer:
            found = re.search(r'^chat_pool_commit_stall_us\{process="store"\} (\d+)', answer.read().decode(), re.M)
        return int(found.group(1)) if found else 0

    def waits(self):
        """(cause, begin, seconds) of each time that LevelDB let a commit wait, by its own log.  Not in it: commits slowed
        down by a millisecond while there are 8 files of level 0."""
        ends = {'Current memtable full': r'Level-0 table #\d+: \d+ bytes', 'Too many L0 files': r'compacted to'}
        found, begun = [], {}
        with open(self.dir + '/store/LOG') as f:
            for line in f:
                at = re.match(r'(\S+) \d+ (.*)', line)
                if not at:
                    continue
                now = datetime.datetime.strptime(at.group(1), '%Y/%m/%d-%H:%M:%S.%f').timestamp()
                for cause, end in ends.items():
                    if cause in begun and re.match(end, at.group(2)):
                        found.append((cause, begun[cause], now - begun.pop(cause)))
                    elif at.group(2).startswith(cause):
                        begun.setdefault(cause, now)
        return found

    def kill(self):
        """All of it at once; start() brings it back."""
        for pid in tree(self.pids()):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, keep):
        pool = read_pid(self.dir + '/run/chatd.pid')
        started = tree([pool]) if pool else []
        super().stop(True)
        try:
            wait(lambda: not pool or not lives(pool), 'end of the pool of %s' % self.dir, STOP_S)
        except Failed:
            # a server that is started next would take it over, with the memory that it has
            for pid in started:
                if lives(pid):
                    os.kill(pid, signal.SIGKILL)
            raise
        finally:
            if not keep:
                shutil.rmtree(self.dir, ignore_errors=True)


class ChatHttp(Chat):
    """One worker process of nginx, which holds all the clients."""

    def workers(self):
        return 1

    def http(self):
        lines = super().http()
        with open(self.key, 'rb') as f:
            self.secret = f.read().strip()
        return lines[:-1] + ['location = /rpc { chat_rpc; }', 'location /v1/ { chat_api; }', '}']


class ChatIdle(Chat):
    """Its connections are pinged often, so that a short run sees it."""

    heartbeat_s = 10

    def http(self):
        lines = super().http()
        return lines[:-1] + ['chat_heartbeat %ds;' % self.heartbeat_s, '}']


class ChatMixed(ChatIdle):
    heartbeat_s = 30


class ChatTls(ChatIdle):
    name = 'chat-wss'

    def http(self):
        self.tls_port = free_port()
        made = subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                               '-nodes', '-subj', '/CN=localhost', '-days', '2', '-keyout', self.dir + '/tls.key',
                               '-out', self.dir + '/tls.crt'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if made.returncode != 0:
            raise Failed('no certificate from openssl')
        lines = super().http()
        return lines[:-1] + ['listen 127.0.0.1:%d ssl reuseport backlog=4096;' % self.tls_port,
                             'ssl_certificate tls.crt;', 'ssl_certificate_key tls.key;', '}']


class Nchan(Nginx):
    """One worker process: between several, nchan pays for passing messages on."""

    name = 'nchan'
    dialect = 'nchan'
    keeps = False

    def workers(self):
        return self.spread(1)

    def module(self):
        return nchan_module()

    def http(self):
        return ['nchan_shared_memory_size %dm;' % max(512, self.connections // 100), 'server {', 'listen 127.0.0.1:%d reuseport backlog=4096;' % self.port,
                r'location ~ ^/pub/(\w+)$ { nchan_publisher websocket; nchan_channel_id $1;',
                'nchan_message_buffer_length 5000; nchan_message_timeout 1m; }',
                r'location ~ ^/sub/(\w+)$ { nchan_subscriber websocket; nchan_channel_id $1;',
                'nchan_subscriber_first_message newest; }', '}']


def nchan_module():
    """Debian's, installed or unpacked beside our objects; None when there is no way to get it."""
    directory = OBJS + '/nchan'
    found = '/usr/lib/nginx/modules/ngx_nchan_module.so'
    if os.path.exists(found):
        return found
    found = directory + found
    if not os.path.exists(found) and shutil.which('apt-get'):
        os.makedirs(directory, exist_ok=True)
        subprocess.run(['apt-get', '-q', 'download', 'libnginx-mod-nchan'], cwd=directory,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for package in glob.glob(directory + '/*.deb'):
            subprocess.run(['dpkg', '-x', package, directory])
    return found if os.path.exists(found) else None


class Ejabberd(Server):
    """Debian's, unpacked beside our objects: no service, no distribution, no epmd, nothing outside its directory."""

    name = 'ejabberd'
    dialect = 'xmpp'
    keeps = False
    archive = False

    def command(self):
        top = ejabberd_directory()
        root = top + '/usr/lib/erlang'
        ebin = glob.glob(top + '/usr/lib/*/ejabberd-*/ebin')[0]
        libraries = os.path.dirname(os.path.dirname(os.path.dirname(ebin)))
        with open(self.dir + '/ejabberd.yml', 'w') as f:
            f.write(self.configuration())
        self.environment = dict(
            os.environ, ROOTDIR=root, BINDIR=glob.glob(root + '/erts-*/bin')[0], EMU='beam', PROGNAME='erl',
            HOME=self.dir, LD_LIBRARY_PATH=libraries, EJABBERD_CONFIG_PATH=self.dir + '/ejabberd.yml',
            EJABBERD_LOG_PATH=self.dir + '/ejabberd.log', SPOOL_DIR=self.dir + '/store')
        accounts = ['{"%s",%d}' % (p, n) for p, n in self.accounts().items()]
        return [self.environment['BINDIR'] + '/erlexec', '-noinput', '-boot', root + '/bin/start_clean', '-pa', ebin,
                '-mnesia', 'dir', '"%s/store"' % self.dir, '+K', 'true', '+P', '250000', '-s', 'ejabberd', '-eval',
                '[ejabberd_auth:try_register(list_to_binary([P, integer_to_list(I)]), <<"localhost">>, <<"x">>)'
                ' || {P, N} <- [%s], I <- lists:seq(0, N - 1)], io:format("ACCOUNTS MADE~n").' % ','.join(accounts)]

    def accounts(self):
        """Names of the load generator's users: prefix and number."""
        count = {'p': max(200, self.connections), 'u': self.connections}
        count.update(('g%d' % r, 1000) for r in range(self.rounds))
        return count

    def configuration(self):
        lines = ['hosts: [localhost]', 'loglevel: warning', 'auth_method: [internal]', 'auth_password_format: plain',
                 'auth_cache_size: 100000', 'websocket_timeout: 86400', 'websocket_ping_interval: 86400', 'listen:',
                 '  - port: %d' % self.port, '    ip: "127.0.0.1"', '    backlog: 4096',
                 '    module: ejabberd_http', '    request_handlers: {/ws: ejabberd_http_ws}',
                 'modules:', '  mod_muc:', '    history_size: 0',
                 '    default_room_options: {presence_broadcast: [], mam: %s}' % str(self.archive).lower()]
        if self.archive:
            lines += ['  mod_mam: {default: always, db_type: mnesia, assume_mam_usage: true}']
        if self.dialect == 'xmpp+sm':
            lines += ['  mod_stream_mgmt: {}']
        return '\n'.join(lines + [''])

    def ready(self):
        if not super().ready():
            return False
        with open(self.dir + '/output') as f:
            return 'ACCOUNTS MADE' in f.read()


class EjabberdMam(Ejabberd):
    name = 'ejabberd+mam'
    archive = True


class EjabberdAck(Ejabberd):
    """Its clients ask for an acknowledgement of each message."""

    name = 'ejabberd+ack'
    dialect = 'xmpp+sm'


def ejabberd_directory():
    """Where ejabberd and the parts of Erlang it needs are unpacked; None when there is no way to get them."""
    directory = OBJS + '/ejabberd'
    if not glob.glob(directory + '/usr/lib/*/ejabberd-*/ebin') and shutil.which('apt-get'):
        found = subprocess.run(['apt-cache', 'depends', '--recurse', '--no-recommends', '--no-suggests',
                                '--no-conflicts', '--no-breaks', '--no-replaces', '--no-enhances', 'ejabberd'],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        names = [n for n in set(found.split()) if n in ('ejabberd', 'libodbc2', 'libltdl7') or
                 n.startswith('erlang-')]
        names = [n for n in names if re.search('^%s$' % re.escape(n), found, re.M)]
        os.makedirs(directory, exist_ok=True)
        subprocess.run(['apt-get', '-q', 'download'] + names, cwd=directory,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for package in glob.glob(directory + '/*.deb'):
            subprocess.run(['dpkg', '-x', package, directory])
            os.unlink(package)
    return directory if glob.glob(directory + '/usr/lib/*/ejabberd-*/ebin') else None


SERVERS = {c.name: c for c in (Chat, Limit, Nchan, EjabberdMam, Ejabberd, EjabberdAck)}
