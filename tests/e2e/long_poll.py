"""GET /v1/inbox with wait: parked until there is something, or the time has passed."""

import subprocess
import threading

from chat import *
from events import Stream
from openapi import Checked


def say(server, user, to, text='x'):
    return server.rpc(user, 'message.send', {'to': to, 'client_id': os.urandom(6).hex(), 'text': text})


def poll(server, user, after, wait, more='', **options):
    return Stream(server, user, 'inbox?after=%d&wait=%s%s' % (after, wait, more), **options)


def parked(server, n):
    until(lambda: server.metrics()['chat_connections'] == n, 20 * SLOW, '%d parked polls' % n)


@test('what is there is told at once and the connection stays; what comes ends the wait')
def _():
    server = Checked()
    say(server, 'alice', 'bob', 'one')
    start = time.monotonic()
    status, _, page = server.api('bob', 'GET', 'inbox?after=0&wait=60')
    equal((status, page), (200, server.rpc('bob', 'inbox.sync', {'after': 0})))
    p = poll(server, 'bob', 1, 60)
    parked(server, 1)
    say(server, 'alice', 'bob', 'two')
    page = json.loads(p.rest())
    equal((p.status, p.headers['content-type'], p.headers['cache-control']), (200, 'application/json', 'no-store'))
    equal(page, server.rpc('bob', 'inbox.sync', {'after': 1}))
    assert time.monotonic() - start < 30 * SLOW
    # the limit holds for what ended the wait too
    p = poll(server, 'bob', 2, 60, '&limit=1')
    parked(server, 1)
    server.post('alice', json.dumps([{'jsonrpc': '2.0', 'id': i, 'method': 'message.send',
                                      'params': {'to': 'bob', 'client_id': 'c%d' % i, 'text': 'x'}} for i in range(5)]))
    page = json.loads(p.rest())
    equal([e['params']['inbox_id'] for e in page['events']], [3])


@test('when nothing comes the answer is an empty page after the time, like any answer by the document')
def _():
    server = Checked()
    say(server, 'alice', 'bob')
    start = time.monotonic()
    status, headers, page = server.api('bob', 'GET', 'inbox?after=1&wait=1')
    took = time.monotonic() - start
    equal((status, page), (200, {'events': [], 'more': False, 'inbox_id': 1}))
    assert 0.9 <= took < 20 * SLOW, took
    # a live-only event is nothing
    p = poll(server, 'bob', 1, 6)
    parked(server, 1)
    server.rpc('alice', 'channel.read', {'channel': 'd.alice~bob', 'message_id': 1})
    equal(json.loads(p.rest())['events'], [])
    status, headers, page = server.api('bob', 'HEAD', 'inbox?after=1&wait=60')
    equal((status, int(headers['content-length']) > 10), (200, True))
    p = poll(server, 'bob', 1, 1, version='1.0')
    equal((json.loads(p.rest()), p.chunked), ({'events': [], 'more': False, 'inbox_id': 1}, False))


@test('one after the other, polls miss nothing and tell nothing twice')
def _():
    server = Server()
    n = 100
    def send():
        for i in range(n):
            say(server, 'alice', 'bob', 'm%d' % i)
            if i % 7 == 0:
                time.sleep(0.01)
    thread = threading.Thread(target=send)
    thread.start()
    seen = []
    while len(seen) < n:
        page = json.loads(poll(server, 'bob', len(seen), 20, timeout=30).rest())
        seen += [e['params']['inbox_id'] for e in page['events']]
    thread.join()
    equal(seen, list(range(1, n + 1)))


@test('HTTP/2 waits too')
def _():
    server = Server(tls=True)
    at = 'https://127.0.0.1:%d/v1/inbox?after=0&wait=' % server.tls_port
    command = ['curl', '-sk', '--http2', '-w', '\n%{http_version} %{http_code}', '-H',
               'Authorization: Bearer ' + server.token('bob')]
    out = subprocess.run(command + [at + '1'], stdout=subprocess.PIPE, text=True, timeout=60).stdout
    equal(out, '{"events":[],"more":false,"inbox_id":0}\n2 200')
    p = subprocess.Popen(command + [at + '60'], stdout=subprocess.PIPE, text=True)
    parked(server, 1)
    say(server, 'alice', 'bob', 'two')
    out = p.communicate(timeout=20 * SLOW)[0]
    equal(json.loads(out.split('\n')[0])['events'][0]['params']['message']['text'], 'two')
    assert out.endswith('\n2 200'), out
    parked(server, 0)


@test('a reload answers those who wait at once, with nothing; the old workers end')
def _():
    server = Server(tls=True, http='chat_drain_time 30s;')
    polls = [poll(server, 'u%d' % i, 0, 60) for i in range(50)]
    p = subprocess.Popen(['curl', '-sk', '--http2', '-H', 'Authorization: Bearer ' + server.token('bob'),
                          'https://127.0.0.1:%d/v1/inbox?after=0&wait=60' % server.tls_port], stdout=subprocess.PIPE)
    parked(server, 51)
    start = time.monotonic()
    old = server.reload()
    for s in polls:
        equal(json.loads(s.rest()), {'events': [], 'more': False, 'inbox_id': 0})
    equal(json.loads(p.communicate(timeout=20 * SLOW)[0])['events'], [])
    assert time.monotonic() - start < 25 * SLOW, time.monotonic() - start
    for s in polls:
        s.close()
    until(lambda: not any(alive(pid) for pid in old), 20 * SLOW, 'old workers to end')


@test('a killed worker or store does not end the wait, and the event after it does')
def _():
    server = Server(chat_workers=1, allow='exited|ended|lost|refused|failed|closed')
    for name in ('chatd: worker 0', 'chatd: store'):
        after = server.rpc('bob', 'channel.list', {}) and 0
        p = poll(server, name[7:8] + 'bob', after, 60, timeout=40)
        parked(server, 1)
        server.kill(name)
        def said():
            try:
                return server.rpc('alice', 'message.send', {'to': name[7:8] + 'bob', 'client_id': name, 'text': 'x'})
            except (HttpError, RpcError, OSError, http.client.HTTPException):
                return None
        until(said, 30 * SLOW)
        equal(len(json.loads(p.rest())['events']), 1)


@test('clients that go away while they wait leave nothing behind')
def _():
    server = Server()
    polls = [poll(server, 'bob', 0, 60) for i in range(100)]
    parked(server, 100)
    for i, s in enumerate(polls):
        if i % 2:
            s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        s.close()
        if i % 30 == 0:
            say(server, 'alice', 'bob')
    parked(server, 0)


@test('thousands wait at once in one nginx worker, each for a few hundred bytes, and all are told')
def _():
    n = 3000 // SLOW
    server = Server(workers=1, chat_workers=1)
    nginx, chatd = server.nginx_workers()[0], server.pool_processes()['chatd: worker 0']
    def rss(pid):
        return int(re.search(r'VmRSS:\s+(\d+)', read('/proc/%d/status' % pid)).group(1))
    polls = [poll(server, 'u%d' % (i % 100), 0, 60, timeout=60) for i in range(200)]
    parked(server, 200)
    before = rss(nginx), rss(chatd)
    # a hundred at a time: what is measured is those who wait, not those on their way there
    for i in range(n):
        polls.append(poll(server, 'u%d' % (i % 100), 0, 60, timeout=60))
        if i % 100 == 99:
            parked(server, i + 201)
    parked(server, n + 200)
    each = [(b - a) * 1024 / n for a, b in zip(before, (rss(nginx), rss(chatd)))]
    print('# parked: nginx %d bytes each, worker %d bytes each' % tuple(each))
    if not ASAN:
        assert each[0] < 3000 and each[1] < 1500, each
    for i in range(100):
        say(server, 'alice', 'u%d' % i)
    for p in polls:
        equal(len(json.loads(p.rest())['events']), 1)


main()
