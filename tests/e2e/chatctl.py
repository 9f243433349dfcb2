"""chatctl: what an administrator sees and does, on a running pool."""

import datetime
import stat
import subprocess

from chat import *


def chatctl(server, *words, run_dir=None, text=None, timeout=40):
    """(exit status, stdout, stderr)."""
    p = subprocess.run([OBJS + '/chatctl', '-d', run_dir or server.run_dir, *words], input=text, text=True,
                       errors='surrogateescape',
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout * SLOW,
                       stdin=None if text is not None else subprocess.DEVNULL)
    return p.returncode, p.stdout, p.stderr


def done(server, *words, **options):
    status, out, err = chatctl(server, *words, **options)
    equal((status, err), (0, ''), words)
    return out


def users(server):
    return {u['user']: u for u in map(json.loads, done(server, '--json', 'user', 'list').splitlines())
            if not u['user'].startswith('probe')}


@test('users are listed with their state and times, for people and as JSON Lines')
def _():
    server = Server()
    start = time.time() * 1000 - 5
    equal(users(server), {})
    alice = server.client('alice', device='phone')
    alice.say('bob', 'hello')
    alice.close()
    until(lambda: users(server)['alice']['last_active_at'], 5, 'the time on the disk')
    got = users(server)
    equal(sorted(got), ['alice', 'bob'])
    a, b = got['alice'], got['bob']
    equal((a['connected'], a['account'], a['disabled'], a['deleted'], b['connected'], b['last_active_at']),
          (True, False, False, False, False, None))
    assert start <= a['created_at'] <= a['last_active_at'] <= time.time() * 1000, a
    lines = done(server, 'user', 'list').splitlines()
    equal(lines[0].split(), ['USER', 'STATE', 'CREATED', 'LAST', 'ACTIVE'])
    rows = {l.split()[0]: l.split()[1:] for l in lines[1:]}
    equal((rows['alice'][0], rows['bob'][0], rows['bob'][2]), ('active', 'mentioned', '-'))
    equal(rows['alice'][1],
          datetime.datetime.utcfromtimestamp(a['created_at'] // 1000).strftime('%Y-%m-%dT%H:%M:%SZ'))


@test('thousands of users come in pages, each once')
def _():
    server = Server()
    names = ['user%05d' % i for i in range(1600)]
    for at in range(0, len(names), 90):
        server.rpc('maker', 'channel.create', {'name': 'g', 'members': names[at:at + 90]})
    lines = [json.loads(l)['user'] for l in done(server, '-j', 'user', 'list').splitlines()]
    equal(sorted(l for l in lines if not l.startswith('probe')), sorted(names + ['maker']))


@test('one user is shown with devices and figures; nothing he wrote speaks to the terminal')
def _():
    server = Server()
    server.rpc('alice', 'user.update', {'display_name': 'A\u001b[31m\u0085\u00e9 \u20ac'})
    alice = server.client('alice', device='phone')
    alice.say('bob', 'hello')
    alice.call('inbox.ack', {'inbox_id': 1})
    server.rpc('alice', 'contact.request', {'user': 'carol'})
    until(lambda: json.loads(done(server, '--json', 'user', 'show', 'alice'))['devices'][0]['inbox_id'] == 1, 5,
          'the cursor on the disk')
    shown = json.loads(done(server, '--json', 'user', 'show', 'alice'))
    equal((shown['user'], shown['display_name'], shown['inbox_id'], shown['contacts'], shown['channels'],
           [d['device'] for d in shown['devices']]), ('alice', 'A\u001b[31m\u0085\u00e9 \u20ac', 2, 1, 1, ['phone']))
    text = done(server, 'user', 'show', 'alice')
    assert '\u001b' not in text and '\u0085' not in text and 'A?[31m?\u00e9 \u20ac' in text, text
    assert 'device' in text and 'phone, last active 20' in text, text


@test('disabling ends connections and refuses tokens, over HTTP too, until the user is enabled')
def _():
    server = Server()
    now = int(time.time())
    named = server.token('alice', dev='phone', iat=now)
    clients = [server.client('alice'), server.client('alice', token=named), server.client('alice', device='web')]
    bob = server.client('bob')
    sse = server.api  # the stream is asked for below, refused like the rest
    equal(done(server, 'user', 'disable', 'alice'), '')
    for c in clients:
        c.expect_close(1008, 'account_disabled')
    for options in ({}, {'token': named}, {'device': 'x'}):
        r = refusal(server, 'alice', **options)
        equal((r.status, json.loads(r.body)['reason']), (403, 'account_disabled'))
    for path in ('channels', 'events', 'inbox?after=0&wait=1', 'account/export'):
        status, headers, body = sse('alice', 'GET', path)
        equal((status, body['reason'], headers['content-type']), (403, 'account_disabled', 'application/problem+json'),
              path)
    for method, params in (('user.get', {'user': 'bob'}), ('user.search', {'query': 'b'}), ('presence.get', {'users': ['bob']}),
                           ('message.send', {'to': 'bob', 'client_id': 'c', 'text': 'x'}), ('contact.list', {})):
        e = refused(server.rpc, 'alice', method, params)
        equal((e.code, e.reason), (403, 'account_disabled'), method)
    # for others he is there
    bob.say('alice', 'are you there?')
    equal(users(server)['alice']['disabled'], True)
    equal(json.loads(done(server, '--json', 'user', 'disable', 'alice')), {'user': 'alice', 'disabled': True})
    equal(json.loads(done(server, '--json', 'user', 'enable', 'alice')), {'user': 'alice', 'disabled': False})
    alice = server.client('alice', after=0)
    equal(alice.message()['text'], 'are you there?')
    server.client('alice', token=named).call('ping', {})
    assert 'SHOW_USER' not in read(server.run_dir + '/chatd.log')
    assert 'BAR_USER alice' in read(server.run_dir + '/chatd.log')


@test('whoever is disabled is refused by every method, those of groups and invites too')
def _():
    server = Server()
    group = server.rpc('alice', 'channel.create', {'name': 'g', 'members': ['bob']})['channel']['channel']
    server.rpc('alice', 'message.send', {'channel': group, 'client_id': '1', 'text': 'x'})
    own = server.rpc('alice', 'invite.create', {'channel': group})['invite']['invite']
    other = server.rpc('bob', 'channel.create', {'name': 'h', 'members': ['carol']})['channel']['channel']
    other = server.rpc('bob', 'invite.create', {'channel': other})['invite']['invite']
    done(server, 'user', 'disable', 'alice')
    at = {'channel': group}
    message = {'channel': group, 'message_id': 1}
    for method, params in (
            ('message.send', {**at, 'client_id': 'z', 'text': 'x'}), ('message.get', message), ('message.history', at),
            ('message.edit', {**message, 'text': 'y'}), ('message.delete', message), ('message.react', {**message, 'emoji': 'x'}),
            ('inbox.sync', {'after': 0}), ('channel.list', {}), ('channel.get', at), ('channel.update', {**at, 'name': 'q'}),
            ('channel.add', {**at, 'users': ['carol']}), ('channel.remove', {**at, 'users': ['bob']}),
            ('channel.role', {**at, 'user': 'bob', 'role': 'admin'}), ('channel.leave', at), ('channel.hide', at),
            ('channel.read', message), ('channel.mute', {**at, 'until': None}), ('channel.create', {'name': 'n', 'members': []}),
            ('typing', at), ('invite.create', at), ('invite.list', at), ('invite.revoke', {**at, 'invite': own}),
            ('invite.get', {'invite': other}), ('invite.join', {'invite': other}), ('user.update', {'display_name': 'x'}),
            ('device.list', {}), ('contact.request', {'user': 'bob'}), ('contact.block', {'user': 'bob'})):
        e = refused(server.rpc, 'alice', method, params)
        equal((e.code, e.reason), (403, 'account_disabled'), method)


@test('a user stays disabled through a kill of every process; a connection that outlived it ends')
def _():
    server = Server()
    done(server, 'user', 'list')
    alice, bob = server.client('alice'), server.client('bob')
    done(server, 'user', 'disable', 'alice')
    alice.expect_close(1008, 'account_disabled')
    for name in ('chatd: store', 'chatd: worker 0', 'chatd: worker 1'):
        server.kill(name)
    server.wait_ready()
    equal(refusal(server, 'alice').status, 403)
    bob.call('ping', {})
    # disabled while its worker is away: its session cannot be opened again
    worker = server.kill('chatd: worker 0', signal.SIGSTOP), server.kill('chatd: worker 1', signal.SIGSTOP)
    done(server, 'user', 'disable', 'bob')
    for pid in worker:
        os.kill(pid, signal.SIGKILL)
    bob.expect_close(1008, 'account_disabled', timeout=20 * SLOW)
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


def account(server, path, user, password):
    status, _, text = server.http('POST', '/v1/' + path, json.dumps({'user': user, 'password': password}),
                                  {'Content-Type': 'application/json'}, timeout=30)
    return status, json.loads(text)


@test('a password is reset to a random one, printed once, or to that of stdin; all logins end')
def _():
    server = Server(api='chat_accounts on;')
    token = account(server, 'signup', 'alice', 'first password')[1]['token']
    alice, site = server.client('alice', token=token), server.client('alice')
    fresh = done(server, 'user', 'reset-password', 'alice')
    assert re.fullmatch('[a-z2-9]{24}\n', fresh), fresh
    fresh = fresh.strip()
    alice.expect_close(1008, 'token_ended')
    site.call('ping', {})
    equal(refusal(server, 'alice', token=token).status, 401)
    equal(account(server, 'login', 'alice', 'first password')[0], 401)
    equal(account(server, 'login', 'alice', fresh)[0], 200)
    shown = json.loads(done(server, '--json', 'user', 'reset-password', 'alice'))
    equal(shown['user'], 'alice')
    equal(account(server, 'login', 'alice', shown['password'])[0], 200)
    assert shown['password'] != fresh
    for text, password in (('given \u20ac password\n', 'given \u20ac password'), ('no newline', 'no newline'),
                           ('x' * 1024 + '\n', 'x' * 1024), ('abc\0defgh\n', 'abc\0defgh'), ('12345678\nnext line', '12345678')):
        equal(done(server, '--stdin', 'user', 'reset-password', 'alice', text=text), '')
        equal(account(server, 'login', 'alice', password)[0], 200, password)
    for text in ('', '\n', '1234567\n', 'x' * 1025 + '\n', 'x' * 5000, '\udcff' * 9 + '\n'):
        status, out, err = chatctl(server, '--stdin', 'user', 'reset-password', 'alice', text=text)
        equal((status, out, 'a password has 8 to 1024 bytes' in err), (2, '', True), text)
    equal(account(server, 'login', 'alice', '12345678')[0], 200)
    # one who is disabled gets a password before he is enabled
    done(server, 'user', 'disable', 'alice')
    fresh = done(server, 'user', 'reset-password', 'alice').strip()
    status, answer = account(server, 'login', 'alice', fresh)
    equal((status, answer['reason']), (403, 'account_disabled'))
    status, answer = account(server, 'login', 'alice', 'wrong password')
    equal((status, answer['reason']), (401, 'bad_credentials'))
    done(server, 'user', 'enable', 'alice')
    equal(account(server, 'login', 'alice', fresh)[0], 200)
    server.rpc('bob', 'ping')
    for user, word in (('bob', 'no password here'), ('nobody', 'no such user'), ('', 'no such user')):
        status, out, err = chatctl(server, 'user', 'reset-password', user)
        equal((status, out, word in err), (1, '', True), err)
    for secret in (fresh, shown['password'], '12345678\n'):
        assert secret not in server.logs(), secret
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('the control socket is its owner\'s alone; garbage on it ends that link and nothing else')
def _():
    server = Server()
    path = server.run_dir + '/control.sock'
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o600)
    for data in (b'x' * 100, b'\x10\0\0\0\x20\0\0\0' + b'\0' * 8, b'\0' * 16, b'\xff' * 4096):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(data)
            s.settimeout(10 * SLOW)
            equal(s.recv(100), b'')
    # neither may others' HELLO, nor operations that are no administrator's
    hello = struct_hello(2)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(hello)
        s.settimeout(10 * SLOW)
        equal(s.recv(100), b'')
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(struct_hello(4))
        s.settimeout(10 * SLOW)
        assert s.recv(16)[4] == 1
        s.recv(1000)
        op = bytes([1, 1, 0]) + (1).to_bytes(4, 'little') + (5).to_bytes(4, 'little') + b'alice'  # SUBSCRIBE
        s.sendall((16 + len(op)).to_bytes(4, 'little') + b'\x20\0\0\0' + (1).to_bytes(8, 'little') + op)
        equal(s.recv(100), b'')
    # many that say nothing
    many = []
    for _ in range(30):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        many.append(s)
    for s in many:
        s.close()
    until(lambda: chatctl(server, 'user', 'list')[0] == 0, 5 * SLOW, 'chatctl to have its turn')
    server.rpc('alice', 'ping')


def struct_hello(role):
    payload = (b'CHAT' + (1).to_bytes(2, 'little') + role.to_bytes(2, 'little') + b'\0' * 36 + b'\0' * 4)
    return (16 + len(payload)).to_bytes(4, 'little') + b'\x01\0\0\0' + b'\0' * 8 + payload


@test('what is asked wrongly, whom there is not, and where no pool runs')
def _():
    server = Server()
    for words in ((), ('user',), ('user', 'list', 'x'), ('user', 'show'), ('user', 'disable', 'a', 'b'),
                  ('users', 'list'), ('user', 'drop', 'x'), ('--what',), ('-d',)):
        status, out, err = chatctl(server, *words)
        equal((status, out), (2, ''), words)
        assert 'usage: chatctl' in err or 'option' in err, err
    status, out, err = chatctl(server, '--help')
    equal((status, err, 'usage: chatctl' in out), (0, '', True))
    for user in ('nobody', '', 'a/b', 'x' * 64, 'x' * 65, 'x' * 5000, '\u20ac', 'a\nb'):
        for command in ('show', 'disable', 'enable'):
            status, out, err = chatctl(server, 'user', command, user)
            equal((status, out), (1, ''), (command, user))
            assert 'there is no such user' in err, err
    for run_dir in ('/nonexistent', server.dir, '/' + 'x' * 200):
        status, out, err = chatctl(server, 'user', 'list', run_dir=run_dir)
        equal((status, 'chatctl: ' in err), (2, True), run_dir)
    server.stop()
    until(lambda: not server.pool_processes(), 20 * SLOW, 'the pool to end')
    status, out, err = chatctl(server, 'user', 'show', 'alice')
    equal((status, out, 'no pool runs there' in err), (2, '', True), err)


@test('a store that starts anew answers chatctl again')
def _():
    server = Server()
    server.client('alice')
    server.kill('chatd: store')
    until(lambda: chatctl(server, 'user', 'show', 'alice')[0] == 0, 10 * SLOW, 'the store to be back')
    equal([n for n in os.listdir(server.run_dir) if n.startswith('control')], ['control.sock'])


main()
