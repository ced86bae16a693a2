"""Ours: two realms, each with its own key, pinned at the other, and linked."""

import json
import time

from bench import Failure
from generator import Talk
from harness.scratch import administer
from peers.realm import AUTH, RealmServer, names_of_users, realm_of

# Every message goes from a to some user of b.
ONE_WAY = Talk(r"SENDREALM b u%R %p{160}\n", (AUTH,), error="ERROR")
# Each connection to its pair at the other realm.
TO_PAIR = Talk(r"SENDREALM %H u%o %p{160}\n", (AUTH,), error="ERROR")
LINK_S = 20


class RealmPair:
    """a and b; port is a's, other_port b's."""

    name = "realmgate"

    def __init__(self, bench, cores=None):
        cores = cores or bench.all_cores
        self.a = realm_of(bench, cores=cores)
        self.b = RealmServer(bench, cores, bench.once("prepared b", lambda: prepare_b(bench)),
                             handle="b")
        self.paired = True
        self.started = []

    @property
    def port(self):
        return self.a.port

    @property
    def other_port(self):
        return self.b.port if self.paired else None

    def __enter__(self):
        try:
            for server in (self.a, self.b):
                server.__enter__()
                self.started.append(server)
            link(self.a.realm, self.b.realm)
        except BaseException:
            self.__exit__(Failure)
            raise
        return self

    def __exit__(self, kind, *_):
        for server in self.started:
            server.__exit__(kind)


def prepare_b(bench):
    """A data directory of realm b with the same users."""
    server = RealmServer(bench, bench.all_cores, handle="b")
    server.import_users(names_of_users())
    return server.realm.data


def link(a, b):
    administer(a, f"TRUSTREALM {b.name} {b.key()}")
    administer(b, f"TRUSTREALM {a.name} {a.key()}")
    administer(a, f"ADDREALM {b.name} 127.0.0.1 {b.federation[1]}")
    for realm in (a, b):
        await_up(realm)


def await_up(realm):
    """Until all links of a realm are up."""
    deadline = time.monotonic() + LINK_S * realm.place.slow
    while True:
        rows = json.loads(realm.admin("CHECKREALM"))["data"]
        if rows and all(row["state"] == "up" for row in rows):
            return
        if time.monotonic() > deadline:
            raise Failure(f"realm {realm.handle} is not linked: {rows}")
        time.sleep(0.02)
