#!/usr/bin/env python3
"""1,000 connections, of which 100 never read what they asked for and 100 send one byte a second:
the others must not notice."""
# box-program alone

import resource
import selectors
import socket
import sys
import time

from harness.connection import FRAME_END
from harness.failure import Failure
from harness.realm import Realm
from harness.runner import run_checks
from harness.scratch import administer, asked, connected, scratch_place

OTHERS = 800
NEVER_READ = 100
BYTE_A_SECOND = 100
CALM_S = 2
BURST_S = 2
STORM_S = 6
OUTSTANDING_MAX = 50
REQUESTS = (b"PING\n", b"SEND bob pesan di tengah badai\n")
FLOOD_PINGS = 20000
FLOOD_INBOXES = 500
GREEDY = 20
BURST_P99_MS_MAX = 500
P99_MS_MAX = 250


class Load:
    """The well-behaved: each asks, reads, and lets the next one ask; their waits are kept."""

    def __init__(self, connections):
        self.connections = connections
        self.next = 0
        self.asked_at = {}
        self.buffers = {one: b"" for one in connections}
        self.waits_s = []
        self.selector = selectors.DefaultSelector()
        for one in connections:
            self.selector.register(one, selectors.EVENT_READ)

    def ask_next(self):
        for _ in self.connections:
            one = self.connections[self.next % len(self.connections)]
            self.next += 1
            if one not in self.asked_at:
                turn = self.next // len(self.connections)
                self.asked_at[one] = time.monotonic()
                one.sendall(REQUESTS[turn % len(REQUESTS)])
                return

    def take(self, one):
        data = one.recv(1 << 16)
        if not data:
            raise Failure("a well-behaved connection was closed")
        self.buffers[one] += data
        if self.buffers[one].endswith(FRAME_END):
            if not self.buffers[one].startswith(b'{"status":"OK"'):
                raise Failure(f"a well-behaved connection was answered {self.buffers[one]!r}")
            self.buffers[one] = b""
            self.waits_s.append(time.monotonic() - self.asked_at.pop(one))

    def run(self, duration_s, every_second=lambda: None):
        """Keeps OUTSTANDING_MAX requests under way; the waits in milliseconds, sorted."""
        self.waits_s = []
        end = time.monotonic() + duration_s
        second = time.monotonic()
        while time.monotonic() < end:
            if time.monotonic() >= second:
                every_second()
                second += 1
            while len(self.asked_at) < OUTSTANDING_MAX:
                self.ask_next()
            for key, _ in self.selector.select(0.05):
                self.take(key.fileobj)
        self.settle(end)
        return sorted(1000 * wait_s for wait_s in self.waits_s)

    def settle(self, end):
        while self.asked_at:
            if time.monotonic() > end + 30:
                raise Failure(f"{len(self.asked_at)} requests are still unanswered")
            for key, _ in self.selector.select(0.05):
                self.take(key.fileobj)


def opened(realm, token=None):
    one = socket.create_connection(realm.clients, realm.place.patience_s)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if token:
        one.sendall(f"RESUME {token}\n".encode())
        one.recv(4096)
    return one


def flood(one, data):
    """As much as the realm takes; the rest stays unsaid."""
    one.setblocking(False)
    try:
        return one.send(data)
    except BlockingIOError:
        return 0


def percentile(waits_ms, share):
    return waits_ms[min(len(waits_ms) - 1, int(len(waits_ms) * share))]


def told(waits_ms):
    return (f"{len(waits_ms)} answers, p50 {percentile(waits_ms, 0.5):.1f} ms, "
            f"p99 {percentile(waits_ms, 0.99):.1f} ms, max {waits_ms[-1]:.1f} ms")


class ByteASecond:
    """Connections that type PING a byte at a time, for ever."""

    def __init__(self, sockets):
        self.sockets = sockets
        self.seconds = 0

    def type(self):
        byte = b"PING\n"[self.seconds % 5:self.seconds % 5 + 1]
        self.seconds += 1
        for one in self.sockets:
            one.send(byte)

    def check(self):
        """Each finished PING was answered."""
        wanted = b'{"status":"OK","data":"PONG"}' + FRAME_END
        for one in self.sockets:
            came = read_bytes(one, len(wanted) * (self.seconds // 5))
            if came != wanted * (self.seconds // 5):
                raise Failure(f"a slow typist was answered {came[:200]!r}")


def read_bytes(one, length):
    one.settimeout(30)
    data = b""
    while len(data) < length:
        more = one.recv(1 << 18)
        if not more:
            break
        data += more
    return data


def check_flooded(one, sent_bytes):
    """One that never read, and now does: it gets an answer to each line that was taken."""
    wanted = b'{"status":"OK","data":"PONG"}' + FRAME_END
    came = read_bytes(one, len(wanted) * (sent_bytes // 5))
    if came != wanted * (sent_bytes // 5):
        raise Failure(f"{len(came)} bytes of answers to {sent_bytes // 5} PINGs, "
                      f"{len(wanted) * (sent_bytes // 5)} expected")


def resident_mib(realm):
    with open(f"/proc/{realm.process.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / (1 << 20)


def check_storm(options):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with scratch_place(options) as place:
        realm = place.add(Realm(place, "a"))
        realm.start()
        administer(realm, "ADDUSER alice rahasia", "ADDUSER bob rahasia")
        alice = connected(realm)
        token = asked(alice, "AUTH alice rahasia")["data"]
        for _ in range(100):
            asked(alice, f"SEND alice {'x' * 200}")
        return weather(realm, token, place.slow)


def weather(realm, token, slow):
    load = Load([opened(realm, token) for _ in range(OTHERS)])
    calm = load.run(CALM_S)
    typists = ByteASecond([opened(realm) for _ in range(BYTE_A_SECOND)])
    deaf = [opened(realm, token) for _ in range(NEVER_READ)]
    # Most ask for little; the greedy ones for their whole inbox, megabytes that they never take.
    sent = [flood(one, b"PING\n" * int(FLOOD_PINGS / slow)) for one in deaf[GREEDY:]]
    for one in deaf[:GREEDY]:
        flood(one, b"INBOX\n" * int(FLOOD_INBOXES / slow))
    burst = load.run(BURST_S, typists.type)
    storm = load.run(STORM_S, typists.type)
    realm.check_alive()
    remark = (f"calm: {told(calm)}; burst: {told(burst)}; storm: {told(storm)}; "
              f"{resident_mib(realm):.0f} MiB")
    if percentile(storm, 0.99) > P99_MS_MAX * slow or \
            percentile(burst, 0.99) > BURST_P99_MS_MAX * slow:
        raise Failure(f"the others noticed: {remark}")
    typists.check()
    for one, sent_bytes in zip(deaf[GREEDY:GREEDY + 10], sent):
        check_flooded(one, sent_bytes)
    for one in [*load.connections, *typists.sockets, *deaf]:
        one.close()
    return remark


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("1,000 connections, 200 of them bad", check_storm)]))
