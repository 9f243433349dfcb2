"""How nginx makes the run directory, writes the settings, starts the pool and
starts it again; tests/fake_chatd.py stands in for chatd."""

import signal
import sys

from chat import *

FAKE = ROOT + '/tests/fake_chatd.py'


class PoolServer(Server):
    """nginx whose chat_program is the fake."""

    def __init__(self, options='', start=True, program=None, **settings):
        self.program = program
        super().__init__(start=False, pool='nginx', **settings)
        if program is None:
            self.program = self.dir + '/fake'
            with open(self.program, 'w') as f:
                f.write('#!/bin/sh\nFAKE_CHATD="--lock --log %s/frames %s" exec %s %s "$@"\n'
                        % (self.dir, options, sys.executable, FAKE))
            os.chmod(self.program, 0o755)
        if start:
            self.start(wait=False)

    def configuration(self):
        return re.sub(r'chat_program .*;', 'chat_program %s;' % self.program, super().configuration())

    def pool_parent(self):
        try:
            pid = int(read(self.run_dir + '/chatd.pid') or 0)
        except ValueError:
            return None
        return pid if pid and alive(pid) else None

    def pool_processes(self):
        parent = self.pool_parent()
        return {'fake': parent} if parent else {}

    def answers(self, timeout=10):
        """Waits for the pool to answer; returns its process id."""
        def try_it():
            try:
                return self.rpc('alice', 'echo')
            except (OSError, http.client.HTTPException, HttpError):
                return None
        until(try_it, timeout * SLOW, 'the pool to answer')
        return self.pool_parent()

    def written(self):
        """The settings as a dictionary."""
        return dict(line.split(' ', 1) for line in read(self.run_dir + '/settings').splitlines())


@test('nginx starts a pool with its settings, which ends after nginx')
def _():
    s = PoolServer(chat_workers=3)
    pid = s.answers()
    equal(s.written(), {'generation': '1', 'workers': '3', 'store': 'leveldb:' + s.store,
                        'owner': str(s.nginx.pid), 'presence_timeout': '60', 'cache': str(128 << 20)})
    equal(oct(os.stat(s.run_dir).st_mode & 0o777), oct(0o750))
    with open('/proc/%d/status' % pid) as f:
        status = f.read()
    equal(re.search(r'SigBlk:\s+(\w+)', status).group(1), '0' * 16)
    assert int(re.search(r'Umask:\s+(\w+)', status).group(1), 8) & 0o007 == 7
    sockets = [os.readlink('/proc/%d/fd/%s' % (pid, fd)) for fd in ('0', '1')]
    equal(sockets, ['/dev/null', '/dev/null'])
    assert os.getsid(pid) not in (os.getsid(s.nginx.pid), 0)
    assert 'exited with code' not in read(s.error_log)
    start = time.monotonic()
    s.nginx.terminate()
    s.nginx.wait(10)
    with socket.socket() as probe:
        assert probe.connect_ex(('127.0.0.1', s.port)) != 0, 'the pool keeps nginx\'s listening socket'
    until(lambda: not alive(pid), 10 * SLOW, 'the end of the pool')
    assert time.monotonic() - start > 2.5, 'the pool ended with nginx'


@test('a pool that was killed is started again, and keeps its clients')
def _():
    s = PoolServer()
    pid = s.answers()
    c = Client(s, 'alice')
    for _ in range(3):
        os.kill(pid, signal.SIGKILL)
        equal(c.call('echo')['user'], 'alice')
        until(lambda: s.pool_parent() not in (None, pid), what='another pool')
        pid = s.pool_parent()
    assert c.resumed >= 1


@test('a nginx worker that is killed is no reason for another pool')
def _():
    s = PoolServer(allow='exited on signal 9')
    pid = s.answers()

    def count(what, path):
        return read(path).count(what)
    until(lambda: count('"HELLO"', s.dir + '/frames') >= 2, 20 * SLOW, 'both nginx workers')
    started = count('chat pool started', s.error_log)
    for _ in range(4):
        seen = count('"HELLO"', s.dir + '/frames')
        os.kill(s.nginx_workers()[0], signal.SIGKILL)
        # without any link for three seconds it would end
        until(lambda: count('"HELLO"', s.dir + '/frames') > seen, 20 * SLOW, 'the next nginx worker')
    time.sleep(2.5)
    equal(s.answers(), pid)
    # one that waits for seconds for its link starts one, which finds the first and ends
    assert count('chat pool started', s.error_log) - started < 4, read(s.error_log)


@test('a reload keeps pool and generation, a change of the settings raises it')
def _():
    s = PoolServer(chat_workers=1)
    pid = s.answers()
    s.reload()
    equal(s.answers(), pid)
    equal(s.written()['generation'], '1')
    s.reload(chat_workers=2)
    equal((s.written()['generation'], s.written()['workers'], s.written()['owner']), ('2', '2', str(s.nginx.pid)))
    equal(s.answers(), pid)
    generations = {json.loads(l)['generation'] for l in read(s.dir + '/frames').splitlines() if '"HELLO"' in l}
    equal(generations, {1, 2})
    s.stop()
    s.start(wait=False)
    s.answers()
    equal(s.written()['generation'], '2', 'nothing changed')


@test('a master that became a daemon owns the settings')
def _():
    s = PoolServer(start=False)
    s.write_configuration()
    text = read(s.dir + '/nginx.conf').replace('daemon off;', '')
    with open(s.dir + '/nginx.conf', 'w') as f:
        f.write(text)
    subprocess.run(s.command(), check=True)
    try:
        s.answers()
        until(lambda: s.written()['owner'] == read(s.dir + '/nginx.pid').strip(), what='the owner')
        equal(s.written()['generation'], '1')
    finally:
        os.kill(int(read(s.dir + '/nginx.pid')), signal.SIGTERM)


@test('nginx -t makes nothing')
def _():
    s = PoolServer(start=False)
    s.write_configuration()
    # an nginx that only tests gives back nothing at its end
    env = dict(os.environ, ASAN_OPTIONS='detect_leaks=0')
    equal(subprocess.run(s.command('-t', '-q'), env=env).returncode, 0)
    assert not os.path.exists(s.run_dir) and not os.path.exists(s.store)


@test('a second nginx shares the pool with equal settings')
def _():
    a = PoolServer()
    pid = a.answers()
    b = PoolServer(run_dir=a.run_dir, store=a.store)
    equal(b.answers(), pid)
    equal((a.written()['generation'], a.written()['owner']), ('1', str(a.nginx.pid)))


@test('a second nginx with other settings says so and leaves them alone')
def _():
    a = PoolServer(chat_workers=1)
    pid = a.answers()
    before = read(a.run_dir + '/settings')
    b = PoolServer(run_dir=a.run_dir, store=a.store, chat_workers=2)
    until(lambda: 'in use by nginx process %d' % a.nginx.pid in read(b.error_log), what='the error')
    equal(read(a.run_dir + '/settings'), before)
    hello = until(lambda: [h for h in map(json.loads, read(a.dir + '/frames').splitlines())
                           if h['event'] == 'HELLO' and h['pid'] in b.nginx_workers()], what='HELLO of the second')
    equal(hello[0]['generation'], 1)
    assert hello[0]['hash'] != [h for h in map(json.loads, read(a.dir + '/frames').splitlines())
                                if h['event'] == 'HELLO' and h['pid'] in a.nginx_workers()][0]['hash']
    equal(a.answers(), pid)


@test('a program that cannot be started is named in the error log')
def _():
    s = PoolServer(program='/nowhere/chatd')
    until(lambda: re.search(r'\[error\].*"/nowhere/chatd" cannot be started.*No such file', read(s.error_log)),
          what='the error')
    equal(s.post('alice', '{}')[0], 503)
    equal(s.http('GET', '/status')[0], 200)


@test('a pool that ends at once is started ever more seldom')
def _():
    s = PoolServer('--nonsense')

    def starts():
        return read(s.error_log).count('chat pool started')

    time.sleep(8)
    assert starts() <= 6, starts()
    until(lambda: starts() >= 4, what='four starts')
    until(lambda: 'unrecognized arguments' in read(s.run_dir + '/chatd.log'), what='what it says')


@test('a run directory that cannot be made is an error, and nginx serves the rest')
def _():
    s = PoolServer(start=False)
    with open(s.run_dir, 'w'):
        pass
    s.start(wait=False)
    until(lambda: re.search(r'\[error\].*chat directory .*cannot be made', read(s.error_log)), what='the error')
    assert re.search(r'\[error\].*chat settings .*cannot be written', read(s.error_log))
    equal(refusal(s, 'alice').status, 503)
    equal(s.http('GET', '/status')[0], 200)
    os.unlink(s.run_dir)
    os.mkdir(s.run_dir)
    s.answers()
    equal(s.written()['owner'], str(s.nginx.pid))


@test('what lies in the run directory cannot lead the master elsewhere')
def _():
    s = PoolServer(start=False)
    os.mkdir(s.run_dir)
    victim = s.dir + '/victim'
    with open(victim, 'w') as f:
        f.write('generation 7\n')
    os.symlink(victim, s.run_dir + '/settings')
    os.mkfifo(s.run_dir + '/lock')
    s.start(wait=False)
    until(lambda: s.written()['generation'] == '1', what='settings of its own')
    equal(read(victim), 'generation 7\n')
    os.unlink(s.run_dir + '/lock')
    s.answers()


main()
