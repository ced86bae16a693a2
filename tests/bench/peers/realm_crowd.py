"""Ours: a realm that many others are linked to. All of them are real: idle, one costs about 1.3 MB
and a quarter of a thousandth of a core, so that hundreds are no burden."""

import json
import os
import time

from bench import Failure
from generator import Talk
from harness.realm import Realm
from harness.scratch import administer
from peers.realm import AUTH, realm_of

OWNER = "u0"
# Connection n sends to realm p<n>: with as many connections as links, all of them are used.
TO_CROWD = Talk(rf"SENDREALM p%r {OWNER} %p{{160}}\n", (AUTH,), error="ERROR")
UP_S = 30
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class RealmCrowd:
    """`hub` is the realm under measurement; the others are p0, p1, ... and grow in number."""

    name = "realmgate, many links"
    other_port = None

    def __init__(self, bench):
        self.bench = bench
        self.hub = realm_of(bench, options=["--accept", "any"])
        self.peers = []

    @property
    def port(self):
        return self.hub.port

    def __enter__(self):
        self.hub.__enter__()
        return self

    def __exit__(self, kind, *_):
        try:
            for peer in self.peers:
                peer.discard()
        finally:
            self.hub.__exit__(kind)

    def grow(self, count):
        """More realms, until there are so many; waits until all links are up."""
        new = [self.peer(number) for number in range(len(self.peers), count)]
        self.peers += new
        for peer in new:
            peer.program("user", "add", OWNER, *peer.identity(), stdin="rahasia\n")
            peer.spawn()
        hub = self.hub.realm
        for peer in new:
            peer.take_ready_line()
            administer(peer,
                       f"ADDREALM {hub.name} 127.0.0.1 {hub.federation[1]} {hub.key()}")
        self.await_links()

    def peer(self, number):
        return Realm(self.hub.realm.place, f"p{number}")

    def await_links(self):
        deadline = time.monotonic() + UP_S * self.bench.options.slow
        while True:
            rows = json.loads(self.hub.realm.admin("CHECKREALM"))["data"]
            up = sum(row["state"] == "up" for row in rows)
            if up == len(self.peers):
                return
            if time.monotonic() > deadline:
                raise Failure(f"{up} of {len(self.peers)} links are up")
            time.sleep(0.05)

    def memory_bytes(self):
        return self.hub.memory_bytes()

    def cpu_share(self, seconds):
        """The part of a core that the hub uses, over a time in which nobody asks it anything."""
        before, began = self.cpu_s(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu_s() - before) / (time.monotonic() - began)

    def cpu_s(self):
        with open(f"/proc/{self.hub.realm.process.pid}/stat", encoding="utf-8") as stat:
            words = stat.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS_PER_S
