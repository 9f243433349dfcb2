"""`make run` for somebody who has just come: ready, a first message, again."""

import subprocess

from chat import *

if ASAN:
    # the config of `make run` loads the module that `make` built
    @test('make run')
    def _():
        raise Skip('the sanitized module is linked into its nginx')
    main()


class Run:
    """tools/run as the Makefile calls it, up to `chat ready`."""

    def __init__(self, directory, port, *more, ready=True, env=None):
        self.port, self.directory = port, directory
        self.process = subprocess.Popen([ROOT + '/tools/run', str(port), directory, *more], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, cwd=ROOT, start_new_session=True,
                                        env=dict(os.environ, **(env or {})))
        cleanup(lambda failed: self.end())
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip('\n'))
            if line.startswith('chat ready'):
                break
        if ready:
            assert self.lines and self.lines[-1] == 'chat ready on http://127.0.0.1:%d' % port, self.lines
            self.lines += [next(self.process.stdout).rstrip('\n') for _ in range(3)]

    def end(self, sig=signal.SIGINT):
        if self.process.poll() is None:
            os.killpg(self.process.pid, sig)
        status = self.process.wait(30)
        self.process.stdout.close()
        return status

    def processes(self):
        pids = [int(read(self.directory + p) or 0) for p in ('/nginx.pid', '/chat/chatd.pid')]
        return [p for p in pids if p and alive(p)]


def shell(commands):
    return subprocess.run(['bash', '-c', commands], stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=60).stdout


@test('make run gets ready; its three lines send and read a first message; Ctrl-C ends nginx and pool')
def _():
    run = Run(scratch('chat-run-'), free_port())
    answers = [json.loads(a) for a in shell('\n'.join([run.lines[1], run.lines[2], 'echo', run.lines[3]])).splitlines()]
    equal(answers[0]['result']['message_id'], 1)
    equal(answers[1]['result']['events'][0]['params']['message']['text'], 'hello')
    processes = run.processes()
    equal(len(processes), 2)
    run.end()
    for pid in processes:
        assert not alive(pid), 'process %d runs on after Ctrl-C' % pid


@test('running again keeps the messages and the key; WebSocket, echo, status and metrics are where they should be')
def _():
    directory = scratch('chat-run-')
    run = Run(directory, free_port())
    shell('\n'.join(run.lines[1:3]))
    token_before = shell('make -s token USER=bob DIR=%s' % directory).strip()
    run.end(signal.SIGTERM)
    run = Run(directory, free_port(), '5r/s', '100')
    bearer = [('Authorization', 'Bearer ' + token_before)]
    ws = WebSocket('127.0.0.1', run.port, '/ws?after=0', bearer)
    equal(json.loads(ws.recv())['params']['inbox_id'], 1)
    equal(json.loads(ws.recv())['params']['message']['text'], 'hello')
    # RATE was asked for this time
    for i in range(20):
        ws.send('{"jsonrpc":"2.0","id":%d,"method":"ping"}' % i)
    assert any('"code":429' in ws.recv() for _ in range(20)), 'no limit'
    echo = WebSocket('127.0.0.1', run.port, '/echo')
    echo.send('x')
    equal(echo.recv(), 'x')
    for path in ('/status', '/metrics'):
        c = http.client.HTTPConnection('127.0.0.1', run.port)
        c.request('GET', path)
        equal(c.getresponse().status, 200, path)
    mode = os.stat(directory + '/jwt.key').st_mode & 0o777
    equal(mode, 0o600, 'mode of the key')


def page(run):
    c = http.client.HTTPConnection('127.0.0.1', run.port)
    c.request('GET', '/')
    answer = c.getresponse()
    return answer.status, answer.getheader('Content-Security-Policy') or '', answer.read().decode()


@test('the page is at /, under a strict policy; where it was not built the API is served, and it is said')
def _():
    objs = scratch('chat-objs-')
    os.chmod(objs, 0o755)
    for name in ('chatd', 'ngx_chat_module.so'):
        os.symlink(OBJS + '/' + name, objs + '/' + name)
    run = Run(scratch('chat-run-'), free_port(), env={'CHAT_OBJS': objs})
    assert any('the page is not built' in line for line in run.lines), run.lines
    equal(page(run)[0], 404)
    run.end()
    os.mkdir(objs + '/web')
    with open(objs + '/web/index.html', 'w') as f:
        f.write('<!doctype html><title>Chat</title>')
    run = Run(scratch('chat-run-'), free_port(), env={'CHAT_OBJS': objs})
    assert not any('not built' in line for line in run.lines), run.lines
    status, policy, text = page(run)
    equal((status, 'Chat' in text), (200, True))
    assert "default-src 'none'" in policy and 'unsafe' not in policy, policy


@test('a taken port, a directory in use, a wrong RATE or CONNECTIONS are told plainly')
def _():
    directory, port = scratch('chat-run-'), free_port()
    run = Run(directory, port)
    other = scratch('chat-run-')
    for arguments, words in (((str(port), other), 'port %d is taken' % port), ((str(free_port()), directory), 'runs in'),
                             (('80x', other), 'PORT=80x'), ((str(free_port()), other, '5'), 'RATE=50r/s'),
                             ((str(free_port()), other, '', 'many'), 'CONNECTIONS=50000'),
                             ((str(free_port()), other + '/a b'), 'a b'), ((str(free_port()), other + '/' + 'x' * 90), 'too long')):
        p = subprocess.run([ROOT + '/tools/run', *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=30)
        assert p.returncode == 1 and words in p.stdout, (arguments, p.stdout)
    assert len(run.processes()) == 2


main()
