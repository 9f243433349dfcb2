"""The end of an account: the user is gone at once, what was his goes in the background, his messages if he asked."""

import threading

from chat import *
from openapi import check

ON = 'chat_accounts on;'
GOOD = 'correct horse'


def ask(server, method, path, body=None, token=None):
    headers = {'Authorization': 'Bearer ' + token} if token else {}
    if body is not None:
        headers['Content-Type'] = 'application/json'
    status, got, text = server.http(method, '/v1/' + path, None if body is None else json.dumps(body), headers,
                                    timeout=30)
    answer = status, got, json.loads(text) if text else None
    check(method, path, *answer)
    return answer


def sign_up(server, user, **more):
    status, _, answer = ask(server, 'POST', 'signup', dict({'user': user, 'password': GOOD}, **more))
    equal(status, 201, answer)
    return answer['token']


def delete(server, token, password=GOOD, **more):
    return ask(server, 'DELETE', 'account', dict({'password': password}, **more), token)


def reason(answer, status, word):
    equal((answer[0], answer[1].get('content-type'), answer[2] and answer[2].get('reason')),
          (status, 'application/problem+json', word))


def ended(server, timeout=20):
    until(lambda: 'all that was to go of deleted user' in read(server.run_dir + '/chatd.log'), timeout * SLOW,
          'the end of what is left to do')


def sound(server):
    server.stop()
    status, out = server.check_store()
    equal(status, 0, out)


def texts(server, user, channel):
    """{message_id: (sender, text or None)} of a whole channel."""
    found, after = {}, 0
    while True:
        page = server.rpc(user, 'message.history', {'channel': channel, 'after': after, 'limit': 200})
        for m in page['messages']:
            found[m['message_id']] = (m['sender'], m.get('text'))
            equal('deleted_at' in m, 'text' not in m)
        if not page['more']:
            return found
        after = page['messages'][-1]['message_id']


@test('an account ends: 204, connections close 1008, every token is 401, the name is never given again')
def _():
    server = Server(api=ON)
    token = sign_up(server, 'alice', device='phone')
    clients = [server.client('alice', token=token), server.client('alice')]
    equal(delete(server, token)[::2], (204, None))
    for c in clients:
        c.expect_close(1008, 'user_deleted')
    for own in (token, server.token('alice'), server.token('alice', dev='x', iat=int(time.time()) + 5)):
        r = refusal(server, 'alice', token=own)
        equal((r.status, json.loads(r.body)['reason']), (401, 'user_deleted'))
        for method, path in (('GET', 'channels'), ('GET', 'events'), ('GET', 'account/export'), ('POST', 'token'),
                             ('POST', 'logout')):
            reason(ask(server, method, path, token=own), 401, 'user_deleted')
        reason(delete(server, own), 401, 'user_deleted')
        for method, params in (('user.get', {'user': 'bob'}), ('channel.list', {})):
            status, _, text = server.http('POST', '/rpc', json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method,
                                                                      'params': params}),
                                          {'Authorization': 'Bearer ' + own, 'Content-Type': 'application/json'})
            answer = json.loads(text)
            equal((status, answer.get('reason') or answer['error']['data']['reason']),
                  (401 if 'error' not in answer else 200, 'user_deleted'), method)
    for user in ('alice', 'Alice', 'ALICE'):
        reason(ask(server, 'POST', 'signup', {'user': user, 'password': GOOD}), 409, 'user_taken')
    reason(ask(server, 'POST', 'login', {'user': 'alice', 'password': GOOD}), 401, 'bad_credentials')
    ended(server)
    for user in ('alice', 'aLice'):
        reason(ask(server, 'POST', 'signup', {'user': user, 'password': GOOD}), 409, 'user_taken')
    for name in ('chatd: store', 'chatd: worker 0', 'chatd: worker 1'):
        server.kill(name)
    server.wait_ready()
    equal(refusal(server, 'alice', token=token).status, 401)
    sound(server)


@test('contacts hear of it, groups are left and handed over, direct channels stay, the profile is gone')
def _():
    server = Server(api=ON)
    token = sign_up(server, 'alice', display_name='Alice A', device='phone')
    for user in ('bob', 'carol'):
        server.rpc('alice', 'contact.request', {'user': user})
    server.rpc('bob', 'contact.accept', {'user': 'alice'})
    server.rpc('alice', 'contact.block', {'user': 'mallory'})
    server.rpc('carol', 'contact.block', {'user': 'alice'})
    owned = server.rpc('alice', 'channel.create', {'name': 'mine', 'members': ['bob', 'dave']})['channel']['channel']
    other = server.rpc('bob', 'channel.create', {'name': 'his', 'members': ['alice']})['channel']['channel']
    server.rpc('alice', 'channel.role', {'channel': owned, 'user': 'dave', 'role': 'admin'})
    direct = server.rpc('alice', 'message.send', {'to': 'bob', 'client_id': '1', 'text': 'to bob'})['channel']
    server.rpc('alice', 'message.send', {'channel': owned, 'client_id': '2', 'text': 'to all'})
    bob = server.client('bob')
    equal(bob.call('presence.get', {'users': ['alice']})['users'][0]['online'], True)
    equal(delete(server, token)[0], 204)
    equal(bob.event('presence', online=False), {'user': 'alice', 'online': False, 'last_active_at': None})
    equal(bob.event('contact.updated')['contact'], {'user': 'alice', 'state': 'none'})
    for _ in range(2):
        channel = bob.event('channel.updated')['channel']
        members = [(m['user'], m['role']) for m in channel['members']]
        equal(members, [('bob', 'member'), ('dave', 'owner')] if channel['channel'] == owned else [('bob', 'owner')])
    ended(server)
    for user, contacts in (('bob', []), ('carol', [{'user': 'alice', 'state': 'blocked'}]), ('mallory', [])):
        equal(server.rpc(user, 'contact.list')['contacts'], contacts)
    equal(server.rpc('carol', 'contact.unblock', {'user': 'alice'})['contact']['state'], 'none')
    equal(bob.call('presence.get', {'users': ['alice']})['users'], [{'user': 'alice', 'online': False,
                                                                    'last_active_at': None}])
    for method, params in (('user.get', {'user': 'alice'}), ('message.send', {'to': 'alice', 'client_id': 'x', 'text': 'x'}),
                           ('message.send', {'channel': direct, 'client_id': 'y', 'text': 'y'}),
                           ('contact.request', {'user': 'alice'}), ('contact.block', {'user': 'alice'}),
                           ('channel.add', {'channel': other, 'users': ['alice']}),
                           ('channel.create', {'name': 'g', 'members': ['alice']})):
        e = refused(server.rpc, 'bob', method, params)
        equal((e.code, e.reason), (404, 'user_not_found'), method)
    for query in ('al', 'alice', 'Alice A'):
        equal(server.rpc('bob', 'user.search', {'query': query}), {'users': []})
    equal(texts(server, 'bob', direct), {1: ('alice', 'to bob')})
    equal(texts(server, 'dave', owned), {1: ('alice', 'to all')})
    equal(refused(server.rpc, 'alice2', 'channel.get', {'channel': owned}).code, 404)
    # what the other one does with what is there goes on
    server.rpc('bob', 'message.react', {'channel': direct, 'message_id': 1, 'emoji': '+'})
    sound(server)


@test('without an account, without the password, with a wrong one: nothing happens')
def _():
    server = Server(api=ON)
    token = sign_up(server, 'alice')
    site = server.token('bob')
    server.rpc('bob', 'ping')
    reason(delete(server, site), 403, 'no_account')
    # a site's token of one who has an account, too, is good with his password
    reason(delete(server, token, 'wrong horse'), 403, 'wrong_password')
    for body, status, word, param in (({}, 400, 'missing', 'password'),
                                      ({'password': 'short'}, 400, 'out_of_range', 'password'),
                                      ({'password': 'x' * 1025}, 400, 'out_of_range', 'password'),
                                      ({'password': 12345678}, 400, 'wrong_type', 'password'),
                                      ({'password': GOOD, 'erase': 1}, 400, 'wrong_type', 'erase'),
                                      ({'password': GOOD, 'user': 'bob'}, 400, 'unknown_param', 'user')):
        answer = ask(server, 'DELETE', 'account', body, token)
        reason(answer, status, word)
        equal(answer[2]['param'], param)
    reason(ask(server, 'DELETE', 'account', None, token), 400, 'missing')
    reason(ask(server, 'DELETE', 'account?password=correct+horse', None, token), 400, 'unknown_param')
    reason(ask(server, 'DELETE', 'account', {'password': GOOD}), 401, 'token_missing')
    status, headers, text = server.http('DELETE', '/v1/account', 'password=' + GOOD, {
        'Authorization': 'Bearer ' + token, 'Content-Type': 'application/x-www-form-urlencoded'})
    equal((status, json.loads(text)['reason']), (415, 'not_json'))
    status, headers, text = server.http('GET', '/v1/account', None, {'Authorization': 'Bearer ' + token})
    equal((status, headers['allow']), (405, 'DELETE, OPTIONS'))
    status, headers, text = server.http('DELETE', '/v1/account', '{', {
        'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'})
    equal((status, json.loads(text)['reason']), (400, 'parse_error'))
    server.client('alice', token=token).call('ping', {})
    assert GOOD not in server.logs() + read(server.access_log)


@test('where there are no accounts there is nothing to end')
def _():
    server = Server()
    server.rpc('alice', 'ping')
    equal(ask(server, 'DELETE', 'account', {'password': GOOD}, server.token('alice'))[0], 404)


def fill(server, user, channel, n):
    c = server.client(user)
    for at in range(0, n, 100):
        keys = [c.request('message.send', {'channel': channel, 'client_id': '%s%s%d' % (user, channel, i), 'text': 'word'})
                for i in range(at, min(at + 100, n))]
        for key in keys:
            c.reply(key)
    c.close()


@test('erasing deletes every message he ever sent, everywhere, and tells the members; others\' stay')
def _():
    server = Server(api=ON)
    token = sign_up(server, 'alice')
    kept = server.rpc('bob', 'channel.create', {'name': 'kept', 'members': ['alice', 'carol']})['channel']['channel']
    left = server.rpc('bob', 'channel.create', {'name': 'left', 'members': ['alice']})['channel']['channel']
    for user, channel, n in (('alice', kept, 250), ('bob', kept, 30), ('alice', left, 20), ('bob', left, 5)):
        fill(server, user, channel, n)
    direct = server.rpc('alice', 'message.send', {'to': 'carol', 'client_id': 'd', 'text': 'one'})['channel']
    server.rpc('carol', 'message.send', {'to': 'alice', 'client_id': 'e', 'text': 'two', 'reply_to': 1})
    server.rpc('alice', 'message.send', {'to': 'alice', 'client_id': 'n', 'text': 'note'})
    server.rpc('alice', 'message.edit', {'channel': direct, 'message_id': 1, 'text': 'edited'})
    server.rpc('alice', 'channel.leave', {'channel': left})
    bob = server.client('bob')
    equal(delete(server, token, erase=True)[0], 204)
    ended(server)
    deleted = set()
    while len(deleted) < 270:
        m = bob.event('message.deleted', timeout=20 * SLOW)['message']
        equal((m['sender'], 'text' in m), ('alice', False))
        deleted.add((m['channel'], m['message_id']))
    for channel in (kept, left):
        for sender, text in texts(server, 'bob', channel).values():
            equal(text, None if sender == 'alice' else 'word')
    equal(texts(server, 'carol', direct), {1: ('alice', None), 2: ('carol', 'two')})
    equal(server.inbox('bob')[-1]['params']['inbox_id'], len(server.inbox('bob')))
    sound(server)


@test('SIGKILL of the store in the middle of an erase: it goes on to the end, and others do not wait for it')
def _():
    server = Server(api=ON)
    token = sign_up(server, 'alice')
    group = server.rpc('bob', 'channel.create',
                       {'name': 'g', 'members': ['alice'] + ['u%d' % i for i in range(40)]})['channel']['channel']
    fill(server, 'alice', group, 1500)
    fill(server, 'bob', group, 100)
    bob, said, stop = server.client('bob'), [0], threading.Event()
    equal(delete(server, token, erase=True)[0], 204)

    def speak():
        c = server.client('carol')
        while not stop.is_set():
            c.say('dave', 'x')
            said[0] += 1
        c.close()
    speaker = threading.Thread(target=speak)
    speaker.start()
    for i in range(200):
        bob.event('message.deleted', timeout=20 * SLOW)
    print('# %d messages of others meanwhile' % said[0])
    until(lambda: said[0] > 10, 20 * SLOW, 'messages of others')
    stop.set()
    speaker.join()
    for _ in range(3):
        server.kill('chatd: store')
        server.wait_ready()
        if 'all that was to go' in read(server.run_dir + '/chatd.log'):
            break
    ended(server, 60)
    found = texts(server, 'bob', group)
    equal(len(found), 1600)
    for sender, text in found.values():
        equal(text, None if sender == 'alice' else 'word')
    inbox = server.inbox('bob')
    equal([e['params']['inbox_id'] for e in inbox], list(range(1, len(inbox) + 1)))
    equal(sorted(e['params']['message']['message_id'] for e in inbox if e['method'] == 'message.deleted'),
          list(range(1, 1501)))
    sound(server)


@test('every process is killed right after the answer: the account is gone, and the rest follows')
def _():
    server = Server(api=ON)
    tokens = {u: sign_up(server, u) for u in ('alice', 'bob', 'carol')}
    group = server.rpc('alice', 'channel.create', {'name': 'g', 'members': ['bob', 'carol', 'dave']})['channel']['channel']
    for a, b in (('alice', 'bob'), ('bob', 'carol'), ('carol', 'alice')):
        server.rpc(a, 'contact.request', {'user': b})
        server.rpc(a, 'message.send', {'to': b, 'client_id': 'c', 'text': 'x'})
    for user in ('alice', 'bob', 'carol'):
        equal(delete(server, tokens[user], erase=user != 'bob')[0], 204)
        for name in ('chatd: store', 'chatd: worker 0', 'chatd: worker 1'):
            server.kill(name)
    server.wait_ready()
    until(lambda: read(server.run_dir + '/chatd.log').count('all that was to go') == 3, 30 * SLOW, 'all three')
    members = server.rpc('dave', 'channel.get', {'channel': group})['channel']['members']
    equal([(m['user'], m['role']) for m in members], [('dave', 'owner')])
    for user in tokens:
        reason(ask(server, 'GET', 'channels', token=tokens[user]), 401, 'user_deleted')
    sound(server)


@test('a worker dies while the password is judged: the request is done once and answered')
def _():
    server = Server(api=ON, chat_workers=1)
    token = sign_up(server, 'alice')
    answers = []
    t = threading.Thread(target=lambda: answers.append(delete(server, token)))
    worker = server.kill('chatd: worker 0', signal.SIGSTOP)
    t.start()
    until(lambda: server.metrics().get('chat_unanswered_bytes', 0) > 0, 20 * SLOW, 'the request to be on its way')
    os.kill(worker, signal.SIGCONT)
    time.sleep(0.02)    # a judgement takes longer; where it did not begin, the next worker's counts
    server.kill('chatd: worker 0')
    t.join()
    equal(answers[0][0], 204, answers)
    reason(delete(server, token), 401, 'user_deleted')


main()
