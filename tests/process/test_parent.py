"""The parent of the pool: titles, restarts, ends, lock, settings.

Runs against chatd linked with stub_roles.c instead of worker.c and store.c;
CHATD_STUB names that program.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

CHATD = os.environ.get("CHATD_STUB", "./chatd-stub")

# How long anything that should happen at once may take on a busy machine.
PATIENCE_S = 30


def wait_for(condition, what, patience=PATIENCE_S):
    end = time.monotonic() + patience
    while True:
        # asked once more after the end: the machine may have stood still
        late = time.monotonic() > end
        value = condition()
        if value:
            return value
        if late:
            raise AssertionError("timed out waiting for " + what)
        time.sleep(0.01)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def title(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def children(pid):
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            name = title(int(entry)).rstrip(b"\0").decode()
            found[name] = int(entry)
    return found


class ParentTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="chatd-parent-")
        self.pools = []
        self.pids = set()

    def tearDown(self):
        for pool in self.pools:
            if pool.poll() is None:
                pool.kill()
            pool.wait()
            pool.stderr.close()
        try:
            for pid in self.pids:
                wait_for(lambda: not alive(pid), "process %d to end" % pid)
        finally:
            for pid in filter(alive, self.pids):
                os.kill(pid, signal.SIGKILL)
        log = self.log()
        self.assertNotIn("Sanitizer", log)
        self.assertNotIn("runtime error", log)
        shutil.rmtree(self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def log(self):
        try:
            with open(self.path("chatd.log")) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def start(self, *options, workers=2):
        args = [CHATD, "-d", self.dir, "-n", str(workers)] + list(options)
        pool = subprocess.Popen(args, stderr=subprocess.PIPE)
        self.pools.append(pool)
        return pool

    def start_ready(self, *options, workers=2):
        pool = self.start(*options, workers=workers)
        self.wait_serving(pool, workers)
        return pool

    def names(self, workers=2):
        return ["chatd: store"] + ["chatd: worker %d" % i
                                   for i in range(workers)]

    def connects(self, name):
        try:
            self.connect(name).close()
        except OSError:
            return False
        return True

    def connect(self, name):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(PATIENCE_S)
        try:
            s.connect(self.path(name))
        except OSError:
            s.close()
            raise
        self.addCleanup(s.close)
        return s

    def wait_serving(self, pool, workers=2):
        found = wait_for(
            lambda: (lambda c: c if set(c) == set(self.names(workers))
                     else None)(children(pool.pid)), "all roles")
        self.pids.update(found.values())
        for name in ["store.sock"] + ["worker-%d.sock" % i
                                      for i in range(workers)]:
            wait_for(lambda: self.connects(name), name)
        return found

    def write_settings(self, generation, workers, store):
        with open(self.path("settings.new"), "w") as f:
            f.write("generation %d\nworkers %d\nstore %s\nowner 1\n"
                    % (generation, workers, store))
        os.rename(self.path("settings.new"), self.path("settings"))

    def wait_log(self, pattern, n=1):
        wait_for(lambda: len(re.findall(pattern, self.log())) >= n, pattern)

    # Titles and files

    def test_titles_are_the_whole_command_lines(self):
        pool = self.start_ready()
        self.assertEqual(title(pool.pid), b"chatd: parent\0")
        for name, pid in children(pool.pid).items():
            self.assertEqual(title(pid), name.encode() + b"\0")

    def test_pid_file_names_the_parent(self):
        pool = self.start_ready()
        with open(self.path("chatd.pid")) as f:
            self.assertEqual(int(f.read()), pool.pid)

    def test_roles_inherit_no_descriptors(self):
        with open(self.path("extra"), "w") as extra:
            os.set_inheritable(extra.fileno(), True)
            pool = subprocess.Popen([CHATD, "-d", self.dir, "-n", "1"],
                                    stderr=subprocess.PIPE, close_fds=False)
        self.pools.append(pool)
        found = self.wait_serving(pool, 1)
        for pid in list(found.values()) + [pool.pid]:
            links = []
            for fd in os.listdir("/proc/%d/fd" % pid):
                with contextlib.suppress(FileNotFoundError):  # closed since
                    if int(fd) > 2:
                        links.append(os.readlink(
                            "/proc/%d/fd/%s" % (pid, fd)))
            self.assertNotIn(self.path("extra"), links)
            if pid != pool.pid:
                self.assertNotIn(self.path("lock"), links)

    def test_stale_sockets_are_removed(self):
        stale = self.path("worker-7.sock")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(stale)
        self.start_ready()
        self.assertFalse(os.path.exists(stale))

    # Restarts

    def test_killed_role_is_started_again(self):
        pool = self.start_ready()
        time.sleep(1.1)  # it has served: no back-off
        for name in self.names():
            before = children(pool.pid)[name]
            os.kill(before, signal.SIGKILL)
            wait_for(lambda: children(pool.pid).get(name, before) != before,
                     name)
            self.wait_serving(pool)
        self.wait_log(r"store \[info\] start 2,")
        self.wait_log(r"worker 1 \[info\] start 2,")

    def test_role_that_dies_at_start_is_backed_off(self):
        open(self.path("unusable"), "w").close()
        begun = time.monotonic()
        self.start()
        starts = lambda: len(re.findall(r"store \[info\] start ", self.log()))
        wait_for(lambda: starts() >= 6, "six starts")
        # 30, 60, 120, 240, 480 ms lie between them; a slow machine adds to it
        self.assertGreater(time.monotonic() - begun, 0.9)

    def test_workers_live_on_while_the_store_is_unusable(self):
        open(self.path("unusable"), "w").close()
        pool = self.start()
        self.wait_log(r"worker 0 \[info\] carries 1: the store is locked", 3)
        found = children(pool.pid)
        self.assertIn("chatd: worker 0", found)
        self.assertIn("chatd: worker 1", found)
        os.unlink(self.path("unusable"))
        self.wait_serving(pool)

    # Notices

    def test_notices_of_all_processes_reach_worker_0(self):
        pool = self.start_ready()
        self.connect("worker-1.sock").send(b"w")
        self.wait_log(r"worker 0 \[info\] carries 2: warned by a worker")
        os.kill(children(pool.pid)["chatd: worker 0"], signal.SIGKILL)
        self.wait_log(r"worker 0 \[info\] carries 1: worker 0 \(\d+\) was "
                      r"ended by signal 9")

    # Ends

    def test_sigterm_ends_in_good_order(self):
        pool = self.start_ready()
        pool.terminate()
        self.assertEqual(pool.wait(PATIENCE_S), 0)
        self.assertEqual(self.log().count("ended in good order"), 3)
        self.assertEqual(sorted(os.listdir(self.dir)), ["chatd.log", "lock"])

    def test_role_that_does_not_end_is_killed(self):
        open(self.path("hang"), "w").close()
        pool = self.start_ready(workers=1)
        start = time.monotonic()
        pool.terminate()
        pool.wait(4 * PATIENCE_S)
        self.assertGreater(time.monotonic() - start, 4)
        self.assertEqual(os.path.exists(self.path("worker-0.sock")), False)

    def test_killed_parent_takes_roles_and_lock_along(self):
        first = self.start_ready()
        roles = list(children(first.pid).values())
        first.kill()
        first.wait()
        for pid in roles:
            wait_for(lambda: not alive(pid), "role to end")
        self.start_ready()

    def test_worker_that_hangs_ends_after_a_killed_parent(self):
        first = self.start_ready(workers=1)
        roles = list(children(first.pid).values())
        self.connect("worker-0.sock").sendall(b"l")
        first.kill()
        first.wait()
        for pid in roles:
            wait_for(lambda: not alive(pid), "role to end")
        self.start_ready(workers=1)

    def test_orphan_leaves_the_sockets_of_its_successor(self):
        open(self.path("hang"), "w").close()
        first = self.start_ready(workers=1)
        orphans = list(children(first.pid).values())
        first.kill()
        first.wait()
        os.unlink(self.path("hang"))
        second = self.start_ready(workers=1)
        for pid in orphans:
            wait_for(lambda: not alive(pid), "orphan to end")
        self.assertTrue(self.connects("worker-0.sock"))
        self.assertIsNone(second.poll())

    def test_pool_ends_after_the_last_nginx(self):
        # longer than it may take to connect to it
        pool = self.start_ready("-e", "4")
        one = self.connect("worker-0.sock")
        two = self.connect("worker-1.sock")
        # the links that wait_serving opened and closed are long over
        time.sleep(4.5)
        one.close()
        time.sleep(4.5)
        self.assertIsNone(pool.poll())
        start = time.monotonic()
        two.close()
        self.assertEqual(pool.wait(PATIENCE_S), 0)
        self.assertGreater(time.monotonic() - start, 3.9)

    def test_pool_without_e_stays(self):
        pool = self.start_ready()
        self.connect("worker-0.sock").close()
        time.sleep(1)
        self.assertIsNone(pool.poll())

    def test_pool_that_never_saw_nginx_ends(self):
        start = time.monotonic()
        pool = self.start("-e", "1")
        self.assertEqual(pool.wait(2 * PATIENCE_S), 0)
        self.assertGreater(time.monotonic() - start, 9)

    # Refusals

    def test_second_pool_in_one_directory_is_refused(self):
        first = self.start_ready()
        second = self.start()
        _, text = second.communicate(timeout=PATIENCE_S)
        self.assertEqual(second.returncode, 1)
        self.assertIn(b"another chatd (process %d) already runs in %s"
                      % (first.pid, self.dir.encode()), text)
        self.assertTrue(self.connects("worker-0.sock"))

    def test_bad_options_are_refused_with_a_reason(self):
        for args, text in ((["-n", "65"], b'"65" of -n'),
                           (["-n", "-1"], b'"-1" of -n'),
                           (["-e", "soon"], b'"soon" of -e'),
                           (["-R", "worker"], b"usage"),
                           (["more"], b"usage")):
            run = subprocess.run([CHATD, "-d", self.dir] + args,
                                 stderr=subprocess.PIPE, timeout=PATIENCE_S)
            self.assertEqual(run.returncode, 1, args)
            self.assertIn(text, run.stderr)

    def test_run_directory_too_long_for_sockets_is_refused(self):
        run = subprocess.run([CHATD, "-d", self.path("x" * 100)],
                             stderr=subprocess.PIPE, timeout=PATIENCE_S)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"too many for sockets", run.stderr)

    def test_check_calls_the_checker(self):
        run = subprocess.run([CHATD, "check", "somewhere"],
                             stdout=subprocess.PIPE, timeout=PATIENCE_S)
        self.assertEqual((run.returncode, run.stdout),
                         (2, b"checks somewhere\n"))

    # Settings and signals

    def test_settings_file_goes_before_options(self):
        self.write_settings(7, 3, "leveldb:/nowhere")
        pool = self.start("-s", "memory:", workers=1)
        self.wait_serving(pool, 3)
        self.wait_log(r"store \[info\] start 1, generation 7, 3 workers, "
                      r"store leveldb:/nowhere")

    def test_malformed_settings_are_refused(self):
        with open(self.path("settings"), "w") as f:
            f.write("generation 1\nworkers many\nstore leveldb:/x\n")
        pool = self.start()
        _, text = pool.communicate(timeout=PATIENCE_S)
        self.assertEqual(pool.returncode, 1)
        self.assertIn(b'bad value of "workers"', text)

    def test_sighup_passes_new_settings_on(self):
        self.write_settings(7, 2, "leveldb:/a")
        pool = self.start_ready()
        self.write_settings(8, 4, "leveldb:/a")
        pool.send_signal(signal.SIGHUP)
        self.wait_log(r"told of generation 8", 3)
        self.wait_log("take effect when the pool is started again")
        os.kill(children(pool.pid)["chatd: store"], signal.SIGKILL)
        self.wait_log(r"start 2, generation 8, 2 workers, store leveldb:/a")

    def test_older_settings_are_ignored(self):
        self.write_settings(7, 2, "leveldb:/a")
        pool = self.start_ready()
        self.write_settings(6, 2, "leveldb:/a")
        pool.send_signal(signal.SIGHUP)
        self.wait_log("generation 6 are older than 7")
        self.assertNotIn("told of generation", self.log())

    def test_two_contents_of_one_generation_are_an_error(self):
        self.write_settings(7, 2, "leveldb:/a")
        pool = self.start_ready()
        self.write_settings(7, 2, "leveldb:/b")
        pool.send_signal(signal.SIGHUP)
        self.wait_log(r"\[error\] settings of generation 7 exist with two")

    def test_role_can_ask_for_the_settings(self):
        self.write_settings(7, 2, "leveldb:/a")
        self.start_ready()
        self.write_settings(9, 2, "leveldb:/a")
        self.connect("worker-1.sock").send(b"s")
        self.wait_log(r"told of generation 9", 3)

    def test_sigusr1_reopens_every_log(self):
        pool = self.start_ready()
        os.rename(self.path("chatd.log"), self.path("old.log"))
        pool.send_signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(self.path("chatd.log")), "a new log")
        # the line comes from the worker, its copy from worker 0
        def warned():
            self.connect("worker-1.sock").send(b"w")
            return re.search(r"worker 1 \[warn\] warned", self.log())
        wait_for(warned, "a line in the new log")
        self.wait_log(r"worker 0 \[info\] carries 2: warned")

    def test_sigint_on_the_group_is_one_orderly_end(self):
        pool = subprocess.Popen([CHATD, "-d", self.dir, "-n", "2"],
                                stderr=subprocess.PIPE,
                                start_new_session=True)
        self.pools.append(pool)
        self.wait_serving(pool)
        os.killpg(pool.pid, signal.SIGINT)
        self.assertEqual(pool.wait(PATIENCE_S), 0)
        self.assertEqual(self.log().count("ended in good order"), 3)
        self.assertNotIn("started again", self.log())


if __name__ == "__main__":
    unittest.main()
