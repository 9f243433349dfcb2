"""Tokens that an identity provider signs with a private key: chat_jwt_key with
PEM files, chat_jwks, kid, rotation, and that no key serves another algorithm."""

import hashlib
import hmac

from chat import *
from keys import Key, b64, openssl, write_jwks

ALGORITHMS = ('RS256', 'ES256', 'EdDSA')


def claims(user='alice', **more):
    return dict({'sub': user, 'exp': int(time.time()) + 3600}, **more)


def bearer(value):
    return [('Authorization', 'Bearer ' + value)]


def reason(server, value, path='/v1/inbox?after=0'):
    """None when the token gets in, else the reason of the 401."""
    status, headers, text = server.http('GET', path, headers={'Authorization': 'Bearer ' + value})
    if status == 200:
        return None
    equal(status, 401, text)
    assert 'www-authenticate' in headers
    return json.loads(text)['reason']


def server_with(setting, **options):
    """A server, not started, where ws and api take tokens as the setting
    says, in which %s is the directory; rpc keeps the HS256 key."""
    server = Server(start=False, **options)
    server.settings.update(ws=setting.replace('%s', server.dir), api=setting.replace('%s', server.dir))
    return server


def hs256(secret, user='alice', header=None):
    text = b64(json.dumps(header or {'alg': 'HS256'}).encode()) + '.' + b64(json.dumps(claims(user)).encode())
    return text + '.' + b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())


@test('RS256, ES256 and EdDSA tokens of a JWKS get in over WebSocket and HTTP, and renew a session')
def _():
    server = server_with('chat_jwks %s/jwks.json;')
    keys = [Key(server.dir, a, 'kid of ' + a) for a in ALGORITHMS]
    write_jwks(server.dir + '/jwks.json', *[k.jwk(use='sig', alg=k.alg) for k in keys])
    server.start()
    for key in keys:
        name = 'user-' + key.alg
        c = server.client(name, headers=bearer(key.token(claims(name, dev='d'))))
        equal(c.ready['user'], name)
        c.call('session.renew', {'token': key.token(claims(name, dev='d', exp=int(time.time()) + 7200))})
        equal(refused(c.call, 'session.renew', {'token': server.token(name, dev='d')}).code, 401)
        equal(reason(server, key.token(claims(name))), None)
        equal(reason(server, key.token(claims(name), {'alg': key.alg})), None, 'without a kid')
    equal(reason(server, server.token('alice')), 'token_algorithm', 'HS256 where there is no secret')


@test('PEM files stand beside the secret, each for its own algorithm')
def _():
    server = server_with('chat_jwt_key %s/key; chat_jwt_key %s/RS256-None.pem alg=RS256;'
                         'chat_jwt_key %s/ES256-None.pem; chat_jwt_key %s/EdDSA-ed.pem kid=ed alg=EdDSA;')
    rs, es, ed = (Key(server.dir, a, k) for a, k in (('RS256', None), ('ES256', None), ('EdDSA', 'ed')))
    server.start()
    for value in (rs.token(claims()), es.token(claims()), ed.token(claims()), server.token('alice'),
                  rs.token(claims(), {'alg': 'RS256', 'kid': 'a key without kid serves it'})):
        equal(reason(server, value), None)
    equal(reason(server, ed.token(claims(), {'alg': 'EdDSA', 'kid': 'other'})), 'token_key')
    for key in (rs, es, ed):
        for alg in ALGORITHMS + ('HS256', 'none', 'RS512', 'ES384'):
            if alg != key.alg:
                assert reason(server, key.token(claims(), {'alg': alg})) in ('token_signature', 'token_algorithm')
        good = key.token(claims())
        head, body, signature = good.split('.')
        for bad in ('.'.join((head, b64(json.dumps(claims('eve')).encode()), signature)), good + 'AAAA', good[:-4],
                    '.'.join((head, body, b64(b'\0' * 64))), '.'.join((head, body, ''))):
            assert reason(server, bad) in ('token_signature', 'token_malformed'), bad
    equal(reason(server, es.token(claims(), der=True)), 'token_signature', 'ES256 in DER')
    equal(reason(server, rs.token(claims(exp=int(time.time()) - 1))), 'token_expired')


@test('a public key is no secret: HS256 tokens made with its PEM, DER or modulus are refused')
def _():
    server = server_with('chat_jwt_key %s/RS256-None.pem;')
    key = Key(server.dir, 'RS256')
    server.start()
    der = openssl('pkey', '-in', key.private, '-pubout', '-outform', 'DER')
    for secret in (key.pem().encode(), key.pem().strip().encode(), der, b''):
        for header in ({'alg': 'HS256'}, {'alg': 'RS256'}, {'alg': 'none'}):
            assert reason(server, hs256(secret, header=header)) in ('token_algorithm', 'token_signature')
    for name, data in (('der', der), ('base64', b''.join(key.pem().encode().splitlines()[1:-1])),
                       ('jwk', json.dumps(key.jwk()).encode())):
        with open(server.dir + '/' + name, 'wb') as f:
            f.write(data)
        server.write_configuration(api='chat_jwt_key %s/%s;' % (server.dir, name))
        status, text = server.test_configuration()
        assert status != 0 and 'is a public key and no secret' in text, (name, text)


@test('a kid chooses its key alone: another kid, or the right one with another key, is 401')
def _():
    server = server_with('chat_jwks %s/jwks.json;')
    one, two = (Key(server.dir, 'ES256', k) for k in ('one', 'two'))
    write_jwks(server.dir + '/jwks.json', one.jwk(), two.jwk())
    server.start()
    equal(reason(server, one.token(claims())), None)
    equal(reason(server, two.token(claims())), None)
    equal(reason(server, one.token(claims(), {'alg': 'ES256', 'kid': 'two'})), 'token_signature')
    equal(reason(server, one.token(claims(), {'alg': 'ES256', 'kid': 'three'})), 'token_key')
    equal(reason(server, one.token(claims(), {'alg': 'ES256', 'kid': 3})), 'token_malformed')
    equal(refusal(server, 'alice', headers=bearer(one.token(claims(), {'alg': 'ES256', 'kid': 'x'}))).status, 401)
    equal(reason(server, one.token(claims(), {'alg': 'ES256'})), None)


@test('iss= and aud= bind the keys of a provider to what it signs for this site')
def _():
    server = server_with('chat_jwks %s/jwks.json iss=https://id.example aud=chat;')
    key = Key(server.dir, 'EdDSA', 'k')
    write_jwks(server.dir + '/jwks.json', key.jwk())
    server.start()
    good = {'iss': 'https://id.example', 'aud': 'chat'}
    equal(reason(server, key.token(claims(**good))), None)
    equal(reason(server, key.token(claims(**dict(good, aud=['mail', 'chat'])))), None)
    for bad in ({}, dict(good, iss='https://evil.example'), dict(good, aud='mail'), dict(good, aud=['mail', 'chats']),
                {'iss': good['iss']}, {'aud': 'chat'}, dict(good, aud=None), dict(good, iss=['https://id.example'])):
        equal(reason(server, key.token(claims(**bad))), 'token_claims', repr(bad))


@test('a reload takes a rotated JWKS; one that is broken changes nothing')
def _():
    server = server_with('chat_jwks %s/jwks.json;', allow='chat_jwks|JWK Set')
    path = server.dir + '/jwks.json'
    old, new = (Key(server.dir, 'ES256', k) for k in ('old', 'new'))
    write_jwks(path, old.jwk())
    server.start()
    live = server.client('alice', headers=bearer(old.token(claims())))
    equal(reason(server, new.token(claims())), 'token_key')

    write_jwks(path, old.jwk(), new.jwk())
    server.reload()
    until(lambda: reason(server, new.token(claims())) is None, 20)
    equal(reason(server, old.token(claims())), None)

    write_jwks(path, new.jwk())
    server.reload()
    until(lambda: reason(server, old.token(claims())) == 'token_key', 20)
    equal(reason(server, new.token(claims())), None)
    live.expect_close(1012, timeout=20)

    for broken in ('{"keys":[', '{"keys":[]}', json.dumps({'keys': [new.jwk(d='AAAA')]})):
        with open(path, 'w') as f:
            f.write(broken)
        before = read(server.error_log).count('[emerg]')
        server.nginx.send_signal(signal.SIGHUP)
        until(lambda: read(server.error_log).count('[emerg]') > before, 20)
        equal(reason(server, new.token(claims())), None)


@test('nginx -t tells what is wrong with a key, and of keys that are left out')
def _():
    server = server_with('')
    rs, es, ed = (Key(server.dir, a, 'k') for a in ALGORITHMS)
    weak = Key(server.dir, 'RS256', 'weak', ('RSA', '-pkeyopt', 'rsa_keygen_bits:1024'))
    p384 = Key(server.dir, 'ES256', 'p384', ('EC', '-pkeyopt', 'ec_paramgen_curve:P-384'))
    openssl('req', '-x509', '-key', rs.private, '-subj', '/CN=x', '-days', '2', '-out', server.dir + '/crt')
    path = server.dir + '/jwks.json'

    def says(setting, *words):
        server.write_configuration(api=setting)
        status, text = server.test_configuration()
        assert all(w in text for w in words), (setting, words, text)
        return status == 0

    for key, word in ((rs.private, 'holds a private key, which nginx must not have'), (weak.public, '2048 to 4096 bits'),
                      (p384.public, 'curve of ES256, P-256'), (server.dir + '/crt', 'openssl x509 -in FILE')):
        assert not says('chat_jwt_key %s;' % key, 'key "%s" of "chat_jwt_key"' % key, word)
    assert not says('chat_jwt_key %s alg=HS256;' % es.public, 'is one for ES256: "alg=HS256" does not fit')
    assert not says('chat_jwt_key %s alg=ES256;' % server.key_file, 'is one for HS256: "alg=ES256" does not fit')
    assert not says('chat_jwt_key %s kid=k; chat_jwt_key %s kid=k;' % (rs.public, es.public), 'has the kid of another key')

    for wanted, words, keys in (
            (True, ['left out: its "use" is not "sig"'], [rs.jwk(use='enc'), ed.jwk()]),
            (True, ['key 2 in "%s"' % path, 'left out: its "alg"'], [ed.jwk(), rs.jwk(alg='RS512')]),
            (True, ['left out: its "kty" or "crv"'], [ed.jwk(), {'kty': 'new', 'x': 'y'}]),
            (False, ['has no key that verifies'], [rs.jwk(key_ops=['encrypt'])]),
            (False, ['key 1 in "%s" of "chat_jwks" is a private key' % path], [es.jwk(d='AAAA'), ed.jwk()]),
            (False, ['is a secret, which no JWK Set is the place for'], [ed.jwk(), {'kty': 'oct', 'k': 'AAAA'}]),
            (False, ['key 2', 'has the kid of another key'], [es.jwk(), ed.jwk()]),
            (False, ['2048 to 4096 bits'], [weak.jwk()]),
            (False, ['is one key too many'], [ed.jwk(kid=str(i)) for i in range(33)]),
            (False, ['is too long: it may have 65536 bytes'], [ed.jwk(x5c=['A' * 65536])])):
        write_jwks(path, *keys)
        equal(says('chat_jwks %s;' % path, *words), wanted, words[0])


@test('a location with keys of its own has none of those above it')
def _():
    server = server_with('chat_jwks %s/jwks.json;')
    key = Key(server.dir, 'EdDSA')
    write_jwks(server.dir + '/jwks.json', key.jwk())
    server.settings['http'] = 'chat_jwks %s/jwks.json;' % server.dir
    server.start()
    rpc = {'Content-Type': 'application/json'}
    ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
    for value, api, over_rpc in ((key.token(claims()), None, 200), (server.token('alice'), 'token_algorithm', 200)):
        equal(reason(server, value), api)
        equal(server.http('POST', '/rpc', ping, dict(rpc, Authorization='Bearer ' + value))[0], over_rpc)


main()
