"""What the documents say is so: the OpenRPC document against its specification
and against the server, the example configuration against nginx.
"""

import copy
import subprocess

import jsonschema
import yaml

from chat import *

with open(ROOT + '/docs/openrpc.json') as f:
    OPENRPC = json.load(f)

META_SCHEMA = ROOT + '/objs/npm/node_modules/@open-rpc/meta-schema'


def meta_schema():
    """The specification's own schema, as its authors publish it.  Its reference to the schema of JSON Schema, which
    would be fetched, is left open: each schema of ours is checked below."""
    text = subprocess.check_output(['node', '-p', 'JSON.stringify(require(%s).openrpcDocument)' % json.dumps(META_SCHEMA)])

    def local(value):
        if isinstance(value, list):
            return [local(v) for v in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get('$ref'), str) and not value['$ref'].startswith('#'):
            return {}
        return {k: local(v) for k, v in value.items() if k not in ('$id', '$schema')}
    return local(json.loads(text))


def walk(value, path='#'):
    yield path, value
    for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from walk(below, '%s/%s' % (path, key))


def method(name):
    return [m for m in OPENRPC['methods'] if m['name'] == name][0]


def fits(schema, value, what):
    schema = dict(schema, components=OPENRPC['components']) if isinstance(schema, dict) else schema
    errors = sorted(jsonschema.Draft7Validator(schema).iter_errors(value), key=str)
    assert not errors, '%s: %s in %s' % (what, errors[0].message, json.dumps(value)[:500])


def params_schema(name):
    params = [resolve(p) for p in method(name)['params']]
    return {'type': 'object', 'additionalProperties': False, 'properties': {p['name']: p['schema'] for p in params},
            'required': [p['name'] for p in params if p.get('required')]}


def resolve(value):
    while '$ref' in value:
        target = OPENRPC
        for step in value['$ref'][2:].split('/'):
            target = target[step]
        value = target
    return value


@test('docs/openrpc.json is an OpenRPC document')
def _():
    schema = meta_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(OPENRPC))
    assert not errors, ['%s: %s' % ('/'.join(map(str, e.absolute_path)), e.message[:200]) for e in errors[:5]]
    # and the check can fail
    for spoil in (lambda d: d.pop('openrpc'), lambda d: d['methods'][0].pop('params'),
                  lambda d: d['methods'][0].update(extra=1), lambda d: d['methods'][1].update(paramStructure='x')):
        bad = copy.deepcopy(OPENRPC)
        spoil(bad)
        assert not jsonschema.Draft7Validator(schema).is_valid(bad)


@test('in docs/openrpc.json every name is there once, every reference points at something, every schema is one')
def _():
    names = [m['name'] for m in OPENRPC['methods']]
    equal(sorted(names), sorted(set(names)))
    for path, value in walk(OPENRPC):
        if isinstance(value, dict) and isinstance(value.get('$ref'), str):
            assert value['$ref'].startswith('#/'), path
            try:
                resolve(value)
            except KeyError:
                raise AssertionError('%s points at nothing: %s' % (path, value['$ref']))
        if path.split('/')[-1] == 'schema' or path.startswith('#/components/schemas/') and path.count('/') == 3:
            jsonschema.Draft7Validator.check_schema(value)
    for m in OPENRPC['methods']:
        required = [bool(resolve(p).get('required')) for p in m['params']]
        equal(m.get('paramStructure'), 'by-name', m['name'])
        assert len({resolve(p)['name'] for p in m['params']}) == len(required), m['name']


@test('the methods of docs/protocol.md and of docs/openrpc.json are the same, and each is there')
def _():
    with open(ROOT + '/docs/protocol.md') as f:
        table = f.read().partition('## Methods')[2].partition('\n## ')[0]
    listed = {name for row in re.findall(r'^\| (`[^|]*) \|', table, re.M) for name in re.findall(r'`([a-z.]+)`', row)}
    requests = {m['name'] for m in OPENRPC['methods'] if not m.get('x-notification')}
    equal(requests, listed)
    server = Server()
    for name in sorted(requests):
        try:
            server.rpc('alice', name, {'no such param': 1})
        except RpcError as e:
            assert e.code != -32601, name + ' is not there'
    for name in ('message.edit', 'message.delete', 'presence.get', 'contact.list', 'channel.mute', 'rpc.discover'):
        assert (name in requests) == (code_of(server, name) != -32601), name


@test('the routes of the code are those of docs/openapi.yaml, every method has one, and docs/protocol.md names each')
def _():
    source = read(ROOT + '/workers/route.c').partition('routes[] = {')[2].partition('};')[0]
    rows = re.findall(r'\{\s*"([A-Z]+)",\s*"([^"]+)",\s*(?:"([a-z.]+)"|NULL),\s*(\d+),\s*ROUTE_(\w+)', source)
    # those about accounts are no methods
    rows = [(verb, path, '' if kind == 'LOGIN' else name, status) for verb, path, name, status, kind in rows]
    with open(ROOT + '/docs/openapi.yaml') as f:
        document = yaml.safe_load(f)
    described = {(verb.upper(), re.sub(r'\{users\}', '{user}', path[1:]), o.get('x-method', ''))
                 for path, item in document['paths'].items() for verb, o in item.items() if verb != 'parameters'}
    equal({(verb, path.replace('{users}', '{user}'), name) for verb, path, name, _ in rows}, described)
    for verb, path, _, status in rows:
        item = document['paths'].get('/' + path) or document['paths']['/' + path.replace('{users}', '{user}')]
        assert status in item[verb.lower()]['responses'], (verb, path, status)
    methods = {m['name'] for m in OPENRPC['methods'] if not m.get('x-notification')}
    # what a connection of one's own is needed for
    live = {'session.renew', 'presence.watch', 'presence.unwatch'}
    equal(methods - live, {name for _, _, name, _ in rows} - {''})
    http = read(ROOT + '/docs/protocol.md').partition('## HTTP')[2]
    for path in {path for _, path, _, _ in rows}:
        assert '/' + path.split('/')[0] in http, path
    for word in {path.split('/')[-1] for _, path, _, _ in rows} - {''}:
        assert word.startswith('{') or word in http, word


@test('each resource takes what its method takes, by docs/openapi.yaml and docs/openrpc.json')
def _():
    with open(ROOT + '/docs/openapi.yaml') as f:
        document = yaml.safe_load(f)

    def named(value, root):
        while '$ref' in value:
            part, _, path = value['$ref'].partition('#/')
            root = OPENRPC if part else root
            value = root
            for step in path.split('/'):
                value = value[step]
        return value

    # what the verb says, what is for a list in one segment, and what HTTP alone has
    apart = {('message.react', 'remove'), ('channel.remove', 'users'), ('channel.remove', 'user'), ('inbox.sync', 'wait'),
             ('user.get', 'If-None-Match'), ('typing', 'user')}
    for path, item in document['paths'].items():
        for verb, o in item.items():
            if 'x-method' not in o:
                continue
            name = o['x-method']
            given = [named(p, document)['name'] for p in item.get('parameters', []) + o.get('parameters', [])]
            body = named(o.get('requestBody', {}), document)
            if body:
                given += named(body['content']['application/json']['schema'], document)['properties']
            wanted = {resolve(p)['name'] for p in method(name)['params']}
            given = set(given) - ({'device'} - wanted)
            equal({n for n in given if (name, n) not in apart}, {n for n in wanted if (name, n) not in apart},
                  '%s %s' % (verb, path))


@test('every reason of the code is in docs/protocol.md; docs/openrpc.json has those of methods, in the same words')
def _():
    rows = re.findall(r'X\(\w+, (-?\d+), "(\w+)",[\s\\]*"([^"]*)"\)', read(ROOT + '/workers/call.h'))
    assert len(rows) > 50, rows
    page = read(ROOT + '/docs/protocol.md')
    module = ''.join(read(ROOT + '/ngx_chat_module/' + n) for n in os.listdir(ROOT + '/ngx_chat_module'))
    refusals = re.findall(r'NGX_(?:HTTP|CHAT)_\w+,\s*"([a-z_]+)",', module) + re.findall(r'reason, "([a-z]+_[a-z_]+)"\)', module)
    assert 'no_connections' in refusals and 'bad_device' in refusals, refusals
    for reason in {r for _, r, _ in rows} | set(refusals):
        assert '`%s`' % reason in page, reason
    documented = {e['data']['reason']: (e['code'], e['message']) for e in OPENRPC['components']['errors'].values()}
    alone = {'bad_credentials', 'wrong_password', 'no_account', 'token_foreign', 'token_without_jti', 'user_reserved',
             'user_taken', 'busy', 'not_found', 'method_not_allowed'}
    equal(documented, {r: (int(code), message) for code, r, message in rows if r not in alone})


def code_of(server, name):
    try:
        server.rpc('alice', name, {})
        return 0
    except RpcError as e:
        return e.code


@test('answers and notifications of a conversation fit their schemas, and errors are those the document lists')
def _():
    server = Server(http='chat_drain_time 1s;')
    alice, bob = server.client('alice', device='a'), server.client('bob', device='b')
    fits(params_schema('session.ready'), alice.ready, 'session.ready')

    def call(client, name, params):
        fits(params_schema(name), params, 'params of ' + name)
        result = client.call(name, params)
        fits(method(name)['result']['schema'] if '$ref' not in method(name)['result'] else
             resolve(method(name)['result'])['schema'], result, 'result of ' + name)
        return result
    call(alice, 'ping', {})
    sent = call(alice, 'message.send', {'to': 'bob', 'client_id': 'c', 'text': 'x'})
    call(alice, 'message.send', {'to': 'bob', 'client_id': 'c', 'text': 'x'})
    direct = sent['channel']
    group = call(alice, 'channel.create', {'name': 'g', 'members': ['bob']})['channel']['channel']
    call(alice, 'message.send', {'channel': group, 'client_id': 'd', 'text': '\u0000', 'type': 'text'})
    call(alice, 'message.get', {'channel': direct, 'message_id': 1})
    call(alice, 'message.history', {'channel': direct, 'around': 1, 'limit': 10})
    for channel, user in ((direct, alice), (group, bob)):
        call(user, 'message.react', {'channel': channel, 'message_id': 1, 'emoji': '\U0001f44d'})
    call(alice, 'message.edit', {'channel': direct, 'message_id': 1, 'text': 'y', 'client_id': 'e'})
    call(bob, 'message.react', {'channel': group, 'message_id': 1, 'emoji': '\U0001f44d', 'remove': True})
    call(alice, 'message.send', {'channel': direct, 'client_id': 'r', 'text': 'x', 'reply_to': 1, 'mentions': ['bob']})
    call(alice, 'message.history', {'channel': direct})
    call(bob, 'channel.list', {})
    call(alice, 'message.delete', {'channel': direct, 'message_id': 1})
    call(alice, 'message.get', {'channel': direct, 'message_id': 1})
    for muted_until in (None, 1900000000000):
        call(alice, 'channel.mute', {'channel': direct, 'until': muted_until})
    call(alice, 'typing', {'channel': direct})
    call(bob, 'inbox.sync', {'after': 0, 'limit': 1000})
    call(bob, 'inbox.ack', {'inbox_id': 1})
    for channel in (direct, group):
        call(alice, 'channel.get', {'channel': channel})
    call(alice, 'channel.list', {'limit': 1})
    call(alice, 'channel.update', {'channel': group, 'name': 'h', 'avatar': 'x'})
    call(alice, 'channel.add', {'channel': group, 'users': ['carol']})
    call(alice, 'channel.role', {'channel': group, 'user': 'carol', 'role': 'admin'})
    call(alice, 'channel.remove', {'channel': group, 'users': ['carol']})
    call(bob, 'channel.read', {'channel': direct, 'message_id': 1})
    call(alice, 'channel.hide', {'channel': direct})
    call(bob, 'channel.leave', {'channel': group})
    call(alice, 'session.renew', {'token': server.token('alice')})
    errors = {'message.get': {'channel': direct, 'message_id': 9}, 'channel.get': {'channel': 'g.x'},
              'inbox.sync': {'after': 99}, 'inbox.ack': {'inbox_id': 99}, 'channel.leave': {'channel': direct},
              'message.send': {'to': 'bob', 'text': 'x'},
              'message.edit': {'channel': direct, 'message_id': 1, 'text': 'x'},
              'message.react': {'channel': direct, 'message_id': 1, 'emoji': 'x'},
              'message.delete': {'channel': direct, 'message_id': 9}}
    for name, params in errors.items():
        error = refused(alice.call, name, params).error
        listed = {resolve(e)['code'] for e in method(name).get('errors', [])}
        assert error['code'] in listed, '%s: %d is not among %s' % (name, error['code'], sorted(listed))
    alice.event('receipt')
    server.reload()
    for c in (alice, bob):
        try:
            while True:
                c.pump()
        except Closed:
            pass
    notified = set()
    for m in alice.seen + bob.seen:
        if 'method' in m:
            fits(params_schema(m['method']), m['params'], m['method'])
            notified.add(m['method'])
    equal(notified, {'message.new', 'message.edited', 'message.deleted', 'message.reacted', 'channel.updated',
                     'receipt', 'typing', 'session.closing'})


@test('nginx.conf.example explains every directive and loads as it stands')
def _():
    with open(ROOT + '/nginx.conf.example') as f:
        example = f.read()
    source = ''.join(read(ROOT + '/ngx_chat_module/' + n) for n in os.listdir(ROOT + '/ngx_chat_module'))
    for directive in sorted(set(re.findall(r'ngx_string\("(chat_\w+)"\),\n\s+NGX_(?:HTTP|CONF)', source))):
        assert re.search(r'^\s*(# *)?%s\b' % directive, example, re.M), directive + ' is not in nginx.conf.example'
    prefix = scratch('chat-example-')
    for name in ('modules', 'logs', 'conf'):
        os.mkdir(prefix + '/' + name)
    if ASAN:
        example = re.sub(r'^load_module .*$', '', example, flags=re.M)
    else:
        os.symlink(OBJS + '/ngx_chat_module.so', prefix + '/modules/ngx_chat_module.so')
    # its ports may be another server's here, Debian's paths are for root only,
    # and not every machine has IPv6
    for port in ('8080', '8443'):
        example = re.sub(r'(listen .*?)\b%s\b' % port, r'\g<1>%d' % free_port(), example)
    if not read('/proc/net/if_inet6'):
        example = re.sub(r'listen \[::\].*', '', example)
    paths = ''.join('%s_temp_path tmp-%s;' % (n, n) for n in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
    with open(prefix + '/conf/nginx.conf', 'w') as f:
        f.write(re.sub(r'^http {$', 'http {' + paths + ' access_log logs/access.log;', example, flags=re.M))
    with open(prefix + '/conf/chat.key', 'w') as f:
        f.write('0123456789abcdef' * 4 + '\n')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-days', '365',
                    '-keyout', prefix + '/conf/tls.key', '-out', prefix + '/conf/tls.crt'], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    p = subprocess.run([NGINX, '-t', '-e', 'stderr', '-p', prefix + '/', '-c', prefix + '/conf/nginx.conf', '-g',
                        'pid %s/logs/nginx.pid;' % prefix], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       env=dict(os.environ, ASAN_OPTIONS='detect_leaks=0'))
    equal(p.returncode, 0, p.stdout)
    assert 'test is successful' in p.stdout, p.stdout


main()
