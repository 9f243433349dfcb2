"""Accounts: signing up, logging in and out, fresh tokens, another password; who may take which id, how often passwords
may be tried, and what is left of it all when processes die."""

import base64
import hashlib
import http.client
import itertools
import statistics
import threading

from chat import *
from events import Stream
from openapi import Checked, check

ON = 'chat_accounts on;'
JSON = {'Content-Type': 'application/json'}
GOOD = 'correct horse'


def ask(server, path, body=None, token=None, address=None, timeout=30, check_answer=True, raw=None):
    """POST /v1/PATH from an address of this machine: (status, headers, answer)."""
    c = http.client.HTTPConnection('127.0.0.1', server.port, timeout=timeout * SLOW,
                                   source_address=(address, 0) if address else None)
    headers = dict(JSON, **({'Authorization': 'Bearer ' + token} if token else {}))
    try:
        c.request('POST', '/v1/' + path, raw if raw is not None else body and json.dumps(body), headers)
        r = c.getresponse()
        text = r.read().decode()
        answer = r.status, {k.lower(): v for k, v in r.getheaders()}, json.loads(text) if text else None
    finally:
        c.close()
    if check_answer:
        check('POST', path, *answer)
    if answer[0] in (429, 503):
        assert int(answer[1]['retry-after']) > 0, answer
    if answer[0] == 401:
        assert answer[1]['www-authenticate'].startswith('Bearer'), answer
    return answer


def made(answer, status=200):
    """The answer of a log-in."""
    equal((answer[0], answer[1]['cache-control'], sorted(answer[2])),
          (status, 'no-store', ['device', 'expires_at', 'token', 'user']), answer)
    return answer[2]


def sign_up(server, user, password=GOOD, **more):
    return made(ask(server, 'signup', dict({'user': user, 'password': password}, **more)), 201)


def log_in(server, user, password=GOOD, address=None, **more):
    return made(ask(server, 'login', dict({'user': user, 'password': password}, **more), address=address))


def reason(answer, status, word):
    equal((answer[0], answer[1]['content-type'], answer[2] and answer[2]['reason']),
          (status, 'application/problem+json', word), answer)
    return answer[2]


def claims(token_text):
    part = token_text.split('.')[1]
    return json.loads(base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)))


def call(server, token_text, method='ping', params=None):
    """(status, reason or result) of a method under this token."""
    status, _, text = server.http('POST', '/rpc', json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method,
                                                              'params': params or {}}),
                                  dict(JSON, Authorization='Bearer ' + token_text))
    answer = json.loads(text)
    return status, answer.get('reason') or answer.get('result') or answer['error']['data']['reason']


def closed(client):
    try:
        while True:
            client.pump(30)
    except Closed as c:
        return c.code, c.reason


def sound(server):
    server.stop()
    status, output = server.check_store()
    equal(status, 0, output)


@test('who signs up is logged in, on every transport; tokens that the site signs are good beside')
def _():
    server = Checked(api=ON)
    start = int(time.time())
    a = sign_up(server, 'alice', display_name='Alice \u00c4')
    said = claims(a['token'])
    equal((said['sub'], said['dev'], said['exp'] * 1000), ('alice', a['device'], a['expires_at']))
    equal(said['exp'] - said['iat'], 30 * 86400)
    assert start <= said['iat'] <= time.time() and len(said['jti']) > 22, said
    b = sign_up(server, 'bob', device='phone')
    equal(b['device'], 'phone')
    ws = server.client('alice', token=a['token'])
    equal((ws.ready['user'], ws.ready['device']), ('alice', a['device']))
    server.client('site-user').say('alice', 'from elsewhere')
    equal(ws.message()['text'], 'from elsewhere')
    equal(call(server, b['token'], 'user.get', {'user': 'alice'})[1]['user']['display_name'], 'Alice \u00c4')
    equal(call(server, b['token'], 'user.search', {'query': 'ALICE \u00e4'})[1]['users'][0]['user'], 'alice')
    again = log_in(server, 'alice', device='phone')
    assert claims(again['token'])['jti'] != said['jti']
    equal(call(server, again['token'])[0], 200)
    sound(server)


@test('passwords of 8 to 1,024 bytes, of any UTF-8 and with U+0000, and every byte counts')
def _():
    server = Checked(api=ON)
    for n, password in enumerate(('x' * 8, 'y' * 73, 'z' * 1024, '\u00e9' * 4, '\U0001f600' * 256, 'a\0b\0c\0d\0', '\0' * 8)):
        user = 'u%d' % n
        sign_up(server, user, password)
        log_in(server, user, password)
        for wrong in (password[:-1] + '!', password + 'x', password[:-1], password.split('\0')[0] + '1234567'):
            if len(wrong.encode()) in range(8, 1025):
                reason(ask(server, 'login', {'user': user, 'password': wrong}), 401, 'bad_credentials')
    for path in ('signup', 'login'):
        for password in ('', 'x' * 7, 'x' * 1025, '\u00e9' * 513, '\0' * 7):
            body = reason(ask(server, path, {'user': 'v', 'password': password}), 400, 'out_of_range')
            equal(body['param'], 'password')
    good = sign_up(server, 'changer')['token']
    for new in ('', 'x' * 7, 'x' * 1025):
        answer = ask(server, 'password', {'password': GOOD, 'new_password': new}, good)
        equal(reason(answer, 400, 'out_of_range')['param'], 'new_password')


@test('bodies that are no log-in are refused, and so is a password in the query')
def _():
    server = Checked(api=ON)
    for path in ('signup', 'login'):
        for raw, word in ((b'', 'missing'), (b'{', 'parse_error'), (b'[]', 'wrong_type'), (b'{}', 'missing'),
                          (b'{"user":"a"}', 'missing'), (b'{"user":7,"password":"12345678"}', 'wrong_type'),
                          (b'{"user":"a","password":12345678}', 'wrong_type'),
                          (b'{"user":"a","password":null}', 'wrong_type'),
                          (b'{"user":"a","user":"b","password":"12345678"}', 'duplicate_key'),
                          (b'{"user":"a","password":"\\ud800 12345678"}', 'bad_unicode'),
                          (b'{"user":"a","password":"\xff\xff\xff\xff\xff\xff\xff\xff"}', 'parse_error'),
                          (b'{"user":"a","password":"12345678","admin":true}', 'unknown_param'),
                          (b'{"user":"a","password":"12345678","device":"a/b"}', 'bad_user'),
                          (b'{"user":"a","password":"12345678","device":""}', 'out_of_range'),
                          (b'[' * 40 + b']' * 40, 'too_deep')):
            answer = ask(server, path, raw=raw)
            reason(answer, 400, word)
        for user in ('', 'a/b', 'a b', '../x', '\u00e4', 'a\0', 'x' * 65):
            answer = ask(server, path, {'user': user, 'password': GOOD})
            assert answer[0] == 400 and answer[2]['param'] == 'user', (user, answer)
        reason(ask(server, path + '?user=a&password=12345678', {'user': 'a', 'password': GOOD}), 400, 'unknown_param')
        answer = server.http('GET', '/v1/' + path)
        equal((answer[0], answer[1]['allow']), (405, 'POST, OPTIONS'))
        equal(server.http('POST', '/v1/' + path, '{}', {'Content-Type': 'text/plain'})[0], 415)
    raw = json.dumps({'user': 'full', 'password': GOOD, 'display_name': '\U0001f600' * 200}).encode()
    made(ask(server, 'signup', raw=raw + b' ' * (16384 - len(raw))), 201)
    for path in ('signup', 'login'):
        reason(ask(server, path, raw=raw + b' ' * (16385 - len(raw))), 413, 'too_large')
        reason(ask(server, path, raw=b'x' * 3000000), 413, 'too_large')
    for user in ('...', '.', '-', '@', 'a+b@x.y', 'x' * 64):
        sign_up(server, user)
    for path in ('token', 'logout', 'password'):
        reason(ask(server, path), 401, 'token_missing')
        reason(ask(server, path, token='x.y.z'), 401, 'token_malformed')


@test('an id that connected with a token, or differs in case only, is taken; one that was only mentioned is not')
def _():
    server = Checked(api='chat_accounts on reserved=Site-;')
    sign_up(server, 'Alice')
    for user in ('Alice', 'alice', 'ALICE', 'aLICE'):
        reason(ask(server, 'signup', {'user': user, 'password': GOOD}), 409, 'user_taken')
    server.client('bob').say('Carol', 'hello')
    server.rpc('dave', 'inbox.sync', {'after': 0})
    for user in ('bob', 'BOB', 'dave', 'Dave', 'carol'):
        reason(ask(server, 'signup', {'user': user, 'password': GOOD}), 409, 'user_taken')
    carol = sign_up(server, 'Carol')
    equal(call(server, carol['token'], 'inbox.sync', {'after': 0})[1]['events'][0]['params']['message']['text'], 'hello')
    # whom only a token was ever seen of after he had been mentioned
    server.client('bob').say('erin', 'hello')
    server.rpc('erin', 'inbox.sync', {'after': 0})
    reason(ask(server, 'signup', {'user': 'erin', 'password': GOOD}), 409, 'user_taken')
    for user in ('Site-1', 'site-', 'SITE-x'):
        equal(reason(ask(server, 'signup', {'user': user, 'password': GOOD}), 403, 'user_reserved')['param'], 'user')
    for user in ('site', 'xsite-', 'alice2'):
        sign_up(server, user)
    # a name that somebody shows is no id
    sign_up(server, 'frank', display_name='grace')
    sign_up(server, 'grace')
    server.client('site-7')
    for name in ('chatd: store', 'chatd: worker 0'):
        server.kill(name)
    server.wait_ready()
    for user in ('ALICE', 'Bob', 'GRACE'):
        reason(ask(server, 'signup', {'user': user, 'password': GOOD}), 409, 'user_taken')
    sound(server)


@test('of many who want one id at once, in every case, exactly one gets it')
def _():
    server = Checked(api=ON)
    answers = []
    for round_ in range(3):
        names = [('race%d' % round_).replace('a', c).replace('r', d) for c in 'aA' for d in 'rR'] * 3
        threads = [threading.Thread(target=lambda n=n: answers.append((n, ask(server, 'signup', {'user': n, 'password': GOOD}))))
                   for n in names]
        answers.clear()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        won = [n for n, a in answers if a[0] == 201]
        equal((len(won), sorted({a[0] for _, a in answers})), (1, [201, 409]), answers)
        log_in(server, won[0])
    sound(server)


def until_limited(attempt, at_least=1):
    """Its answer when it would have to wait so many seconds: a machine that stands
    still for one has waited, but each failure doubles them."""
    def answer():
        got = attempt()
        return got if got[0] == 429 and int(got[1]['retry-after']) >= at_least else None
    return until(answer, 60 * SLOW, 'having to wait', every=0.05)


@test('an unknown user and a wrong password are answered alike')
def _():
    server = Checked(api=ON)
    sign_up(server, 'alice')
    server.client('tokenonly').close()
    times, seen = {}, {}
    for user in ('alice', 'nobody', 'tokenonly'):
        times[user] = []
        for _ in range(5):
            start = time.monotonic()
            answer = ask(server, 'login', {'user': user, 'password': 'wrong password'})
            times[user].append(time.monotonic() - start)
            reason(answer, 401, 'bad_credentials')
            seen[user] = {k: v for k, v in answer[1].items() if k != 'date'}, answer[2]
        # and both are counted
        equal(ask(server, 'login', {'user': user, 'password': 'wrong password'})[0], 401)
        reason(until_limited(lambda: ask(server, 'login', {'user': user, 'password': 'wrong password'})), 429, 'rate_limited')
    equal(seen['alice'], seen['nobody'])
    equal(seen['alice'], seen['tokenonly'])
    print('# ms: ' + ', '.join('%s %.0f' % (u, statistics.median(t) * 1000) for u, t in times.items()))


@test('failures have to be waited for, ever longer; one who knows better is not kept out where he was before')
def _():
    server = Checked(api=ON)
    token_text = sign_up(server, 'alice')['token']
    log_in(server, 'alice', address='127.0.0.3')
    def wrong():
        return ask(server, 'login', {'user': 'alice', 'password': 'wrong password'}, address='127.0.0.2')
    for _ in range(6):
        reason(wrong(), 401, 'bad_credentials')
    # long enough to be asked within
    until_limited(wrong, 8)
    for address in ('127.0.0.2', '127.0.0.4'):
        answer = ask(server, 'login', {'user': 'alice', 'password': GOOD}, address=address)
        reason(answer, 429, 'rate_limited')
        assert 1 <= int(answer[1]['retry-after']) <= 16, answer
    # where she logged in before she has attempts of her own
    log_in(server, 'alice', address='127.0.0.3')
    # changing the password is an attempt like any other
    def change():
        return ask(server, 'password', {'password': 'wrong password', 'new_password': 'another one'}, token_text,
                   address='127.0.0.5')
    until(lambda: change()[0] == 403, 60 * SLOW)
    reason(until_limited(change, 9), 429, 'rate_limited')
    # an address that fails at many accounts waits, too
    server.client('x')
    numbers = itertools.count()

    def another():
        return ask(server, 'login', {'user': 'u%d' % next(numbers), 'password': 'wrong password'}, address='127.0.0.6')
    for _ in range(51):
        equal(another()[0], 401)
    until_limited(another)
    equal(ask(server, 'login', {'user': 'v', 'password': 'wrong password'}, address='127.0.0.7')[0], 401)


@test('an address signs up 50 users, then has to wait')
def _():
    server = Checked(api=ON)
    numbers = itertools.count()

    def another():
        return ask(server, 'signup', {'user': 'u%d' % next(numbers), 'password': GOOD}, address='127.0.0.2')
    for _ in range(51):
        equal(another()[0], 201)
    until_limited(another)
    equal(ask(server, 'signup', {'user': 'other', 'password': GOOD}, address='127.0.0.3')[0], 201)


@test('a log-out ends its tokens, connections, event streams and waiting polls at once, and no other login')
def _():
    server = Checked(api=ON)
    a, other = sign_up(server, 'alice'), log_in(server, 'alice')
    fresh = made(ask(server, 'token', token=a['token']))
    equal((claims(fresh['token'])['jti'], fresh['device']), (claims(a['token'])['jti'], a['device']))
    sockets = [server.client('alice', token=t['token']) for t in (a, fresh)]
    kept = server.client('alice', token=other['token'])
    bearer = {'Authorization': 'Bearer ' + fresh['token']}
    stream = Stream(server, None, 'events', headers=bearer)
    stream.event()
    poll = Stream(server, None, 'inbox?after=0&wait=60', headers=bearer)
    until(lambda: server.metrics()['chat_connections'] >= 5, 10 * SLOW, 'five connections')
    answer = ask(server, 'logout', token=a['token'])
    equal((answer[0], answer[2]), (204, None))
    for c in sockets:
        equal(closed(c), (1008, 'token_ended'))
    stream.rest()
    poll.rest()
    for t in (a, fresh):
        equal(call(server, t['token']), (401, 'token_ended'))
        equal(refusal(server, 'alice', token=t['token']).status, 401)
        for path in ('token', 'logout'):
            reason(ask(server, path, token=t['token']), 401, 'token_ended')
    kept.call('ping', {})
    equal(call(server, other['token'])[0], 200)
    # a login that the device of the ended one makes is good at once
    equal(call(server, log_in(server, 'alice', device=a['device'])['token'])[0], 200)
    for name in ('chatd: store', 'chatd: worker 0', 'chatd: worker 1'):
        server.kill(name)
    server.wait_ready()
    equal(call(server, a['token']), (401, 'token_ended'))
    kept.call('ping', {})
    sound(server)


@test("a site's own token is not renewed, and ended only when it has a jti")
def _():
    server = Checked(api=ON)
    plain, named = server.token('bob'), server.token('bob', jti='site 1')
    ws = server.client('bob', token=named)
    reason(ask(server, 'token', token=plain), 403, 'token_foreign')
    reason(ask(server, 'token', token=named), 403, 'token_foreign')
    reason(ask(server, 'logout', token=plain), 403, 'token_without_jti')
    reason(ask(server, 'password', {'password': GOOD, 'new_password': GOOD + '!'}, plain), 403, 'no_account')
    equal(ask(server, 'logout', token=named)[0], 204)
    equal(closed(ws), (1008, 'token_ended'))
    equal(call(server, named), (401, 'token_ended'))
    equal(call(server, server.token('bob', jti='site 2'))[0], 200)
    equal(call(server, server.token('eve', jti='site 1'))[0], 200)
    # the form of ours, of a user without an account
    equal(call(server, server.token('bob', jti='chat:1:' + 'A' * 22)), (401, 'token_ended'))


@test('session.renew asks whether the new token was ended, and the connection then ends with the login it has')
def _():
    server = Checked(api=ON)
    sign_up(server, 'alice')
    one, two, three = (log_in(server, 'alice', device='d')['token'] for _ in range(3))
    ws = server.client('alice', token=one)
    equal(ask(server, 'logout', token=two)[0], 204)
    e = refused(ws.call, 'session.renew', {'token': two})
    equal((e.code, e.reason), (401, 'token_ended'))
    equal(ws.call('session.renew', {'token': three}), {'expires_at': claims(three)['exp'] * 1000})
    equal(ask(server, 'logout', token=one)[0], 204)
    ws.call('ping', {})
    # also when it is opened anew
    server.kill('chatd: worker 0')
    server.kill('chatd: worker 1')
    ws.call('ping', {}, timeout=20)
    equal(ask(server, 'logout', token=three)[0], 204)
    equal(closed(ws), (1008, 'token_ended'))


@test('another password ends all other logins, and the old password')
def _():
    server = Checked(api=ON)
    a, b = sign_up(server, 'alice'), log_in(server, 'alice')
    mine, theirs = (server.client('alice', token=t['token']) for t in (a, b))
    site = server.client('alice')
    reason(ask(server, 'password', {'password': 'wrong password', 'new_password': 'a new password'}, a['token']), 403, 'wrong_password')
    answer = ask(server, 'password', {'password': GOOD, 'new_password': 'a new password'}, a['token'])
    equal((answer[0], answer[2]), (204, None))
    equal(closed(theirs), (1008, 'token_ended'))
    equal(call(server, b['token']), (401, 'token_ended'))
    mine.call('ping', {})
    site.call('ping', {})
    fresh = made(ask(server, 'token', token=a['token']))
    reason(ask(server, 'login', {'user': 'alice', 'password': GOOD}), 401, 'bad_credentials')
    c = log_in(server, 'alice', 'a new password')
    # from another login: now that is the one that stays
    equal(ask(server, 'password', {'password': 'a new password', 'new_password': GOOD}, c['token'])[0], 204)
    equal(closed(mine), (1008, 'token_ended'))
    for t in (a, fresh):
        equal(call(server, t['token']), (401, 'token_ended'))
    equal(call(server, c['token'])[0], 200)
    for name in ('chatd: store', 'chatd: worker 0'):
        server.kill(name)
    server.wait_ready()
    equal(call(server, c['token'])[0], 200)
    equal(call(server, a['token'])[0], 401)
    log_in(server, 'alice')
    sound(server)


@test('a token lives as long as chat_token_lifetime says')
def _():
    server = Checked(api=ON + 'chat_token_lifetime 4s;')
    said = claims(sign_up(server, 'alice')['token'])
    equal(said['exp'] - said['iat'], 4)

    def connected():
        token_text = log_in(server, 'alice')['token']
        return token_text, server.client('alice', token=token_text)
    token_text, ws = while_it_lives(connected)
    equal(closed(ws), (1008, 'token_expired'))
    equal(call(server, token_text), (401, 'token_expired'))
    reason(ask(server, 'token', token=token_text), 401, 'token_expired')
    until(lambda: call(server, log_in(server, 'alice')['token'])[0] == 200, 60 * SLOW, 'a token that is good again')


@test('a token says what its key asks for, and chat_accounts needs a secret to sign with')
def _():
    server = Checked(api=ON, start=False)
    server.settings['api'] += """chat_jwt_key %s 'iss=https://a"b' aud=chat kid=k1;""" % server.key_file
    server.start(wait=False)
    until(lambda: server.http('POST', '/v1/login', '{}', JSON)[0] == 400, 20 * SLOW)
    token_text = sign_up(server, 'alice')['token']
    said = claims(token_text)
    equal((said['iss'], said['aud']), ('https://a"b', 'chat'))
    made(ask(server, 'token', token=token_text))
    public = server.dir + '/public.pem'
    subprocess.run('openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out %s' % public, shell=True, check=True)
    server.write_configuration(api=ON + 'chat_jwt_key %s;' % public)
    status, output = server.test_configuration()
    assert status != 0 and '"chat_accounts on" needs a secret' in output, output


@test('without chat_accounts the paths are not there')
def _():
    server = Checked(server='location /other/ { chat_api; chat_accounts on; }')
    for path in ('signup', 'login', 'token', 'logout', 'password'):
        for token_text in (None, server.token('alice')):
            reason(ask(server, path, {'user': 'alice', 'password': GOOD}, token_text), 404, 'not_found')
    status, _, text = server.http('POST', '/other/signup', json.dumps({'user': 'alice', 'password': GOOD}), JSON)
    equal((status, json.loads(text)['user']), (201, 'alice'))


@test('a sign-up whose worker dies is answered 201 all the same, and done once')
def _():
    server = Checked(api=ON)
    answers = []
    stop = threading.Event()

    def work(n):
        i = 0
        while not stop.is_set():
            user = 'u%d-%d' % (n, i)
            i += 1
            answers.append((user, ask(server, 'signup', {'user': user, 'password': GOOD}, address='127.0.0.%d' % (10 + n))))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for _ in range(6):
        done = len(answers)
        until(lambda: len(answers) >= done + 4, 20 * SLOW)
        server.kill('chatd: worker 0')
    stop.set()
    for t in threads:
        t.join()
    counts = {}
    for user, answer in answers:
        counts[answer[0]] = counts.get(answer[0], 0) + 1
        if answer[0] == 201:
            equal(call(server, answer[2]['token'])[0], 200, user)
    assert set(counts) <= {201, 503, 429} and counts[201] >= 24, counts
    print('# %s' % counts)
    sound(server)


@test('what the store has done before its worker died is answered when it is asked again')
def _():
    server = Checked(api=ON)
    a, b = sign_up(server, 'alice'), sign_up(server, 'bob')
    answers = {}

    def late(path, body, token_text=None):
        answers[path] = ask(server, path, body, token_text)

    store = server.pool_processes()['chatd: store']
    # their passwords are judged while the store stands still, and the operations lie in its socket
    work = [('signup', {'user': 'carol', 'password': GOOD}, None), ('logout', None, b['token'])]
    for step in (work[:1], work[1:]):
        server.wait_ready()
        store = server.pool_processes()['chatd: store']
        os.kill(store, signal.SIGSTOP)
        threads = [threading.Thread(target=late, args=w) for w in step]
        for t in threads:
            t.start()
        time.sleep(0.6 * SLOW)
        server.kill('chatd: worker 0')
        os.kill(store, signal.SIGCONT)
        for t in threads:
            t.join()
    made(answers['signup'], 201)
    equal(answers['logout'][0], 204)
    equal(call(server, b['token']), (401, 'token_ended'))
    # the password: the worker dies when the change is durable and not yet answered
    for i in range(4):
        old, new = (GOOD, 'a new password') if i % 2 == 0 else ('a new password', GOOD)
        t = threading.Thread(target=late, args=('password', {'password': old, 'new_password': new}, a['token']))
        t.start()
        time.sleep((0.05 + 0.04 * i) * SLOW)
        server.kill('chatd: worker 0')
        t.join()
        equal(answers['password'][0], 204, answers['password'])
        server.wait_ready()
        log_in(server, 'alice', new)
    sound(server)


@test('no log and no file shows a password')
def _():
    secret = 'S3cret-that-nobody-sees'
    server = Checked(api=ON, http="log_format body '$request $request_body';", start=False)
    server.settings['server'] = 'access_log %s/body.log body;' % server.dir
    server.settings['main'] = 'error_log %s/debug.log debug;' % server.dir
    server.start()
    t = sign_up(server, 'alice', secret)['token']
    log_in(server, 'alice', secret)
    ask(server, 'login', {'user': 'alice', 'password': secret + '!'})
    ask(server, 'password', {'password': secret, 'new_password': secret + '2'}, t)
    server.http('POST', '/v1/login', '{"user":"alice","password":"%s"' % secret, JSON)
    server.stop()
    assert '/v1/login' in read(server.dir + '/body.log')
    found = subprocess.run(['grep', '-rl', '-a', secret, server.dir], stdout=subprocess.PIPE, text=True).stdout
    equal(found.split(), [])


@test('thousands of failing log-ins: each is answered 401, 429 or 503, and none is hashed in a turn of the loop')
def _():
    server = Checked(api=ON, workers=1, chat_workers=1)
    sign_up(server, 'alice')
    ws = server.client('other')

    def pings(n):
        times = []
        for _ in range(n):
            start = time.monotonic()
            ws.call('ping', {})
            times.append((time.monotonic() - start) * 1000)
            time.sleep(0.002)
        return sorted(times)

    quiet = pings(200)
    counts, lock = {}, threading.Lock()

    # one account from many addresses; and many accounts, which keep the thread at work
    def work(n, times, user):
        for i in range(times):
            status = ask(server, 'login', {'user': user % i, 'password': 'wrong password'},
                         address='127.0.%d.%d' % (n + 1, i % 250 + 1), check_answer=False, timeout=60)[0]
            with lock:
                counts[status] = counts.get(status, 0) + 1

    threads = [threading.Thread(target=work, args=(n, 200, 'alice%.0s')) for n in range(10)]
    threads += [threading.Thread(target=work, args=(n, 20, 'u%d-%%d' % n)) for n in range(10, 13)]
    for t in threads:
        t.start()
    loaded = pings(400)
    for t in threads:
        t.join()
    equal((sum(counts.values()), set(counts) <= {401, 429, 503}), (2060, True), counts)
    assert counts[429] >= 1900 and counts[401] >= 60, counts
    # counters come once a second; what a turn lasts by the clock is also others', who share the processors
    since = server.metrics()['chat_pool_requests']
    server.client('other').call('ping', {})    # the first one may have been silent for too long
    until(lambda: server.metrics()['chat_pool_requests'] != since, 10 * SLOW, 'counters from after the load')
    turns = server.metrics()
    print('# longest turn of the worker: %d us, of processor time %d us' % (turns['chat_pool_turn_us'],
                                                                            turns['chat_pool_turn_cpu_us']))
    # a hash in the loop would be a turn of its cost; the goal of 5 ms is for an idle machine to show
    start = time.thread_time()
    hashlib.scrypt(b'wrong password', salt=bytes(16), n=1 << 15, r=8, p=1, maxmem=64 << 20)
    hash_us = (time.thread_time() - start) * 1e6
    assert 0 < turns['chat_pool_turn_cpu_us'] < hash_us / 2 * SLOW, (turns['chat_pool_turn_cpu_us'], hash_us)
    print('# %s; ping ms: quiet p50 %.2f p99 %.2f, under load p50 %.2f p99 %.2f max %.2f' % (
        counts, quiet[100], quiet[198], loaded[200], loaded[396], loaded[-1]))


@test('more than a hundred that wait are 503, and those that wait are all answered')
def _():
    server = Checked(api=ON, chat_workers=1)
    count, statuses = 180, []
    connections = []
    for i in range(count):
        c = http.client.HTTPConnection('127.0.0.1', server.port, timeout=60 * SLOW,
                                       source_address=('127.0.1.%d' % (i % 250 + 1), 0))
        connections.append(c)
        c.connect()
    # all come at once, however long sending them takes
    worker = server.kill('chatd: worker 0', signal.SIGSTOP)
    for i, c in enumerate(connections):
        c.request('POST', '/v1/login', json.dumps({'user': 'u%d' % i, 'password': 'wrong password'}), JSON)
    before = None
    while before != server.metrics()['chat_unanswered_bytes']:
        before = server.metrics()['chat_unanswered_bytes']
        time.sleep(0.2)
    os.kill(worker, signal.SIGCONT)
    for c in connections:
        r = c.getresponse()
        body = json.loads(r.read())
        statuses.append((r.status, body['reason']))
        if r.status == 503:
            assert int(r.getheader('retry-after')) > 0
        c.close()
    counts = {s: statuses.count(s) for s in set(statuses)}
    # nginx waits a minute, in which a busy machine may not hash a hundred passwords
    late = counts.pop((503, 'unavailable'), 0)
    equal(set(counts), {(401, 'bad_credentials'), (503, 'busy')}, counts)
    assert 100 <= counts[401, 'bad_credentials'] + late <= 150, (counts, late)
    # nothing was done, so nothing is counted against them
    i = statuses.index((503, 'busy'))
    statuses = []

    def again():
        statuses.append(ask(server, 'login', {'user': 'u%d' % i, 'password': 'wrong password'}, timeout=90,
                            address='127.0.1.%d' % (i % 250 + 1))[0])
        return statuses[-1] != 503
    until(again, 300, 'the others to be done with')
    equal(statuses[-1], 401)


main()
