#!/usr/bin/env python3
"""Limits of addresses and connections: what is over them is refused with a code and counted, and
nobody else notices."""
# box-program alone

import json
import os
import resource
import select
import socket
import sys
import threading
import time

from harness.failure import Failure
from harness.realm import Realm
from harness.runner import run_checks
from harness.scratch import administer, asked, connected, scratch_place

WRONG_LOGINS = 2000
STORM_CONNECTIONS = 50
CROWD = 20600
CROWD_CHILDREN = 3


class Client:
    """A plain connection from an address of its own."""

    def __init__(self, realm, source="127.0.0.1"):
        self.patience_s = realm.place.patience_s
        self.socket = socket.create_connection(realm.clients, self.patience_s, (source, 0))
        self.bytes = b""

    def say(self, *lines):
        self.socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def frame(self):
        """The next reply; None at the end of the connection."""
        while b"\r\n\r\n" not in self.bytes:
            data = self.socket.recv(1 << 16)
            if not data:
                return None
            self.bytes += data
        frame, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        return json.loads(frame)

    def ask(self, line):
        self.say(line)
        return self.frame()

    def close(self):
        self.socket.close()


def expect(reply, code, what):
    there = None if reply is None else reply.get("code", "OK")
    if there != code:
        raise Failure(f"{what}: {reply} where {code} should come")


def counters(realm):
    return json.loads(realm.admin("CHECKSERVER"))["data"]


def started(place, *options):
    realm = place.add(Realm(place, "a", options))
    realm.start()
    administer(realm, "ADDUSER alice rahasia", "ADDUSER bob rahasia")
    return realm


def check_auth_storm(options):
    """wrong logins of one address do not keep another from logging in"""
    with scratch_place(options) as place:
        realm = started(place, "--auth-rate", "1/s:20")
        friend = Client(realm, "127.0.0.3")
        expect(friend.ask("AUTH bob rahasia"), "OK", "bob before the storm")
        storm = [Client(realm, "127.0.0.2") for _ in range(STORM_CONNECTIONS)]
        for number, one in enumerate(storm):
            one.say(*[f"AUTH alice salah{number}x{i}"
                      for i in range(WRONG_LOGINS // STORM_CONNECTIONS)])
        began = time.monotonic()
        other = Client(realm, "127.0.0.4")
        expect(other.ask("AUTH alice rahasia"), "OK", "alice from another address")
        waited_s = time.monotonic() - began
        if waited_s > place.slow:
            raise Failure(f"the login of another address took {waited_s:.2f} s")
        known = Client(realm, "127.0.0.2")
        expect(known.ask("AUTH bob rahasia"), "OK", "bob, known already, from the storm's address")
        codes = {}
        for one in storm:
            for _ in range(WRONG_LOGINS // STORM_CONNECTIONS):
                reply = one.frame()
                codes[reply["code"]] = codes.get(reply["code"], 0) + 1
        if set(codes) != {"AUTH_FAILED", "BUSY"}:
            raise Failure(f"the storm was answered {codes}")
        refused = counters(realm)["limits"]["logins"]["refused"]
        if refused != codes["BUSY"]:
            raise Failure(f"{codes['BUSY']} were refused, CHECKSERVER counts {refused}")
        return f"alice in after {waited_s * 1000:.0f} ms, {codes} for the storm"


def check_request_rate(options):
    """requests that come too fast are refused, one by one"""
    with scratch_place(options) as place:
        realm = started(place, "--request-rate-connection", "60/m:5", "--request-rate", "60/m:12")
        one = Client(realm, "127.0.0.2")
        one.say(*["@r1 PING"] * 20)
        replies = [one.frame() for _ in range(20)]
        good = sum(reply["status"] == "OK" for reply in replies)
        if not 5 <= good <= 5 + 2 * place.slow or any(reply["ref"] != "r1" for reply in replies):
            raise Failure(f"a connection's 20 at once were answered {replies}")
        others = [Client(realm, "127.0.0.2") for _ in range(4)]
        for other in others:
            other.say(*["PING"] * 5)
        replies = [other.frame() for other in others for _ in range(5)]
        good += sum(reply["status"] == "OK" for reply in replies)
        if not 12 <= good <= 12 + 3 * place.slow:
            raise Failure(f"{good} requests of one address were let through")
        for _ in range(3):
            expect(Client(realm, "127.0.0.3").ask("PING"), "OK", "another address")
        for _ in range(30):
            realm.admin("PING")
        refused = counters(realm)["connections"]["requests_limited"]
        if refused != 40 - good:
            raise Failure(f"{40 - good} were refused, CHECKSERVER counts {refused}")
        deadline = time.monotonic() + place.patience_s
        while one.ask("PING")["status"] != "OK":
            if time.monotonic() > deadline:
                raise Failure("the connection never gets a request through again")
            time.sleep(0.2)
        return f"{good} let through, {refused} refused"


def refused_at_once(realm, source):
    """Whether a new connection gets BUSY and is closed."""
    client = Client(realm, source)
    reply = client.frame() if readable(client, 0.2 * realm.place.slow) else client.ask("PING")
    if reply is not None and reply.get("code") == "BUSY":
        if client.frame() is not None:
            raise Failure("something comes behind BUSY")
        return True, client
    return False, client


def readable(client, patience_s):
    client.socket.settimeout(patience_s)
    try:
        return client.socket.recv(1, socket.MSG_PEEK) is not None
    except TimeoutError:
        return False
    finally:
        client.socket.settimeout(client.patience_s)


def check_connections(options):
    """connections of one address: not too many, not too fast"""
    with scratch_place(options) as place:
        realm = started(place, "--connections-per-address", "3")
        held = [refused_at_once(realm, "127.0.0.2") for _ in range(5)]
        if [refused for refused, _ in held] != [False] * 3 + [True] * 2:
            raise Failure(f"of 5 connections were refused {[one[0] for one in held]}")
        if refused_at_once(realm, "127.0.0.3")[0]:
            raise Failure("another address was refused")
        held[0][1].close()
        deadline = time.monotonic() + place.patience_s
        while refused_at_once(realm, "127.0.0.2")[0]:
            if time.monotonic() > deadline:
                raise Failure("the place of a closed connection is not given out again")
        if counters(realm)["connections"]["refused_address"] < 2:
            raise Failure("CHECKSERVER does not count them")
        realm.stop()
        realm.start(["--connection-rate", "60/m:4"])
        refused = sum(refused_at_once(realm, "127.0.0.2")[0] for _ in range(3))
        for _ in range(20):
            client = Client(realm, "127.0.0.2")
            client.socket.shutdown(socket.SHUT_WR)
            refused += client.frame() is not None
        if not 23 - 4 - 3 * place.slow <= refused <= 23 - 3:
            raise Failure(f"of 23 connections at once {refused} were refused")
        if refused_at_once(realm, "127.0.0.3")[0]:
            raise Failure("another address was refused")
        counted = counters(realm)["connections"]["connections_limited"]
        if counted != refused:
            raise Failure(f"{refused} were refused, CHECKSERVER counts {counted}")
        return f"3 of 5 let in; of 23 at once {23 - refused}"


def check_login_timeout(options):
    """a connection without login is told so and closed"""
    with scratch_place(options) as place:
        realm = started(place, "--login-timeout", "1s")
        idle, alice, left = (Client(realm, f"127.0.0.{last}") for last in (2, 3, 4))
        began = time.monotonic()
        expect(alice.ask("AUTH alice rahasia"), "OK", "alice")
        expect(left.ask("AUTH bob rahasia"), "OK", "bob")
        idle.socket.sendall(b"PIN")
        expect(idle.frame(), "AUTH_REQUIRED", "who did not log in")
        waited_s = time.monotonic() - began
        if idle.frame() is not None:
            raise Failure("it is not closed")
        if not 0.9 <= waited_s <= 2 * place.slow:
            raise Failure(f"that took {waited_s:.2f} s")
        expect(alice.ask("PING"), "OK", "who is logged in")
        expect(left.ask("LOGOUT"), "OK", "LOGOUT")
        expect(left.frame(), "AUTH_REQUIRED", "who has logged out")
        if left.frame() is not None:
            raise Failure("it is not closed after LOGOUT")
        expect(alice.ask("PING"), "OK", "who is logged in still")
        connection = connected(realm)
        admin = realm.admin("PING")
        if json.loads(admin)["status"] != "OK":
            raise Failure(f"the admin socket: {admin}")
        connection.close()
        if counters(realm)["connections"]["login_timeouts"] < 2:
            raise Failure("CHECKSERVER does not count them")
        return f"told after {waited_s:.2f} s"


def crowd_child(realm, number, count, pipe):
    """Opens connections and says how many were let in and refused; holds them until told to end."""
    held, refused = [], 0
    for i in range(count):
        source = f"127.0.{number + 1}.{i % 250 + 1}"
        held.append(socket.create_connection(realm.clients, 60, (source, 0)))
    for one in held:
        one.sendall(b"PING\n")
    for one in held:
        try:
            data = one.recv(256)
        except ConnectionResetError:
            data = b"BUSY"
        if b"PONG" not in data:
            refused += 1
    os.write(pipe, f"{count - refused} {refused}\n".encode())
    return held


def check_crowd(options):
    """more connections than there are descriptors: no crash, no spin, those inside are answered"""
    if options.slow > 1:
        return "only without sanitizers"
    with scratch_place(options) as place:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        realm = started(place, "--login-timeout", "off")
        inside = [connected(realm, f"inside{i}") for i in range(20)]
        for one in inside:
            asked(one, "AUTH alice rahasia")
        children, results = [], []
        for number in range(CROWD_CHILDREN):
            reads, writes = os.pipe()
            holds, ends = os.pipe()
            child = os.fork()
            if child == 0:
                for _, other in [*children, (0, ends)]:
                    os.close(other)
                try:
                    held = crowd_child(realm, number, CROWD // CROWD_CHILDREN, writes)
                    os.read(holds, 1)
                    del held
                finally:
                    os._exit(0)
            os.close(writes)
            os.close(holds)
            children.append((child, ends))
            results.append(reads)
        try:
            worst_ms = ping_until_all_said(inside, results, place)
            let_in, refused = (sum(column) for column in zip(*(
                (int(word) for word in os.read(reads, 100).split()) for reads in results)))
            busy_s = cpu_seconds(realm)
            time.sleep(2)
            spun_s = cpu_seconds(realm) - busy_s
            for one in inside:
                asked(one, "PING")
            if spun_s > 0.5:
                raise Failure(f"the realm spins: {spun_s:.2f} s of CPU time in 2 s of quiet")
            if refused < CROWD - 20000 or let_in < 10000:
                raise Failure(f"{let_in} let in, {refused} refused")
        finally:
            for _, ends in children:
                os.close(ends)
            for child, _ in children:
                os.waitpid(child, 0)
        deadline = time.monotonic() + place.patience_s
        while counters(realm)["connections"]["current"] > 30:
            if time.monotonic() > deadline:
                raise Failure("the realm does not forget the crowd")
            time.sleep(0.1)
        asked(connected(realm, "after"), "PING")
        return f"{let_in} let in, {refused} refused, PING inside at most {worst_ms:.0f} ms"


def ping_until_all_said(inside, results, place):
    """Those inside go on asking while the crowd comes; the longest wait."""
    worst_s = 0.0
    waiting = threading.Event()

    def wait():
        for reads in results:
            select.select([reads], [], [])
        waiting.set()

    watcher = threading.Thread(target=wait, daemon=True)
    watcher.start()
    deadline = time.monotonic() + 4 * place.patience_s
    while not waiting.is_set():
        for one in inside:
            began = time.monotonic()
            asked(one, "PING")
            worst_s = max(worst_s, time.monotonic() - began)
        if time.monotonic() > deadline:
            raise Failure("the crowd does not come to an end")
    return worst_s * 1000


def cpu_seconds(realm):
    with open(f"/proc/{realm.value('pid')}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("wrong logins", check_auth_storm),
                                  ("requests", check_request_rate),
                                  ("connections", check_connections),
                                  ("login timeout", check_login_timeout),
                                  ("a crowd", check_crowd)]))
