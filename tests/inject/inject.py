#!/usr/bin/env python3
"""Every call into the system, the store's engine and ZeroMQ that a realm makes fails once, one run
after the other: nothing that was acknowledged is lost, nothing spins, and the realm goes on or ends
with an exit code and says why. Then it is started again and has everything."""

import argparse
import concurrent.futures
import contextlib
import copy
import errno
import json
import os
import queue
import shutil
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "box"))

# pylint: disable=wrong-import-position
from harness.failure import Failure, Mistake
from harness.realm import Realm, told
from harness.runner import count, end_on_sigterm, run_check
from harness.scratch import administer, asked, connected, scratch_place, whole_mailbox

# Who calls what, and the errors that may come of it. A `+` behind an error: from then on each call.
# LMDB answers with error codes of its own, below zero.
MDB_CORRUPTED, MDB_PANIC, MDB_MAP_FULL = -30796, -30795, -30792
CASES = [
    ("realmgate", "accept4", ["EMFILE", "EMFILE+", "ECONNABORTED", "ENOMEM"]),
    ("realmgate", "epoll_create1", ["EMFILE"]),
    ("realmgate", "epoll_ctl", ["ENOSPC", "ENOMEM"]),
    ("realmgate", "epoll_wait", ["EINTR"]),
    ("realmgate", "socket", ["EMFILE", "EMFILE+"]),
    ("realmgate", "bind", ["EADDRINUSE"]),
    ("realmgate", "listen", ["EADDRINUSE"]),
    ("realmgate", "eventfd", ["EMFILE"]),
    ("realmgate", "read", ["EINTR", "EAGAIN"]),
    ("realmgate", "recv", ["EINTR", "ECONNRESET"]),
    ("realmgate", "send", ["EINTR", "EPIPE", "EPIPE+"]),
    ("realmgate", "write", ["EAGAIN"]),
    ("realmgate", "fsync", ["EIO"]),
    ("realmgate", "pread", ["EINTR", "EIO"]),
    ("realmgate", "pwrite", ["EINTR", "ENOSPC", "EIO", "EIO+"]),
    ("realmgate", "fdatasync", ["EIO", "ENOSPC"]),
    ("realmgate", "open", ["EMFILE", "EIO"]),
    ("realmgate", "openat", ["EMFILE", "EIO"]),
    ("realmgate", "flock", ["EIO", "EWOULDBLOCK"]),
    ("realmgate", "posix_fallocate", ["ENOSPC"]),
    ("realmgate", "pthread_create", ["EAGAIN"]),
    ("libsodium", "getrandom", ["EINTR", "ENOSYS"]),
    ("liblmdb", "open", ["EMFILE", "EACCES"]),
    ("liblmdb", "pread", ["EIO"]),
    ("liblmdb", "pwrite", ["ENOSPC", "EIO", "EIO+"]),
    ("liblmdb", "writev", ["EIO"]),
    ("liblmdb", "fdatasync", ["EIO", "ENOSPC"]),
    ("liblmdb", "mmap", ["ENOMEM"]),
    ("realmgate", "mdb_env_open", ["EIO", "EACCES"]),
    ("realmgate", "mdb_txn_begin", ["ENOMEM"]),
    ("realmgate", "mdb_txn_renew", ["EIO"]),
    ("realmgate", "mdb_dbi_open", [MDB_CORRUPTED]),
    ("realmgate", "mdb_put", ["EIO", MDB_MAP_FULL, MDB_CORRUPTED]),
    ("realmgate", "mdb_get", ["EIO"]),
    ("realmgate", "mdb_del", ["EIO"]),
    ("realmgate", "mdb_cursor_open", ["ENOMEM"]),
    ("realmgate", "mdb_cursor_get", ["EIO", MDB_CORRUPTED]),
    ("realmgate", "mdb_txn_commit", ["EIO", "ENOSPC", MDB_PANIC]),
    ("realmgate", "zmq_poll", ["EINTR"]),
    ("realmgate", "zmq_msg_recv", ["EINTR"]),
    ("libzmq", "accept4", ["EMFILE", "ECONNABORTED"]),
    ("libzmq", "recv", ["ECONNRESET", "EINTR"]),
    ("libzmq", "send", ["EPIPE", "EINTR"]),
    # Between our own threads nothing fails but by a bug: the process aborts.
    ("realmgate", "zmq_bind", ["EADDRINUSE"]),
    ("realmgate", "zmq_connect", ["EINVAL"]),
    ("realmgate", "zmq_msg_send", ["EAGAIN"]),
    # Without memory too, before anything of the batch is committed.
    ("realmgate", "zmq_socket", ["EMFILE"]),
    ("realmgate", "zmq_setsockopt", ["EINVAL"]),
    ("realmgate", "zmq_msg_init_size", ["ENOMEM"]),
    ("realmgate", "zmq_msg_init_data", ["ENOMEM"]),
    ("realmgate", "malloc", ["ENOMEM"]),
    ("realmgate", "calloc", ["ENOMEM"]),
    ("realmgate", "realloc", ["ENOMEM"]),
    ("liblmdb", "malloc", ["ENOMEM"]),
    ("liblmdb", "calloc", ["ENOMEM"]),
]
# The same for the first start in an empty directory: keys, name and store are made.
BIRTH_CASES = [
    ("realmgate", "fsync", ["EIO"]),
    ("realmgate", "pwrite", ["ENOSPC", "EIO"]),
    ("realmgate", "renameat", ["EIO"]),
    ("realmgate", "write", ["ENOSPC"]),
    ("realmgate", "posix_fallocate", ["ENOSPC"]),
    ("realmgate", "mdb_put", ["EIO", MDB_MAP_FULL]),
    ("realmgate", "mdb_txn_commit", ["EIO", "ENOSPC"]),
    ("liblmdb", "pwrite", ["ENOSPC", "EIO"]),
    ("liblmdb", "fdatasync", ["EIO"]),
]
# Where nothing sensible can be done the process may abort; base/memory.h says so, and libsodium does
# where it has no random numbers any more.
MAY_ABORT = {"getrandom", "malloc", "calloc", "realloc", "zmq_msg_init_size", "zmq_msg_init_data", "zmq_socket",
             "zmq_setsockopt", "zmq_bind", "zmq_connect", "zmq_msg_send"}
# The library does not count allocations: these calls of each are tried.
MEMORY_CALLS = (1, 2, 5, 20, 60, 100, 200)

ROUNDS = 3
RECOVERS_S = 6
STOPS_S = 8
WATCH_S = 0.2
CPU_SHARE_MAX = 0.6


class Victim(Realm):
    """The realm whose calls fail; it may end by itself, and may not come to be at all."""

    code = None

    def ending(self):
        self.code = self.wait(STOPS_S)
        self.forget()
        return "no end" if self.code is None else told(self.code)

    def try_start(self):
        """True if it serves; otherwise self.code is how it ended."""
        self.code = None
        try:
            self.start()
        except Failure:
            if self.process is not None:
                raise
            return False
        return True

    def has_ended(self):
        if self.process is not None and self.process.poll() is not None:
            self.code = self.process.returncode
            self.forget()
        return self.process is None

    def terminate(self):
        """SIGTERM and the end, within its bound."""
        if self.has_ended():
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.wait(STOPS_S)
        if code is None:
            raise Failure(f"still runs {STOPS_S} s after SIGTERM")
        self.code = code
        self.forget()

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Said:
    """What was said in one run, by mailbox, and what of it was acknowledged."""

    def __init__(self, run):
        self.run = run
        self.sent = {"bob": [], "tim": [], "carol": []}
        self.acknowledged = {"bob": [], "tim": [], "carol": []}
        self.heard = set()

    def say(self, connection, box, request):
        text = f"run {self.run} {box} {len(self.sent[box])}"
        self.sent[box].append(text)
        asked(connection, f"{request} {text}")
        self.acknowledged[box].append(text)

    def listen(self, connection):
        """What a listener was told by now."""
        while connection.wait_readable(time.monotonic() + 0.001) and connection.ended is None:
            continue
        while (frame := connection.buffered_frame()) is not None:
            event = json.loads(frame)
            if event.get("event") == "message":
                self.heard.add(event["data"]["message"])

    def compare_heard(self, messages):
        """What listeners were told of is there."""
        lost = self.heard - {message["message"] for message in messages}
        if lost:
            raise Failure(f"told to a listener, and not there: {lost}")

    def compare(self, box, messages):
        """Every acknowledged message once and in order, of the others none twice."""
        there = [message["message"] for message in messages
                 if message["message"] in self.sent[box]]
        if len(there) != len(set(there)):
            raise Failure(f"{box}: a message is there twice: {there}")
        kept = [text for text in there if text in self.acknowledged[box]]
        if kept != self.acknowledged[box]:
            raise Failure(f"{box}: acknowledged and there are not the same",
                          f"acknowledged  {self.acknowledged[box]}", f"there         {there}")
        if there != [text for text in self.sent[box] if text in there]:
            raise Failure(f"{box}: out of order: {there}")


class Lab:
    """Realm a, linked to b, with users and a group: the same at the beginning of each run."""

    def __init__(self, place, library):
        self.library = library
        self.plain = place
        self.a = Victim(place, "a")
        self.b = place.add(Realm(place, "b"))
        self.runs = 0
        self.a.start()
        self.b.start()
        administer(self.a, "ADDUSER alice rahasia", "ADDUSER bob rahasia",
                   f"TRUSTREALM b {self.b.key()}")
        administer(self.b, "ADDUSER carol rahasia", f"TRUSTREALM a {self.a.key()}")
        administer(self.a, f"ADDREALM b 127.0.0.1 {self.b.federation[1]}")
        self.alice = self.token(self.a, "alice", "ADDGROUP tim kunci")
        self.bob = self.token(self.a, "bob", "JOINGROUP tim kunci")
        self.carol = self.token(self.b, "carol")
        self.a.stop()
        self.template = os.path.join(place.scratch, "template")
        self.nothing = os.path.join(place.scratch, "nothing")
        os.mkdir(self.nothing)
        shutil.copytree(self.a.data, self.template, ignore=shutil.ignore_patterns("*-lock"))
        self.totals = self.count_calls(self.template)
        self.birth_totals = self.count_calls(self.nothing)

    @staticmethod
    def token(realm, user, *requests):
        connection = connected(realm)
        token = asked(connection, f"AUTH {user} rahasia")["data"]
        for request in requests:
            asked(connection, request)
        connection.close()
        return token

    def renew(self, template, **environment):
        """Realm a as it was at the beginning, with a log of its own."""
        self.runs += 1
        shutil.rmtree(self.a.data)
        shutil.copytree(template, self.a.data)
        self.a.known_key = None
        self.a.log_path = os.path.join(self.plain.scratch, f"log-a-{self.runs}")
        self.a.place = copy.copy(self.plain)
        self.a.place.patience_s = 3 * self.plain.slow
        self.a.place.environment = {**self.plain.environment, "LD_PRELOAD": self.library,
                                    **environment}

    def wait_for_link(self):
        """Both ways: b has dialled back."""
        deadline = time.monotonic() + self.plain.patience_s
        while json.loads(self.b.admin("CHECKREALM"))["data"][0]["state"] != "up":
            if time.monotonic() > deadline:
                raise Failure("b does not link itself to a again")
            time.sleep(0.02)

    def count_calls(self, template):
        path = os.path.join(self.plain.scratch, "counts")
        self.renew(template, INJECT_COUNTS=path)
        if not self.a.try_start():
            raise Failure("does not start with the library", *self.a.log_lines()[-5:])
        if template == self.template:
            self.wait_for_link()
            talk(self, Said(0))
        self.a.terminate()
        totals = {}
        with open(path, encoding="ascii") as lines:
            for caller, function, calls in map(str.split, lines):
                totals[caller, function] = int(calls)
        return totals


def forgiving(action, *arguments):
    """What a client sees of a failure is an error or the end of its connection."""
    try:
        action(*arguments)
    except (Failure, OSError):
        pass


def talk(lab, said):
    """A small conversation of everything that touches the store, the sockets and the peer."""
    for _ in range(ROUNDS):
        forgiving(talk_once, lab, said)
    forgiving(log_in, lab)


def talk_once(lab, said):
    connection, ears = connected(lab.a), connected(lab.a)
    try:
        asked(ears, f"RESUME {lab.bob}")
        asked(ears, "LISTEN")
        asked(connection, f"RESUME {lab.alice}")
        said.say(connection, "bob", "SEND bob")
        said.say(connection, "tim", "SENDGROUP tim")
        said.say(connection, "carol", "SENDREALM b carol")
        asked(connection, "INBOXREALM b")
        asked(connection, f"CHECKMESSAGE a:{lab.runs}")
    finally:
        said.listen(ears)
        connection.close()
        ears.close()


def log_in(lab):
    connection = connected(lab.a)
    try:
        asked(connection, "AUTH bob rahasia")
        asked(connection, "INBOX")
        asked(connection, "INBOXGROUP tim LIMIT 1")
        asked(connection, "CHECKREALM")
        asked(connection, "LOGOUT")
    finally:
        connection.close()


def recovers(lab, said):
    """True once a client is served again, False once the process has ended."""
    deadline = time.monotonic() + RECOVERS_S * lab.plain.slow
    while not lab.a.has_ended():
        try:
            connection = connected(lab.a)
            asked(connection, f"RESUME {lab.alice}")
            said.say(connection, "bob", "SEND bob")
            connection.close()
            return True
        except Failure as failure:
            if time.monotonic() > deadline:
                raise Failure(f"serves nobody any more, and does not end: {failure}") from None
    return False


def watch(lab):
    """A realm that nobody asks for anything uses little of the processor, even with somebody
    waiting to be let in. Time has to pass to see that: there is no event to wait for."""
    with socket.socket() as waiting:
        waiting.setblocking(False)
        waiting.connect_ex(lab.a.clients)
        before_s, began = lab.a.cpu_s(), time.monotonic()
        time.sleep(WATCH_S * lab.plain.slow)
        if lab.a.has_ended():
            return
        share = (lab.a.cpu_s() - before_s) / (time.monotonic() - began)
        if share > CPU_SHARE_MAX:
            raise Failure(f"spins: {share:.0%} of a processor while nothing happens")


def judge_end(lab, function):
    """How the process ended: cleanly, or with exit code 1 and a reason."""
    code = lab.a.code
    if code == 0:
        return
    words = [line for line in lab.a.log_lines() if line.strip()]
    if code == -signal.SIGABRT and function in MAY_ABORT:
        return
    # A data directory that cannot be opened is the fault of who named it.
    if code != 1 and not (code == 2 and function in ("open", "openat")):
        raise Failure(f"{told(code)}")
    if not words:
        raise Failure(f"{told(code)} without a word")


def verify(lab, said):
    """Started again, without anything that fails: what was acknowledged is there."""
    lab.a.place = lab.plain
    lab.a.start()
    connection = connected(lab.a)
    asked(connection, f"RESUME {lab.bob}")
    private, group = whole_mailbox(connection, "INBOX"), whole_mailbox(connection, "INBOXGROUP tim")
    said.compare("bob", private)
    said.compare("tim", group)
    said.compare_heard(private + group)
    connection.close()
    verify_remote(lab, said)
    lab.a.stop()


def verify_remote(lab, said):
    deadline = time.monotonic() + 15 * lab.plain.slow
    while True:
        connection = connected(lab.b)
        asked(connection, f"RESUME {lab.carol}")
        messages = whole_mailbox(connection, "INBOXREALM a")
        connection.close()
        try:
            said.compare("carol", messages)
            return
        except Failure:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def numbered(error):
    """The errno of a case, and its `+` if it has one."""
    if not isinstance(error, str):
        return error, ""
    return getattr(errno, error.rstrip("+")), "+" if error.endswith("+") else ""


def run(lab, caller, function, call, error):
    """One life of realm a in which one call fails."""
    number, onwards = numbered(error)
    lab.renew(lab.template, INJECT=f"{caller}:{function}:{call}{onwards}:{number}")
    if onwards:  # nobody is served for good: waiting long for it teaches nothing
        lab.a.place.patience_s = lab.plain.slow
    said = Said(lab.runs)
    if lab.a.try_start():
        talk(lab, said)
        if not onwards:
            recovers(lab, said)
        if not lab.a.has_ended():
            watch(lab)
        lab.a.terminate()
    judge_end(lab, function)
    verify(lab, said)


def run_birth(lab, caller, function, call, error):
    """A first start in which one call fails; the second one must find nothing in its way."""
    number, onwards = numbered(error)
    lab.renew(lab.nothing, INJECT=f"{caller}:{function}:{call}{onwards}:{number}")
    if lab.a.try_start():
        lab.a.terminate()
    judge_end(lab, function)
    lab.a.place = lab.plain
    lab.a.known_key = None
    lab.a.start()
    administer(lab.a, "ADDUSER alice rahasia")
    lab.a.stop()


def calls_of(total, thorough):
    """Which calls fail: the first ones, then fewer and fewer, and the last."""
    if thorough:
        return range(1, total + 1)
    return sorted({1, 2, total // 3, total * 2 // 3, total} - {0}) if total > 3 \
        else range(1, total + 1)


def check(lab, live, totals, case, thorough):
    """All errors of a case at some calls of its function, each in a life of its own."""
    caller, function, errors = case
    total = totals.get((caller, function), 0)
    is_memory = function in ("malloc", "calloc", "realloc")
    calls = MEMORY_CALLS if is_memory else list(calls_of(total, thorough))
    if not calls:
        raise Failure("is never called: take it off the list")
    lives = 0
    for error in errors:
        for call in calls:
            try:
                live(lab, caller, function, call, error)
            except (Failure, Mistake) as failure:
                details = getattr(failure, "details", [])
                lab.a.discard()
                raise Failure(f"{error} at call {call}: {failure}", *details, "log of realm a:",
                              *lab.a.log_lines()[-8:]) from None
            lives += 1
    return f"{lives} lives"


def jobs_of(options):
    """The cases that are asked for, each with its name and the kind of life it is tried in."""
    every = [("", run, case) for case in CASES] + [("birth: ", run_birth, case)
                                                   for case in BIRTH_CASES]
    return [(f"{kind}{case[0]} {case[1]}", live, case) for kind, live, case in every
            if options.filter in f"{kind}{case[1]}"
            and not (options.without and options.without in case[1])]


def run_job(job, labs, options):
    """One case, in the next lab that is free."""
    name, live, case = job
    lab = labs.get()
    totals = lab.totals if live is run else lab.birth_totals
    try:
        return run_check(name, lambda _: check(lab, live, totals, case, options.thorough), options)
    finally:
        labs.put(lab)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the realmgate program under test")
    parser.add_argument("--library", required=True, help="the library that lets calls fail")
    parser.add_argument("--slow", type=float, default=1.0, metavar="F")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="realms at a time")
    parser.add_argument("--thorough", action="store_true", help="every call of each function")
    parser.add_argument("--filter", default="", metavar="TEXT", help="only functions with TEXT")
    parser.add_argument("--without", metavar="TEXT", help="no functions with TEXT")
    options = parser.parse_args()
    end_on_sigterm()
    with contextlib.ExitStack() as stack:
        labs = queue.SimpleQueue()
        for _ in range(options.jobs):
            lab = Lab(stack.enter_context(scratch_place(options)), os.path.abspath(options.library))
            stack.callback(lab.a.discard)
            labs.put(lab)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            verdicts = list(pool.map(lambda job: run_job(job, labs, options), jobs_of(options)))
    return count(verdicts)


if __name__ == "__main__":
    sys.exit(main())
