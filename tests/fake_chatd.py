#!/usr/bin/python3
"""A chatd worker pool that does what the tests of the nginx module tell it.

It listens on RUN_DIR/worker-N.sock and speaks the wire of chat_wire.md, but
stores nothing.  A request is answered with what was received:

    {"jsonrpc":"2.0","id":ID,"result":{"worker":0,"request":7,"replays":0,...}}

unless its method is one of Session.COMMANDS ("fake.die", "fake.push", ...),
which each say below what they do.  Options change how links and sessions are
met.  It takes chatd's own -d and -e, holds its lock and writes its pid file,
so that it may stand in as the `chat_program` too.
"""

import argparse
import asyncio
import fcntl
import json
import os
import signal
import struct
import sys
import time

HEADER = struct.Struct("<IBBHQ")
MAGIC, VERSION = 0x54414843, 1
FRAME_MAX = 32 << 20
RESOURCE = 8    # flag of a CALL and its REPLY

(HELLO, OPEN, READY, REFUSE, REQUEST, CALL, REPLY, PUSH, PAGE, CREDIT, CLOSED,
 END, VERIFY, VERIFIED, NOTICE, STATS, RENEWED) = range(1, 18)
NAMES = ("", "HELLO", "OPEN", "READY", "REFUSE", "REQUEST", "CALL", "REPLY",
         "PUSH", "PAGE", "CREDIT", "CLOSED", "END", "VERIFY", "VERIFIED",
         "NOTICE", "STATS", "RENEWED")

DRAINED = 22
LARGE = 0x80

RESUMED, AFTER, REFUSE_UNKNOWN = 1, 2, 4
ROLE_NGINX, ROLE_WORKER = 1, 2


def string(data):
    if isinstance(data, str):
        data = data.encode()
    return struct.pack("<I", len(data)) + data


def frame(kind, ident=0, payload=b"", flags=0):
    return HEADER.pack(HEADER.size + len(payload), kind, flags, 0,
                       ident) + payload


class Reader:
    """Takes a payload apart; a short one raises struct.error."""

    def __init__(self, data):
        self.data = data
        self.pos = 0

    def get(self, fmt):
        values = struct.unpack_from("<" + fmt, self.data, self.pos)
        self.pos += struct.calcsize("<" + fmt)
        return values[0] if len(values) == 1 else values

    def string(self):
        size = self.get("I")
        data = self.data[self.pos:self.pos + size]
        if len(data) < size:
            raise struct.error("string beyond the frame")
        self.pos += size
        return data

    def rest(self):
        data = self.data[self.pos:]
        self.pos = len(self.data)
        return data

    def identity(self):
        names = ("user", "device", "jti")
        ident = {name: self.string().decode() for name in names}
        ident["issued_at"], ident["expires_at"] = self.get("QQ")
        return ident

    def limits(self):
        return dict(zip(("heartbeat", "message_max", "rate", "burst"),
                        self.get("IIII")))


class Session:
    """One connection of an nginx; the commands that act on one."""

    def __init__(self, link, handle, ident, inbox_id):
        self.link = link
        self.handle = handle
        self.ident = ident
        self.inbox_id = inbox_id

    def next_id(self):
        self.inbox_id += 1
        return self.inbox_id

    # Each command gets the call and returns its result, or None when it has
    # answered itself or does not want to.

    def die(self, call):
        """Ends the process; with `times`, only while replayed fewer times."""
        if call.replays >= call.params.get("times", 1 << 30):
            return {"survived": call.replays}
        self.link.worker.log("dies", replays=call.replays)
        os._exit(1)

    def drop(self, call):
        """Closes the link; `times` as above."""
        if call.replays >= call.params.get("times", 1 << 30):
            return {"survived": call.replays}
        self.link.close()
        return None

    def hold(self, call):
        """Is not answered before fake.release."""
        self.link.worker.held.append(call)

    def release(self, call):
        """Answers what is held, the latest first."""
        held, self.link.worker.held = self.link.worker.held, []
        for other in reversed(held):
            other.reply({"held": True})
        return {"released": len(held)}

    def push(self, call):
        """`n` events of `size` bytes, to everybody with `all`; `live`: without
        an inbox id; `skip`: leaves a gap of so many ids first."""
        params = call.params
        worker = self.link.worker
        targets = worker.sessions() if params.get("all") else [self]
        tail = ',"text":"%s"}}' % ("x" * params.get("size", 1))

        for session in targets:
            session.inbox_id += params.get("skip", 0)

        for _ in range(params.get("n", 1)):
            by_link = {}
            for session in targets:
                ids = 0 if params.get("live") else session.next_id()
                by_link.setdefault(session.link, []).append(
                    struct.pack("<QQ", session.handle, ids))
            for link, pairs in by_link.items():
                head = '{"jsonrpc":"2.0","method":"fake.event","params":{'
                head += '"live":true' if params.get("live") else '"inbox_id":'
                link.send(frame(PUSH, 0, string(head) + string(tail)
                                + struct.pack("<I", len(pairs))
                                + b"".join(pairs)))
        return {"pushed": len(targets)}

    def page(self, call):
        """A page of `n` events from the cursor `from` on."""
        first = call.params.get("from", self.inbox_id + 1)
        entries = b""
        count = call.params.get("n", 1)
        for inbox_id in range(first, first + count):
            text = json.dumps({"jsonrpc": "2.0", "method": "fake.event",
                               "params": {"inbox_id": inbox_id,
                                          "paged": True}})
            entries += struct.pack("<Q", inbox_id) + string(text)
        self.inbox_id = max(self.inbox_id, first + count - 1)
        self.link.send(frame(PAGE, self.handle,
                             struct.pack("<I", count) + entries))
        return {"paged": count}

    def sequence(self, call):
        """A reply in the sequence; `event`: and the push of the same id."""
        call.reply({"inbox_id": self.inbox_id + 1}, inbox_id=self.next_id())

    def end(self, call):
        """Closes the connection with `code` and `reason`."""
        self.link.send(frame(END, self.handle, struct.pack(
            "<H", call.params.get("code", 4000))
            + string(call.params.get("reason", "fake"))))
        return {}

    def verify(self, call):
        """Has nginx verify `token`; the result is what it said."""
        number = call.number
        self.link.verifying[number] = call
        self.link.send(frame(VERIFY, number, struct.pack("<Q", self.handle)
                             + string(call.params.get("token", ""))))

    def renewed(self, call):
        """The connection goes on under the token with `jti` until `exp`."""
        self.link.send(frame(RENEWED, self.handle, string(
            call.params.get("jti", "")) + struct.pack(
                "<QQ", call.params.get("iat", 0), call.params["exp"])))
        return {}

    def stale(self, call):
        """Frames for handles that nobody has, or has any more."""
        text = string("x")
        for handle in (0, 1 << 63, (1 << 64) - 1, self.handle ^ (1 << 40),
                       self.handle + 1000000):
            pair = struct.pack("<QQ", handle, 1)
            self.link.send(
                frame(PUSH, 0, text + text + struct.pack("<I", 1) + pair)
                + frame(PAGE, handle, struct.pack("<IQ", 1, 1) + text)
                + frame(READY, handle, struct.pack("<Q", 1) + text + b"{}")
                + frame(REFUSE, handle, struct.pack("<HI", 503, 0) + text * 2)
                + frame(END, handle, struct.pack("<H", 1008) + text)
                + frame(VERIFY, 9, struct.pack("<Q", handle) + text)
                + frame(RENEWED, handle, text + struct.pack("<QQ", 1, 2))
                + frame(REPLY, (1 << 40) + handle % 97,
                        struct.pack("<QQ", handle, 0) + b"{}"))
        return {}

    def garbage(self, call):
        """Bytes no worker should send: `kind` as in the table."""
        text = string("x")
        self.link.send({
            "bytes": b"\xff" * 64,
            "short": HEADER.pack(3, PUSH, 0, 0, 0),
            "long": HEADER.pack(FRAME_MAX + 1, PUSH, 0, 0, 0),
            "type": frame(200),
            "role": frame(OPEN, 1),
            "hello": frame(HELLO, 0, b"hello"),
            "push": frame(PUSH, 0, text + text + struct.pack("<I", 1 << 31)),
            "head": frame(PUSH, 0, string("h" * 101) + text
                          + struct.pack("<I", 0)),
            "page": frame(PAGE, self.handle, struct.pack("<I", 7) + b"\1"),
            "reply": frame(REPLY, call.number, b"1234"),
            "ready": frame(READY, self.handle, b"1"),
            "refuse": frame(REFUSE, self.handle, struct.pack("<HI", 200, 0)
                            + text + text),
            "end": frame(END, self.handle, struct.pack("<H", 7) + text),
            "verify": frame(VERIFY, 1, b""),
            "notice": frame(NOTICE, 0, b"\x09text"),
            "stats": frame(STATS, 0, struct.pack("<HI", 0, 99)),
            "renewed": frame(RENEWED, self.handle, string("j" * 256)
                             + struct.pack("<QQ", 1, 2)),
            "token": frame(REPLY, call.number,
                           struct.pack("<QQHII", self.handle, 0, 200, 0, 0)
                           + text, flags=0x09),
        }[call.params["kind"]])
        return {} if call.params.get("answer") else None

    def big(self, call):
        """An answer of `size` bytes; `pieces`: written bit by bit; `large`:
        nginx is to tell when it is written."""
        call.reply({"text": "b" * call.params["size"]},
                   pieces=call.params.get("pieces", 0),
                   flags=LARGE if call.params.get("large") else 0)

    def notice(self, call):
        """A line for nginx's error log."""
        self.link.send(frame(NOTICE, 0, struct.pack(
            "<B", call.params.get("level", 3))
            + call.params.get("text", "fake").encode()))
        return {}

    def stats(self, call):
        """Counters of `source`, each `value` and its place."""
        value = call.params.get("value", 1000)
        n = call.params.get("n", 17)
        self.link.send(frame(STATS, 0, struct.pack(
            "<HI%dQ" % n, call.params.get("source", 1), n,
            *(value + i for i in range(n)))))
        return {}

    def sleep(self, call):
        """Stops everything, reading too, for `ms`."""
        time.sleep(call.params.get("ms", 100) / 1000)
        return {}

    def silent(self, call):
        """Is answered with nothing, as a notification."""
        call.answer(b"")

    def refuse(self, call):
        """A CALL is refused with `status`, `reason`, `retry_after`."""
        params = call.params
        self.link.send(frame(REFUSE, call.number, struct.pack(
            "<HI", params.get("status", 429), params.get("retry_after", 0))
            + string(params.get("reason", "fake"))
            + string(params.get("detail", "as \"told\"\n"))))

    def wordless(self, call):
        """A resource is answered with `status` and no text: there was no memory."""
        self.link.send(frame(REPLY, call.number, struct.pack(
            "<QQHI", 0, 0, call.params["status"], 0) + string(""), RESOURCE))

    def who(self, call):
        """The sessions of this worker."""
        return {"sessions": sorted(s.ident["user"] + "/" + s.ident["device"]
                                   for s in self.link.worker.sessions())}

    COMMANDS = {"fake." + f.__name__: f for f in (
        die, drop, hold, release, push, page, sequence, end, verify, renewed,
        stale, garbage, big, notice, stats, sleep, silent, refuse, wordless, who)}


class Call:
    """A REQUEST or CALL that wants one answer."""

    def __init__(self, link, number, replays, handle, text):
        self.link = link
        self.number = number
        self.replays = replays
        self.handle = handle
        self.text = text
        try:
            self.body = json.loads(text)
        except ValueError:
            self.body = None
        if not isinstance(self.body, dict):
            self.body = {}
        params = self.body.get("params")
        self.params = params if isinstance(params, dict) else {}

    def run(self, session):
        command = Session.COMMANDS.get(self.body.get("method"))
        if command is None:
            self.reply({"worker": self.link.worker.index,
                        "request": self.number, "replays": self.replays,
                        "user": session.ident["user"],
                        "device": session.ident["device"],
                        "size": len(self.text), "params": self.params})
            return
        result = command(session, self)
        if result is not None:
            self.reply(result)

    def reply(self, result, inbox_id=0, pieces=0, flags=0):
        self.answer(json.dumps({"jsonrpc": "2.0", "id": self.body.get("id"),
                                "result": result}).encode(), inbox_id, pieces,
                    flags)

    def answer(self, text, inbox_id=0, pieces=0, flags=0):
        data = frame(REPLY, self.number,
                     struct.pack("<QQ", self.handle, inbox_id) + text, flags)
        if pieces:
            asyncio.ensure_future(self.link.send_slowly(data, pieces))
        else:
            self.link.send(data)


class Link:
    def __init__(self, worker, reader, writer):
        self.worker = worker
        self.reader = reader
        self.writer = writer
        self.sessions = {}
        self.verifying = {}
        self.index = -1

    def send(self, data):
        if not self.writer.is_closing():
            self.writer.write(data)

    async def send_slowly(self, data, pieces):
        step = max(1, len(data) // pieces)
        for pos in range(0, len(data), step):
            self.send(data[pos:pos + step])
            await asyncio.sleep(0.005)

    def close(self):
        self.writer.close()

    async def run(self):
        try:
            while True:
                head = await self.reader.readexactly(HEADER.size)
                length, kind, flags, replays, ident = HEADER.unpack(head)
                payload = await self.reader.readexactly(length - HEADER.size)
                self.receive(kind, flags, replays, ident, Reader(payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:          # a test must see it
            self.worker.log("error", error=repr(error))
            raise
        finally:
            self.worker.links.discard(self)
            self.worker.log("closed", nginx=self.index)
            self.close()

    def receive(self, kind, flags, replays, ident, r):
        handler = {HELLO: self.on_hello, OPEN: self.on_open,
                   REQUEST: self.on_request, CALL: self.on_call,
                   CREDIT: self.on_credit, CLOSED: self.on_closed,
                   VERIFIED: self.on_verified,
                   DRAINED: self.on_drained}.get(kind)
        if handler is None:
            raise ValueError("frame %d from nginx" % kind)
        if self.index == -1 and kind != HELLO:
            raise ValueError("%s before HELLO" % NAMES[kind])
        handler(ident, flags, replays, r)

    def on_hello(self, ident, flags, replays, r):
        worker = self.worker
        magic, version, role, pid, instance, generation, settings_hash, \
            n_workers, index, sequence = r.get("IHHIQQIHHQ")
        error = r.string()
        if (magic, version, role, n_workers, error) != (
                MAGIC, VERSION, ROLE_NGINX, 0, b"") or self.index != -1:
            raise ValueError("bad HELLO")
        self.index = index
        worker.log("HELLO", pid=pid, instance=instance, index=index,
                   generation=generation, hash=settings_hash)
        if worker.options.mute:
            return
        refusal = worker.options.refuse_hello.encode()
        self.send(frame(HELLO, 0, struct.pack(
            "<IHHIQQIHHQ", MAGIC, worker.options.version, ROLE_WORKER,
            os.getpid(), worker.instance, generation, settings_hash,
            worker.options.workers, worker.index, 0) + string(refusal)))
        if refusal:
            self.close()

    def on_open(self, handle, flags, replays, r):
        worker = self.worker
        session_ident = r.identity()
        limits = r.limits()
        after = r.get("Q")
        address = r.string().decode()
        if handle in self.sessions:
            raise ValueError("OPEN of an open session")
        worker.log("OPEN", handle=handle, flags=flags, after=after,
                   address=address, limits=limits, **session_ident)

        if worker.options.refuse_open:
            status, reason, retry = (worker.options.refuse_open
                                     + "::").split(":")[:3]
            self.send(frame(REFUSE, handle, struct.pack(
                "<HI", int(status), int(retry or 0)) + string(reason)
                + string("refused by the fake worker")))
            return

        session_ident["device"] = session_ident["device"] or "fake-device"
        session = Session(self, handle, session_ident,
                          after if flags & AFTER else 0)
        self.sessions[handle] = session
        if worker.options.no_ready:
            return
        if worker.options.open_delay:
            asyncio.get_running_loop().call_later(
                worker.options.open_delay / 1000, self.ready, session,
                flags & RESUMED)
        else:
            self.ready(session, flags & RESUMED)

    def ready(self, session, resumed):
        if session.handle not in self.sessions:
            return
        method = "session.resumed" if resumed else "session.ready"
        params = {} if resumed else {"user": session.ident["user"],
                                     "device": session.ident["device"],
                                     "worker": self.worker.index,
                                     "inbox_id": session.inbox_id}
        self.send(frame(READY, session.handle,
                        struct.pack("<Q", session.inbox_id)
                        + string(session.ident["device"])
                        + json.dumps({"jsonrpc": "2.0", "method": method,
                                      "params": params}).encode()))

    def on_request(self, number, flags, replays, r):
        handle = r.get("Q")
        text = r.rest()
        self.worker.log("REQUEST", request=number, replays=replays,
                        handle=handle, text=text[:200].decode("utf-8",
                                                              "replace"))
        session = self.sessions.get(handle)
        if session is None:
            raise ValueError("REQUEST of no session")
        self.take(Call(self, number, replays, handle, text), session)

    def on_call(self, number, flags, replays, r):
        ident = r.identity()
        limits = r.limits()
        if flags & RESOURCE:
            for _ in ("method", "path", "args", "Last-Event-ID"):
                r.string()
        text = r.rest()
        self.worker.log("CALL", request=number, replays=replays,
                        flags=flags, limits=limits,
                        text=text[:200].decode("utf-8", "replace"), **ident)
        self.take(Call(self, number, replays, 0, text),
                  Session(self, 0, ident, 0))

    def take(self, call, session):
        if self.worker.options.hold:
            self.worker.held.append(call)
        else:
            call.run(session)

    def on_drained(self, handle, flags, replays, r):
        self.worker.log("DRAINED", handle=handle, n=r.get("I"))

    def on_credit(self, handle, flags, replays, r):
        self.worker.log("CREDIT", handle=handle, inbox_id=r.get("Q"))

    def on_closed(self, handle, flags, replays, r):
        self.worker.log("CLOSED", handle=handle,
                        known=handle in self.sessions)
        self.sessions.pop(handle, None)

    def on_verified(self, number, flags, replays, r):
        handle, status = r.get("QH")
        ident = r.identity()
        self.worker.log("VERIFIED", handle=handle, status=status, **ident)
        call = self.verifying.pop(number, None)
        if call is not None:
            call.reply({"status": status, "user": ident["user"],
                        "expires_at": ident["expires_at"]})


class Worker:
    def __init__(self, options, index):
        self.options = options
        self.index = index
        self.instance = int.from_bytes(os.urandom(8), "little")
        self.links = set()
        self.held = []

    def sessions(self):
        return [s for link in self.links for s in link.sessions.values()]

    def log(self, event, **fields):
        if self.options.log is not None:
            fields.update(event=event, worker=self.index, time=time.time())
            self.options.log.write(json.dumps(fields) + "\n")
            self.options.log.flush()

    async def accept(self, reader, writer):
        link = Link(self, reader, writer)
        self.links.add(link)
        self.options.used = True
        await link.run()

    async def listen(self):
        path = os.path.join(self.options.dir, "worker-%d.sock" % self.index)
        if os.path.exists(path):
            os.unlink(path)
        await asyncio.start_unix_server(self.accept, path, limit=FRAME_MAX)
        self.log("listens")


async def serve(options):
    while options.after and not os.path.exists(options.after):
        await asyncio.sleep(0.01)
    workers = [Worker(options, i) for i in range(options.workers)
               if not options.index or i in options.index]
    for worker in workers:
        await worker.listen()

    idle = 0.0
    while True:
        await asyncio.sleep(0.1)
        linked = any(worker.links for worker in workers)
        idle = 0.0 if linked or not options.used else idle + 0.1
        if options.end and idle >= options.end:
            return


def settings_workers(path):
    try:
        with open(os.path.join(path, "settings")) as lines:
            for line in lines:
                if line.startswith("workers "):
                    return int(line.split()[1]) or 1
    except OSError:
        pass
    return 1


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("-d", dest="dir", required=True, help="run directory")
    add("-n", dest="workers", type=int, default=0, help="workers")
    add("-e", dest="end", type=float, default=0,
        help="end so many seconds after the last link closed")
    add("-i", dest="index", type=int, action="append", default=[],
        help="listen for this worker only")
    add("--log", help="a JSON line for each frame from nginx")
    add("--respawn", action="store_true", help="start again after fake.die")
    add("--lock", action="store_true", help="hold RUN_DIR/lock as chatd does")
    add("--version", type=int, default=VERSION, help="of the wire")
    add("--mute", action="store_true", help="say no HELLO")
    add("--refuse-hello", default="", metavar="TEXT")
    add("--refuse-open", default="", metavar="STATUS:REASON[:RETRY_AFTER]")
    add("--after", metavar="FILE", help="listen once it is there")
    add("--no-ready", action="store_true", help="answer no OPEN")
    add("--open-delay", type=float, default=0, metavar="MS")
    add("--hold", action="store_true", help="answer no request")
    return parser.parse_args(os.environ.get("FAKE_CHATD", "").split()
                             + sys.argv[1:])


def supervise():
    """The parent's part: a child that ends is forked again."""

    def stop(signo, _):
        os.kill(child, signal.SIGTERM)
        os._exit(0)

    while True:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            return
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            os._exit(0)
        time.sleep(0.05)


def main():
    options = parse()
    options.workers = options.workers or settings_workers(options.dir)
    options.used = False

    if options.lock or options.end:
        # kept open as long as the process lives
        options.lock = open(os.path.join(options.dir, "lock"), "a+")
        try:
            fcntl.flock(options.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit("another pool runs in " + options.dir)
        with open(os.path.join(options.dir, "chatd.pid"), "w") as pid:
            print(os.getpid(), file=pid)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    if options.respawn:
        supervise()

    if options.log:
        options.log = open(options.log, "a")

    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
