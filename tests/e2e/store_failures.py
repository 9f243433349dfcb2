"""A store that cannot be written, opened or trusted: a clear message, 503 for
clients, and everything that was acknowledged is there afterwards."""

import fcntl
import glob
import subprocess

from chat import *


def send(client, i):
    """The result, or None for a 503."""
    try:
        return client.say('bob', 'm%d' % i, 'c%d' % i)
    except RpcError as e:
        equal(e.code, 503)
        return None


@test('disk full: sends are 503; with space again the store goes on by itself; after a SIGKILL every acknowledged message is there')
def _():
    directory = scratch('chat-disk-')
    full = directory + '/full'
    os.mkdir(directory + '/disk')
    server = Server(pool='own', preload='disk_full', chat_workers=1, store=directory + '/disk/store', allow='chatd',
                    pool_env={'CHAT_DISK_FULL': full, 'CHAT_DISK_DIR': directory + '/disk'})
    alice = server.client('alice', timeout=30)
    acknowledged, refused_ids = {}, []
    for i in range(50):
        acknowledged[i] = send(alice, i)['message_id']
    for turn in range(3):
        open(full, 'w').close()
        first = 1000 * (turn + 1)
        for i in range(first, first + 15):
            result = send(alice, i)
            if result:
                acknowledged[i] = result['message_id']
            else:
                refused_ids.append(i)
        assert refused_ids, 'nothing was refused on a full disk'
        os.unlink(full)
        until(lambda: send(alice, first + 500), 30 * SLOW, 'the store to go on', every=0.1)
        for i in range(first + 600, first + 700):
            acknowledged[i] = until(lambda: send(alice, i), 30 * SLOW)['message_id']
    until(lambda: server.metrics()['chat_pool_commit_failures'] >= 1, 10 * SLOW, 'the failures to be counted')
    # a refused one may be sent again with its client_id
    for i in refused_ids:
        acknowledged[i] = until(lambda: send(alice, i), 30 * SLOW)['message_id']
    server.kill('chatd: store')
    # the same client_id again finds what was acknowledged
    for i, message_id in acknowledged.items():
        result = until(lambda: send(alice, i), 30 * SLOW)
        equal((result['message_id'], result.get('duplicate')), (message_id, True), 'message %d after the kill' % i)
    texts = [e['params']['message']['text'] for e in server.inbox('bob')]
    equal(len(texts), len(set(texts)))
    server.stop()
    status, output = server.check_store()
    equal(status, 0, output)


@test('the presence timeout of a reload while the disk is full is in force once the store goes on')
def _():
    directory = scratch('chat-disk-')
    full = directory + '/full'
    os.mkdir(directory + '/disk')

    class Full(Server):
        def chatd_path(self):
            pool = Pool(self.dir, '', preload='disk_full')
            with open(self.dir + '/chatd', 'w') as f:
                f.write("#!/bin/sh\nexport LD_PRELOAD='%s' CHAT_DISK_FULL='%s' CHAT_DISK_DIR='%s'\nexec %s/chatd \"$@\"\n"
                        % (pool.env['LD_PRELOAD'], full, directory + '/disk', OBJS))
            os.chmod(self.dir + '/chatd', 0o755)
            return self.dir + '/chatd'

    server = Full(chat_workers=1, store=directory + '/disk/store', allow='chatd', http='chat_presence_timeout 1h;')
    server.rpc('alice', 'contact.request', {'user': 'bob'})
    server.rpc('bob', 'contact.accept', {'user': 'alice'})

    def goes(i):
        try:
            return server.rpc('alice', 'message.send', {'to': 'bob', 'client_id': 'c%d' % i, 'text': 'hi'})
        except RpcError as e:
            equal(e.code, 503)

    open(full, 'w').close()
    until(lambda: not goes(0), 30 * SLOW, 'the disk to be full', every=0.1)
    server.reload(http='chat_presence_timeout 1s;')
    until(lambda: 'settings were reloaded' in read(server.run_dir + '/chatd.log'), 20 * SLOW, 'the store to be told')
    equal(goes(1), None)
    os.unlink(full)
    until(lambda: goes(2), 30 * SLOW, 'the store to go on', every=0.1)
    alice = server.client('alice')
    server.client('bob').close()
    until(lambda: not alice.call('presence.get', {'users': ['bob']})['users'][0]['online'], 30 * SLOW, 'bob to be offline')


def unusable(server, words):
    """Clients get 503 and nginx's error log says why."""
    r = refusal(server, 'alice')
    equal(r.status, 503)
    assert int(r.headers['retry-after']) > 0
    until(lambda: re.search(words, read(server.error_log)), 20 * SLOW,
          '%r in nginx\'s error log; it has:\n%s' % (words, read(server.error_log)[-2000:]))


def filled():
    """A directory with a store that has messages, and what they were."""
    server = Server()
    alice = server.client('alice')
    for i in range(200):
        alice.say('bob', 'text %d ' % i + 'x' * 200)
    server.stop()
    return server


@test('a store that another process holds is said to be locked; when it is free, clients are served')
def _():
    first = filled()
    with open(first.store + '/LOCK', 'w') as f:
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        server = Server(store=first.store, wait=False, allow='chatd|crit')
        unusable(server, '(?i)lock')
    server.wait_ready()
    equal(len(server.inbox('bob')), 200)


@test('a store of a newer format is refused with a clear message')
def _():
    first = filled()
    tool = OBJS + '/chatd'
    patch_format(first.store)
    server = Server(store=first.store, wait=False, allow='chatd|crit')
    unusable(server, '(?i)newer|format')
    server.stop()
    p = subprocess.run([tool, 'check', first.store], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    equal(p.returncode, 2, p.stdout)


def patch_format(store):
    """Writes format 99 under the key F, with LevelDB's own C interface."""
    import ctypes
    import ctypes.util
    db = ctypes.CDLL(ctypes.util.find_library('leveldb') or 'libleveldb.so.1d')
    for name in ('leveldb_options_create', 'leveldb_open', 'leveldb_writeoptions_create', 'leveldb_readoptions_create',
                 'leveldb_get'):
        getattr(db, name).restype = ctypes.c_void_p
    error = ctypes.c_char_p()
    handle = db.leveldb_open(ctypes.c_void_p(db.leveldb_options_create()), store.encode(), ctypes.byref(error))
    assert handle, error.value
    length = ctypes.c_size_t()
    value = db.leveldb_get(ctypes.c_void_p(handle), ctypes.c_void_p(db.leveldb_readoptions_create()), b'F',
                           ctypes.c_size_t(1), ctypes.byref(length), ctypes.byref(error))
    old = ctypes.string_at(value, length.value)
    new = old[:-4] + (99).to_bytes(4, 'big')
    db.leveldb_put(ctypes.c_void_p(handle), ctypes.c_void_p(db.leveldb_writeoptions_create()), b'F', ctypes.c_size_t(1),
                   new, ctypes.c_size_t(len(new)), ctypes.byref(error))
    assert not error.value, error.value
    db.leveldb_close(ctypes.c_void_p(handle))


@test('a corrupt store is refused with a clear message, and chatd check says so')
def _():
    for pattern in ('CURRENT', 'MANIFEST-*', '*.ldb'):
        first = filled()
        # a restart moves what the log held into tables
        first.start()
        first.stop()
        paths = glob.glob(first.store + '/' + pattern)
        assert paths, pattern
        for path in paths:
            with open(path, 'r+b') as f:
                size = os.path.getsize(path)
                f.seek(size // 3)
                f.write(b'\xa5' * max(8, min(4096, size // 2)))
        server = Server(store=first.store, wait=False, allow='chatd|crit')
        unusable(server, '(?i)corrupt|cannot|damaged|bad')
        server.stop()
        status, output = first.check_store()
        assert status in (1, 2), (pattern, status, output)


@test('a store directory that cannot be written is refused with a clear message')
def _():
    first = filled()
    command = ['chattr', '+i'] if os.getuid() == 0 else ['chmod', '-R', 'a-w']
    undo = ['chattr', '-i'] if os.getuid() == 0 else ['chmod', '-R', 'u+w']
    paths = [first.store] + glob.glob(first.store + '/*')
    if subprocess.run(command + paths, stderr=subprocess.DEVNULL).returncode:
        raise Skip('this file system has no immutable files, and root writes to all others')
    try:
        server = Server(store=first.store, wait=False, allow='chatd|crit')
        unusable(server, '(?i)read-only|permit|permission|denied|cannot|writ')
    finally:
        subprocess.run(undo + paths)
    server.wait_ready()
    equal(len(server.inbox('bob')), 200)


@test('a store path that is a file is refused with a clear message')
def _():
    path = scratch('chat-file-') + '/store'
    open(path, 'w').close()
    server = Server(store=path, wait=False, allow='chatd|crit')
    unusable(server, re.escape(path))


@test('a full run directory: a clear message and 503, and the pool starts when there is room')
def _():
    directory = scratch('chat-full-')
    if os.getuid() != 0 or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k,nr_inodes=64', 'tmpfs', directory],
                                          stderr=subprocess.DEVNULL).returncode:
        raise Skip('a small file system cannot be mounted here')
    try:
        ballast = directory + '/ballast'
        server = Server(run_dir=directory, start=False, allow='.')
        server.write_configuration()
        with open(ballast, 'wb', 0) as f:
            try:
                while True:
                    f.write(b'x' * 4096)
            except OSError:
                pass
        status, output = server.test_configuration()
        equal(status, 0, output)
        try:
            server.start(wait=False)
        except AssertionError as e:
            assert 'No space left' in str(e), e
            os.unlink(ballast)
            server.start()
        else:
            equal(refusal(server, 'alice').status, 503)
            assert 'No space left' in server.logs()
            os.unlink(ballast)
            server.wait_ready()
        server.client('alice').say('bob', 'room again')
        server.stop()
    finally:
        subprocess.run(['umount', '-l', directory])


@test('chatd check finds a sound store sound, and tells a missing one')
def _():
    server = filled()
    status, output = server.check_store()
    equal(status, 0, output)
    server.store = '/nonexistent/store'
    status, output = server.check_store()
    equal(status, 2, output)


main()
