"""Devices: the list, what each has read, and the removal that ends tokens."""

from chat import *


def devices(client):
    return {d['device']: d for d in client.call('device.list', {})['devices']}


def closed(client):
    """Reads up to the close frame: its code and reason."""
    try:
        while True:
            client.pump(20)
    except Closed as c:
        return c.code, c.reason


@test('a device that is named is listed with its cursor; one that the server made only once it acknowledged')
def _():
    server = Server()
    start = time.time() * 1000
    phone, made = server.client('alice', device='phone'), server.client('alice')
    listed = devices(phone)
    equal(list(listed), ['phone'])
    d = listed['phone']
    equal((d['current'], d['name'], d['inbox_id']), (True, None, 0))
    assert start - 5 <= d['last_active_at'] <= time.time() * 1000 + 5, d
    phone.say('alice', 'note')
    made.message()
    made.call('inbox.ack', {'inbox_id': 1})
    listed = devices(made)
    equal({k: (d['current'], d['inbox_id']) for k, d in listed.items()},
          {'phone': (False, 0), made.ready['device']: (True, 1)})
    server.rpc('alice', 'inbox.sync', {'after': 0}, path='/rpc?device=script')
    equal(set(devices(phone)), {'phone', made.ready['device'], 'script'})


@test('a device is named by its user, from any of his devices, and keeps the name until it is removed')
def _():
    server = Server()
    phone, web, made = server.client('alice', device='phone'), server.client('alice', device='web'), server.client('alice')
    named = phone.call('device.update', {'name': 'Al\u2019s \U0001f4f1 "phone"'})['device']
    equal((named['device'], named['name'], named['current']), ('phone', 'Al\u2019s \U0001f4f1 "phone"', True))
    web.call('device.update', {'device': 'web', 'name': '\u00e4' * 64, 'client_id': 'c'})
    web.call('device.update', {'name': 'x'})
    equal(web.call('device.update', {'device': 'web', 'name': '\u00e4' * 64, 'client_id': 'c'})['device']['name'], '\u00e4' * 64)
    equal({k: d['name'] for k, d in devices(phone).items()}, {'phone': named['name'], 'web': 'x'})
    # what the device does afterwards leaves the name
    phone.say('alice', 'note')
    web.message()
    web.call('inbox.ack', {'inbox_id': 1})
    server.written_behind()
    server.kill('chatd: store')
    listed = until(lambda: devices(phone), 10)
    equal({k: (d['name'], d['inbox_id']) for k, d in listed.items()}, {'phone': (named['name'], 0), 'web': ('x', 1)})
    equal(web.call('device.update', {'name': ''})['device']['name'], None)
    for client, params, code, why in ((web, {'name': 'x' * 65}, -32602, 'out_of_range'), (web, {}, -32602, 'missing'),
                                      (web, {'name': None}, -32602, 'wrong_type'), (web, {'name': '\ud800'}, -32602, 'bad_unicode'),
                                      (web, {'name': 'x', 'device': 'a b'}, -32602, 'bad_user'),
                                      (web, {'name': 'x', 'device': 'none'}, 404, 'device_not_found'),
                                      (made, {'name': 'x'}, 404, 'device_not_found')):
        e = refused(client.call, 'device.update', params)
        equal((e.code, e.reason), (code, why), params)
    equal(reason_of(server, 'alice', 'device.update', {'name': 'x'}), 'device_required')
    web.call('device.remove', {'device': 'phone'})
    equal(server.rpc('alice', 'device.list', {}, path='/rpc?device=phone')['devices'][0]['name'], None)
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


def reason_of(server, user, method, params):
    return refused(server.rpc, user, method, params).reason


@test('last_active_at moves on when a connection ends, and outlives a kill of the store')
def _():
    server = Server()
    phone, web = server.client('alice', device='phone'), server.client('alice', device='web')
    opened = devices(web)['phone']['last_active_at']
    time.sleep(0.02)
    phone.close()
    later = until(lambda: devices(web)['phone']['last_active_at'] > opened and devices(web)['phone'], 5)
    server.written_behind()
    server.kill('chatd: store')
    equal(until(lambda: devices(web)['phone'], 10), later)


@test('removing a device ends its connections with 1008 and its tokens, and a later token there is good again')
def _():
    server = Server()
    now = int(time.time())
    old = server.token('alice', dev='phone', iat=now - 10)
    phone, second = server.client('alice', token=old), server.client('alice', token=old)
    web = server.client('alice', claims={'dev': 'web', 'iat': now - 10})
    equal(web.call('device.remove', {'device': 'phone'}), {})
    for c in (phone, second):
        equal(closed(c), (1008, 'device_removed'))
    equal(list(devices(web)), ['web'])
    r = refusal(server, 'alice', token=old)
    equal((r.status, json.loads(r.body)['reason']), (401, 'token_ended'))
    status, headers, body = server.http('POST', '/rpc', '{"jsonrpc":"2.0","id":1,"method":"ping"}',
                                        {'Authorization': 'Bearer ' + old, 'Content-Type': 'application/json'})
    equal((status, json.loads(body)['reason'], headers['content-type']), (401, 'token_ended', 'application/problem+json'))
    assert 'www-authenticate' in headers, headers
    fresh = server.token('alice', dev='phone', iat=now + 2)
    server.client('alice', token=fresh).call('ping', {})
    equal(set(devices(web)), {'web', 'phone'})
    server.client('alice', claims={'dev': 'web', 'iat': now - 10})
    server.client('bob', claims={'dev': 'phone', 'iat': now - 10})


@test('a token that names no device or no time cannot be ended')
def _():
    server = Server()
    web = server.client('alice', device='web')
    for options in ({'device': 'x', 'claims': {'iat': 1}}, {'claims': {'dev': 'x'}}):
        c = server.client('alice', **options)
        web.call('device.remove', {'device': 'x'})
        equal(closed(c), (1008, 'device_removed'))
        server.client('alice', **options).call('ping', {})


@test('one may remove the device one is on: the answer comes, then the end')
def _():
    server = Server()
    c = server.client('alice', device='web')
    equal(c.call('device.remove', {'device': 'web'}), {})
    equal(closed(c), (1008, 'device_removed'))


@test('removal by HTTP; an unknown device is 404; bad ids are refused')
def _():
    server = Server()
    phone = server.client('alice', device='phone')
    equal(server.rpc('alice', 'device.remove', {'device': 'phone', 'client_id': 'c'}), {})
    equal(closed(phone), (1008, 'device_removed'))
    e = refused(server.rpc, 'alice', 'device.remove', {'device': 'phone'})
    equal((e.code, e.reason), (404, 'device_not_found'))
    equal(server.rpc('alice', 'device.remove', {'device': 'phone', 'client_id': 'c'}), {})
    for device in ('', 'a/b', 'x' * 65, 7):
        equal(refused(server.rpc, 'alice', 'device.remove', {'device': device}).code, -32602)
    equal(server.rpc('nobody', 'device.list', {}), {'devices': []})


@test('an ended token stays ended after a kill of every process, also for a connection that was open')
def _():
    server = Server()
    now = int(time.time())
    old = server.token('alice', dev='phone', iat=now - 10)
    web = server.client('alice', device='web')
    server.client('alice', token=old).close()
    until(lambda: 'phone' in devices(web), 5)
    web.call('device.remove', {'device': 'phone'})
    for name in ('chatd: store', 'chatd: worker 0', 'chatd: worker 1'):
        server.kill(name)
    server.wait_ready()
    equal(refusal(server, 'alice', token=old).status, 401)
    equal(list(devices(web)), ['web'])
    server.stop()
    equal(server.check_store()[0], 0, server.check_store()[1])


@test('hundreds of devices: the one longest silent makes room, and the list stays bounded')
def _():
    server = Server()
    web = server.client('alice', device='web')
    for i in range(100):
        server.rpc('alice', 'ping', {}, path='/rpc?device=d%d' % i)
    listed = devices(web)
    equal((len(listed), 'd99' in listed, 'd1' in listed), (64, True, False))


main()
