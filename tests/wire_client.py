"""Speaks the wire to chatd's workers as if it were nginx.

A Nginx is one nginx worker process: a link to each worker of a pool, frames
in and out, and nginx's part of the sequence rule (last inbox id, held
replies, pages and credit), so that what a connection would have received can
be compared.  Run as a program it starts a pool in a temporary directory and
checks it: `wire_client.py CHATD`; e2e/workers.py does so with the built one.
"""

import json
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

MAGIC, VERSION = 0x54414843, 1
(HELLO, OPEN, READY, REFUSE, REQUEST, CALL, REPLY, PUSH, PAGE, CREDIT, CLOSED, END, VERIFY, VERIFIED, NOTICE,
 STATS, RENEWED) = range(1, 18)
DRAINED = 22
LARGE = 0x80
RESUMED, AFTER, REFUSE_UNKNOWN = 1, 2, 4
REPLAYS_MAX = 2            # then the request is dropped, as nginx does


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack('<I', len(b)) + b


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, code):
        v, = struct.unpack_from('<' + code, self.data, self.at)
        self.at += struct.calcsize(code)
        return v

    def text(self):
        n = self.number('I')
        self.at += n
        return self.data[self.at - n:self.at]

    def rest(self):
        v, self.at = self.data[self.at:], len(self.data)
        return v


class Connection:
    """What a client behind nginx would see."""

    def __init__(self, handle, user, device, after):
        self.handle, self.user, self.device, self.after = handle, user, device, after
        self.opened = self.paging = False
        self.refused = self.ended = None
        self.last = 0
        self.held = {}
        self.texts = []         # as written to the client
        self.replies = {}

    def take(self, inbox_id, data):
        self.last = inbox_id
        self.write(data)
        while self.last + 1 in self.held:
            self.last += 1
            self.write(self.held.pop(self.last))

    def write(self, data):
        self.texts.append(data)
        m = json.loads(data)
        for one in m if isinstance(m, list) else [m]:
            if 'method' not in one:
                self.replies[one['id']] = one

    def sequence(self):
        """The inbox ids in the order they were written."""
        ids = []
        for t in self.texts:
            m = json.loads(t)
            if isinstance(m, list):
                continue
            r = m.get('result')
            if 'method' in m and 'inbox_id' in m['params'] and m['method'] != 'session.ready':
                ids.append(m['params']['inbox_id'])
            elif isinstance(r, dict) and 'message_id' in r and not r.get('duplicate'):
                ids.append(r['inbox_id'])
        return ids


class Link:
    def __init__(self, nginx, index):
        self.nginx, self.index = nginx, index
        self.sock = None
        self.buf = b''
        self.hello = None
        self.connections = []
        self.unanswered = {}    # request -> [type, flags, payload, replays]

    def send(self, type_, flags=0, replays=0, id_=0, payload=b''):
        if self.sock is None:
            return
        try:
            self.sock.sendall(struct.pack('<IBBHQ', 16 + len(payload), type_, flags, replays, id_) + payload)
        except OSError:
            self.down()

    def down(self):
        if self.sock is not None:
            self.sock.close()
        self.sock, self.buf, self.hello = None, b'', None

    def connect(self):
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect('%s/worker-%d.sock' % (self.nginx.run_dir, self.index))
        except OSError:
            s.close()
            return False
        self.sock = s
        n = self.nginx
        self.send(HELLO, payload=struct.pack('<IHHIQQIHHQ', MAGIC, VERSION, 1, os.getpid(), n.instance, n.generation,
                                             n.settings_hash, 0, n.index, 0) + text(''))
        for c in self.connections:
            self.open(c)
        for request, r in sorted(self.unanswered.items()):
            if r[3] == self.nginx.replays_max:
                del self.unanswered[request]
                continue
            r[3] += 1
            self.send(r[0], r[1], r[3], request, r[2])
        return True

    def open(self, c):
        flags = RESUMED if c.opened else AFTER if c.after is not None else 0
        after = c.last if c.opened else c.after or 0
        c.paging = False
        self.send(OPEN, flags, 0, c.handle, self.nginx.identity(c.user, c.device) + self.nginx.limits
                  + struct.pack('<Q', after) + text('127.0.0.1'))

    def read(self):
        try:
            data = self.sock.recv(1 << 20)
        except OSError:
            data = b''
        if not data:
            self.down()
            return
        self.buf += data
        while len(self.buf) >= 16:
            length, type_, flags, _, id_ = struct.unpack_from('<IBBHQ', self.buf)
            if len(self.buf) < length:
                break
            payload, self.buf = self.buf[16:length], self.buf[length:]
            self.nginx.frame(self, type_, id_, Reader(payload), flags)


class Nginx:
    def __init__(self, run_dir, n_workers=1, index=0, generation=0, settings_hash=0, rate=0, burst=0):
        self.run_dir, self.index, self.generation, self.settings_hash = run_dir, index, generation, settings_hash
        self.instance = random.getrandbits(64)
        self.limits = struct.pack('<IIII', 30, 2 << 20, rate, burst)
        self.links = [Link(self, i) for i in range(n_workers)]
        self.connections = {}
        self.calls = {}
        self.owners = {}        # request -> connection
        self.requests = 0
        self.handles = 0
        self.credit = True      # answer pages
        self.replays_max = REPLAYS_MAX
        self.verify = lambda token: None
        self.stats = {}
        self.notices = []

    def identity(self, user, device=''):
        return text(user) + text(device) + text('') + struct.pack('<QQ', 0, int(time.time()) + 3600)

    def pump(self, seconds=0.05):
        """Connects what is down and reads what is there; True if anything was."""
        for l in self.links:
            if l.sock is None:
                l.connect()
        up = [l for l in self.links if l.sock is not None]
        ready, _, _ = select.select([l.sock for l in up], [], [], seconds)
        if not up:
            time.sleep(seconds)
        for l in up:
            if l.sock in ready:
                l.read()
        return bool(ready)

    def until(self, condition, seconds=30, what='condition'):
        end = time.monotonic() + seconds
        while not condition():
            late = time.monotonic() > end
            self.pump()
            # what came while the machine stood still counts
            if late and not condition():
                raise AssertionError('timed out: ' + what)

    def settle(self, seconds=0.2):
        """For what must not come: what has to is waited for with until()."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.pump(0.02):
                end = time.monotonic() + seconds

    def frame(self, link, type_, id_, r, flags):
        if type_ == REPLY and flags & LARGE:
            link.send(DRAINED, id_=struct.unpack_from('<Q', r.data)[0], payload=struct.pack('<I', 1))
        handlers = {READY: self.on_ready, REFUSE: self.on_refuse, REPLY: self.on_reply, PUSH: self.on_push,
                    PAGE: self.on_page, END: self.on_end, VERIFY: self.on_verify, NOTICE: self.on_notice,
                    STATS: self.on_stats, RENEWED: self.on_renewed}
        if type_ == HELLO:
            _, _, _, _, _, generation, _, workers, index, _ = [r.number(code) for code in 'IHHIQQIHHQ']
            link.hello = {'generation': generation, 'workers': workers, 'index': index, 'error': r.text().decode()}
        elif type_ in handlers:
            handlers[type_](link, id_, r)
        else:
            raise AssertionError('frame type %d' % type_)

    def on_ready(self, link, id_, r):
        c = self.connections.get(id_)
        inbox_id, device, first = r.number('Q'), r.text().decode(), r.rest()
        if c is not None:
            c.opened, c.last, c.device = True, inbox_id, device
            c.write(first)

    def on_refuse(self, link, id_, r):
        refusal = r.number('H'), r.number('I'), r.text().decode(), r.text().decode()
        if id_ in self.connections:
            self.connections[id_].refused = refusal
        else:
            self.calls[id_] = refusal
            link.unanswered.pop(id_, None)

    def on_reply(self, link, id_, r):
        handle, inbox_id, data = r.number('Q'), r.number('Q'), r.rest()
        assert link.unanswered.pop(id_, None) is not None, 'reply to nothing: %d' % id_
        if handle == 0:
            self.calls[id_] = data
            return
        c = self.connections.get(handle)
        if c is None or not data:
            return
        if inbox_id > c.last + 1:
            c.held[inbox_id] = data
            self.lost(link, c)
        elif inbox_id == c.last + 1:
            c.take(inbox_id, data)
        else:
            c.write(data)

    def lost(self, link, c):
        if not c.paging:
            c.paging = True
            link.send(CREDIT, id_=c.handle, payload=struct.pack('<Q', c.last))

    def on_push(self, link, id_, r):
        head, tail, n = r.text(), r.text(), r.number('I')
        assert len(head) <= 100
        for _ in range(n):
            handle, inbox_id = r.number('Q'), r.number('Q')
            c = self.connections.get(handle)
            if c is None:
                continue
            if inbox_id == 0:
                c.write(head + tail)
            elif inbox_id == c.last + 1:
                c.take(inbox_id, head + str(inbox_id).encode() + tail)
            elif inbox_id > c.last:
                self.lost(link, c)

    def on_page(self, link, id_, r):
        c = self.connections.get(id_)
        for _ in range(r.number('I')):
            inbox_id, data = r.number('Q'), r.text()
            if c is None or inbox_id <= c.last:
                continue
            assert inbox_id == c.last + 1, 'gap in a page: %d after %d' % (inbox_id, c.last)
            c.take(inbox_id, c.held.pop(inbox_id, data))
        if c is not None and self.credit:
            c.paging = False
            link.send(CREDIT, id_=id_, payload=struct.pack('<Q', c.last))

    def on_end(self, link, id_, r):
        self.connections[id_].ended = r.number('H'), r.text().decode()

    def on_verify(self, link, id_, r):
        handle, token = r.number('Q'), r.text().decode()
        who = self.verify(token)
        link.send(VERIFIED, id_=id_, payload=struct.pack('<QH', handle, 200 if who else 401) + self.identity(*(who or ('', ''))))

    def on_renewed(self, link, id_, r):
        self.connections[id_].renewed = r.text().decode(), r.number('Q'), r.number('Q')

    def on_notice(self, link, id_, r):
        self.notices.append((r.number('B'), r.rest().decode()))

    def on_stats(self, link, id_, r):
        source, n = r.number('H'), r.number('I')
        self.stats[source] = [r.number('Q') for _ in range(n)]

    def open(self, user, device='', after=None, worker=0, wait=True):
        self.handles += 1
        c = Connection(self.handles, user, device, after)
        self.connections[c.handle] = c
        link = self.links[worker]
        link.connections.append(c)
        c.link = link
        if link.sock is not None:
            link.open(c)
        else:   # once it is up it opens what it has
            self.until(lambda: link.sock is not None, what='link')
        if wait:
            self.until(lambda: c.opened or c.refused, what='READY')
        return c

    def close(self, c):
        c.link.send(CLOSED, id_=c.handle)
        c.link.connections.remove(c)
        del self.connections[c.handle]

    def send(self, c, data):
        """One WebSocket message; returns the request number."""
        self.requests += 1
        payload = struct.pack('<Q', c.handle) + (data if isinstance(data, bytes) else data.encode())
        c.link.unanswered[self.requests] = [REQUEST, 0, payload, 0]
        c.link.send(REQUEST, 0, 0, self.requests, payload)
        return self.requests

    def request(self, c, method, **params):
        id_ = 'r%d' % (self.requests + 1)
        self.send(c, json.dumps({'jsonrpc': '2.0', 'id': id_, 'method': method, 'params': params}))
        return id_

    def call(self, c, method, **params):
        id_ = self.request(c, method, **params)
        self.until(lambda: id_ in c.replies, what='reply to ' + method)
        answer = c.replies[id_]
        return answer['result'] if 'result' in answer else answer['error']

    def http(self, user, body, device='', worker=0):
        self.requests += 1
        number = self.requests
        link = self.links[worker]
        self.until(lambda: link.sock is not None, what='link')
        payload = self.identity(user, device) + self.limits + (body if isinstance(body, bytes) else body.encode())
        link.unanswered[number] = [CALL, 0, payload, 0]
        link.send(CALL, 0, 0, number, payload)
        self.until(lambda: number in self.calls, what='reply to a call')
        return self.calls.pop(number)


# --- a pool of its own, and a run through what a worker does -------------------


class Pool:
    def __init__(self, chatd, n=1):
        self.dir = tempfile.mkdtemp(prefix='chatd-')
        self.run_dir = self.dir + '/run'
        os.mkdir(self.run_dir)
        self.chatd, self.n = chatd, n
        self.process = None

    def start(self):
        self.process = subprocess.Popen([self.chatd, '-d', self.run_dir, '-n', str(self.n), '-s', 'leveldb:%s/store' % self.dir,
                                         '-l', self.dir + '/log'])

    def pids(self, title):
        found = []
        for p in os.listdir('/proc'):
            try:
                with open('/proc/%s/cmdline' % p, 'rb') as f:
                    name = f.read().split(b'\0')[0].decode()
                with open('/proc/%s/stat' % p) as f:
                    fields = f.read().rpartition(')')[2].split()
                if name == title and fields[0] != 'Z' and int(fields[1]) == self.process.pid:
                    found.append(int(p))
            except (OSError, ValueError):
                pass
        return found

    def kill(self, title):
        for pid in self.pids(title):
            os.kill(pid, signal.SIGKILL)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def log(self):
        with open(self.dir + '/log') as f:
            return f.read()


def check(name, condition, detail=''):
    if not condition:
        raise AssertionError('%s %s' % (name, detail))


def test_open_send_push(n, pool):
    alice, alice2, bob = n.open('alice', 'd1'), n.open('alice', 'd2'), n.open('bob', 'd3')
    r = n.call(alice, 'message.send', to='bob', client_id='c1', text='hello')
    check('result', r['message_id'] == 1 and r['inbox_id'] == 1, r)
    n.until(lambda: alice2.last == 1 and bob.last == 1, what='the events')
    n.settle()
    check('in sequence', alice.sequence() == [1] and alice2.sequence() == [1] and bob.sequence() == [1])
    check('no event to the sender', len(alice.texts) == 2, alice.texts)
    again = n.call(alice, 'message.send', to='bob', client_id='c1', text='other')
    check('duplicate', again['duplicate'] is True and again['inbox_id'] == 1, again)


def test_after(n, pool):
    alice = n.open('alice', 'd1')
    for i in range(300):
        n.request(alice, 'message.send', to='after', client_id='a%d' % i, text='x' * 1000)
    n.until(lambda: not alice.link.unanswered, what='the replies')
    c = n.open('after', 'd1', after=0)
    n.until(lambda: c.last == 300, what='stream')
    check('whole', c.sequence() == list(range(1, 301)))
    c2 = n.open('after', 'd1', after=299)
    n.until(lambda: c2.last == 300)
    check('the rest', c2.sequence() == [300])
    c3 = n.open('after', 'd1', after=5000)
    n.settle()
    check('beyond', c3.sequence() == [] and c3.last == 300)
    n.call(alice, 'message.send', to='after', client_id='last', text='x')
    n.until(lambda: all(one.last == 301 for one in (c, c2, c3)), what='live')


def test_behind(n, pool):
    alice, slow = n.open('alice', 'd1'), n.open('slow', 'd1')
    n.credit = False
    first = n.open('slow', 'd2', after=0)
    for i in range(10):
        n.request(alice, 'message.send', to='slow', client_id='s%d' % i, text='x')
    n.until(lambda: slow.last == 10 and not alice.link.unanswered, what='the events')
    n.settle()
    # as nginx does when it had to drop: rolls back, and takes it all again
    slow.last = 3
    slow.texts = slow.texts[:4]
    n.lost(slow.link, slow)
    n.credit = True
    n.until(lambda: slow.last == 10, what='after a rollback')
    check('rolled back', slow.sequence() == list(range(1, 11)), slow.sequence())
    n.until(lambda: first.last == 10, what='the first pages')
    n.settle()
    check('first', first.sequence() == list(range(1, 11)), first.sequence())


def kill(n, pool, title, what):
    users = [n.open('%s-u%d' % (what, i), 'd') for i in range(8)]
    n.replays_max = 100     # here it is not the requests that end the worker
    sent = 0
    for round_ in range(4):
        for i, c in enumerate(users):
            for k in range(5):
                n.request(c, 'message.send', to=users[(i + 1) % len(users)].user, client_id='%s%d-%d' % (what, round_, k),
                          text='round %d' % round_)
                sent += 1
        n.pump()
        pool.kill(title)
        n.settle(0.05)
    n.until(lambda: all(not l.unanswered for l in n.links), 60, 'all answered')
    n.until(lambda: all(c.last == 40 for c in users), 60, 'all delivered: %s' % [c.last for c in users])
    for c in users:
        check('gapless', c.sequence() == list(range(1, 41)), c.sequence())
        check('no error', all('error' not in r for r in c.replies.values()), c.replies)
        check('not ended', c.ended is None and c.refused is None)
    n.replays_max = REPLAYS_MAX


def test_kill_store(n, pool):
    kill(n, pool, 'chatd: store', 'store')


def test_kill_worker(n, pool):
    kill(n, pool, 'chatd: worker 0', 'worker')


def test_faults(n, pool):
    """Only in a build with -DCHATD_FAULTS; else these are ordinary texts."""
    c, beside = n.open('fault', 'd'), n.open('beside', 'd')
    r = n.call(c, 'message.send', to='beside', client_id='1', text='CHATD_FAULT crash store')
    check('done once', r['message_id'] == 1, r)
    n.until(lambda: c.last == 1 and beside.last == 1)
    n.request(c, 'message.send', to='beside', client_id='2', text='CHATD_FAULT crash worker')
    n.until(lambda: not c.link.unanswered, 20, 'the request is dropped or answered')
    check('goes on', n.call(beside, 'ping')['server_time'] > 0)


def test_http(n, pool):
    r = json.loads(n.http('web', '{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"to":"bob","client_id":"h","text":"x"}}'))
    check('http', r['result']['inbox_id'] == 1, r)
    r = json.loads(n.http('web', '[{"jsonrpc":"2.0","id":1,"method":"inbox.sync","params":{"after":0}},'
                                 '{"jsonrpc":"2.0","id":2,"method":"ping"}]'))
    check('batch', [a['id'] for a in r] == [1, 2] and len(r[0]['result']['events']) == 1, r)
    check('nothing to answer', n.http('web', '{"jsonrpc":"2.0","method":"ping"}') == b'')


def test_renew(n, pool):
    n.verify = lambda token: ('alice', 'd1') if token == 'good' else None
    alice = n.open('alice', 'd1')
    check('renewed', n.call(alice, 'session.renew', token='good')['expires_at'] > time.time() * 1000)
    check('taken over', alice.renewed[2] > time.time(), alice.renewed)
    alice.renewed = None
    check('refused', n.call(alice, 'session.renew', token='bad')['code'] == 401)
    check('nothing taken over', alice.renewed is None)


def test_rate(n, pool):
    n = Nginx(pool.run_dir, index=1, rate=1, burst=3)
    c = n.open('fast', 'd')
    codes = [n.call(c, 'ping').get('code', 0) for _ in range(4)]
    check('limited', codes == [0, 0, 0, 429], codes)
    n.send(c, '{"jsonrpc":"2.0","id":1,"method":"ping"}')
    n.until(lambda: c.ended == (1008, 'rate_limited'))


def test_bad_frames(n, pool):
    for payload in (b'', b'\0' * 200, os.urandom(100)):
        for type_ in range(1, 40):
            bad = Nginx(pool.run_dir, index=9)
            bad.until(lambda: bad.links[0].hello, what='hello')
            bad.links[0].send(type_, 0, 0, 1, payload)
            end = time.monotonic() + 0.02
            while bad.links[0].sock is not None and time.monotonic() < end:
                try:
                    bad.links[0].sock.settimeout(0.02)
                    bad.links[0].read()
                except AssertionError:
                    pass
            bad.links[0].down()
    check('alive', len(pool.pids('chatd: worker 0')) == 1)
    check('same', n.call(n.open('alice', 'd1'), 'ping')['server_time'] > 0)


def test_store_away(n, pool):
    c = n.open('away', 'd')
    store = pool.pids('chatd: store')[0]
    os.kill(store, signal.SIGSTOP)
    start = time.monotonic()
    other = n.open('late', 'd')
    check('refused after 2 s', other.refused and other.refused[0] == 503 and time.monotonic() - start > 1.5, other.refused)
    n.connections.pop(other.handle)
    other.link.connections.remove(other)
    os.kill(store, signal.SIGCONT)
    check('goes on', n.call(c, 'message.send', to='away', client_id='1', text='x')['inbox_id'] == 1)


def flood(n, sender, to, what):
    """16 MiB of messages, twice what a link holds."""
    for i in range(160):
        n.request(sender, 'message.send', to=to, client_id='%s%d' % (what, i), text='x' * 100000)
        if i % 8 == 7:
            n.until(lambda: not sender.link.unanswered, 90)
    n.until(lambda: not sender.link.unanswered, 90)


def test_slow_worker(n, pool):
    """A worker that does not read loses events, is told, and reads them from the inbox."""
    sender, other = n.open('alice', 'd1'), n.open('w1', 'd', worker=1)
    worker = pool.pids('chatd: worker 1')[0]
    lost = n.stats[0][15]
    os.kill(worker, signal.SIGSTOP)
    flood(n, sender, 'w1', 'slow-worker')
    os.kill(worker, signal.SIGCONT)
    n.until(lambda: other.last == 160, 90, 'all delivered: %d' % other.last)
    check('gapless', other.sequence() == list(range(1, 161)), other.sequence())
    n.until(lambda: n.stats[0][15] > lost, what='events were dropped')


def test_slow_nginx(n, pool):
    """An nginx that does not read: its sessions are behind, and catch up by pages."""
    slow = Nginx(pool.run_dir, 2, index=2)
    sender, other, beside = n.open('alice', 'd1'), slow.open('w2', 'd', worker=1), n.open('w2', 'd2', worker=1)
    flood(n, sender, 'w2', 'slow-nginx')
    n.until(lambda: beside.last == 160, 90, 'the other nginx is not held up')
    slow.until(lambda: other.last == 160, 90, 'all delivered')
    check('gapless', other.sequence() == list(range(1, 161)), other.sequence())
    slow.until(lambda: slow.stats.get(2, [0] * 8)[7] > 0, what='pages')
    slow.settle()
    check('live', n.call(sender, 'message.send', to='w2', client_id='slow-nginx', text='x'))
    slow.until(lambda: other.last == 161)


def test_relay(n, pool):
    """The store hands a live-only event to the home workers of its users."""
    def worker(index):
        s = socket.socket(socket.AF_UNIX)
        s.connect(pool.run_dir + '/store.sock')
        hello = struct.pack('<IHHIQQIHHQ', MAGIC, VERSION, 2, os.getpid(), 1, 0, 0, 0, index, 0) + text('')
        s.sendall(struct.pack('<IBBHQ', 16 + len(hello), HELLO, 0, 0, 0) + hello)
        return s

    def relayed(s):
        """Up to the one frame that comes here."""
        s.settimeout(30)
        data = b''
        while True:
            data += s.recv(65536)
            while len(data) >= 16 and len(data) >= struct.unpack_from('<I', data)[0]:
                length, type_ = struct.unpack_from('<IB', data)
                if type_ == 35:
                    r = Reader(data[16:length])
                    check('relay', (r.number('B'), r.text()) == (8, b'tail'))
                    return [r.text().decode() for _ in range(r.number('I'))]
                data = data[length:]
    stopped = pool.pids('chatd: worker 0') + pool.pids('chatd: worker 1')
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    w0, w1, w9 = worker(0), worker(1), worker(9)
    users = ['u%d' % i for i in range(20)]
    payload = bytes([8]) + text('tail') + struct.pack('<I', 20) + b''.join(text(u) for u in users)
    w9.sendall(struct.pack('<IBBHQ', 16 + len(payload), 35, 0, 0, 0) + payload)
    at0, at1 = relayed(w0), relayed(w1)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    for s in (w0, w1, w9):
        s.close()
    check('each once', sorted(at0 + at1) == sorted(users), (at0, at1))
    check('divided', len(at0) > 0 and len(at1) > 0)
    n.settle(0.5)


def test_stats(n, pool):
    n.until(lambda: 1 in n.stats and 0 in n.stats and n.stats[0][10] > 0, what='stats of the worker and of the store')


TESTS = [test_open_send_push, test_after, test_behind, test_http, test_renew, test_rate, test_stats, test_store_away,
         test_bad_frames, test_slow_worker, test_slow_nginx, test_relay, test_kill_store, test_kill_worker, test_faults]


def main(chatd):
    """TAP on stdout; returns how many failed."""
    pool = Pool(chatd, 2)
    pool.start()
    n = Nginx(pool.run_dir, 2)
    failed = 0
    for number, t in enumerate(TESTS, 1):
        try:
            t(n, pool)
            print('ok %d - %s' % (number, t.__name__), flush=True)
        except Exception as e:
            failed += 1
            print('not ok %d - %s\n# %s: %s' % (number, t.__name__, type(e).__name__, e), flush=True)
    pool.stop()
    if failed:
        print('# ' + pool.log().replace('\n', '\n# '))
    shutil.rmtree(pool.dir, ignore_errors=True)
    print('1..%d' % len(TESTS))
    return failed


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]) != 0)
