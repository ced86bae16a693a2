"""Ours: a realm with ten thousand users, started as the box tests start theirs."""

import dataclasses
import os
import shutil

from harness.realm import Place, Realm
from harness.scratch import token_of

from generator import Step, Talk
from server import anonymous_bytes, on_cores

PASSWORD = "rahasia"
# Argon2id of it with the parameters that the server uses itself, so that users cost no time.
HASH = ("$argon2id$v=19$m=19456,t=2,p=1$jiTrw8iZrA1bYl0S5u2N3g"
        "$N6Q9bXCLedaWbnD6eA3CXnYfWTaQfdmtT64NGqfmQ5U")
USERS = 10000
STRANGERS = 4000  # users who have never logged in
LOGINS_MAX = 64

AUTH = Step(rf"AUTH u%d {PASSWORD}\n")
PING = Talk(r"PING\n", error="ERROR")
SEND = Talk(r"SEND u%R %p{160}\n", (AUTH,), error="ERROR")


class PinnedRealm(Realm):
    """A realm of the harness that stays on its cores."""

    cores = "0"

    def command(self, extra):
        words = super().command(extra)
        place = words.index(self.place.binary)
        return [*words[:place], *on_cores(self.cores), *words[place:]]


class RealmServer:
    """The same face as a peer has."""

    name = "realmgate"
    other_port = None

    def __init__(self, bench, cores=None, data=None, handle="a", options=()):
        self.bench = bench
        place = Place(bench.program("realmgate"), bench.folder("realm"), bench.options.slow)
        self.realm = PinnedRealm(place, handle, options)
        self.realm.cores = cores or bench.server_core
        if data:
            shutil.copytree(data, self.realm.data, dirs_exist_ok=True)

    @property
    def port(self):
        return self.realm.clients[1]

    def __enter__(self):
        self.realm.start()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None and self.realm.running:
                self.realm.stop()
        finally:
            self.realm.discard()
            shutil.rmtree(self.realm.place.scratch, ignore_errors=True)

    def memory_bytes(self):
        return anonymous_bytes(self.realm.process.pid)

    def import_users(self, rows):
        """Users from a CSV file of ours, all with the same password."""
        path = os.path.join(self.realm.place.scratch, "users.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("user,hash\n")
            file.writelines(f'{user},"{HASH}"\n' for user in rows)
        self.realm.program("import", path, *self.realm.identity())
        os.unlink(path)


def names_of_users():
    yield from (f"u{number}" for number in range(USERS))
    yield from (f"v{number}" for number in range(STRANGERS))


def prepared(bench):
    """A data directory with users, and a token of u0; made once a run."""
    return bench.once("prepared", lambda: prepare(bench))


def prepare(bench):
    server = RealmServer(bench, bench.all_cores)
    try:
        server.import_users(names_of_users())
        server.realm.start()
        token = token_of(server.realm, "u0")
        server.realm.stop()
        kept = bench.folder("prepared")
        shutil.copytree(server.realm.data, kept, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("*.sock"))
        return kept, token
    finally:
        server.realm.discard()
        shutil.rmtree(server.realm.place.scratch, ignore_errors=True)


def realm_of(bench, **options):
    """A fresh realm with those users."""
    return RealmServer(bench, data=prepared(bench)[0], **options)


def talk_for(bench, talk, connections):
    """The talk as many connections have it: all of them are u0 by a token, where each has its own
    user otherwise. That saves a thousand slow hashes before each measurement."""
    if AUTH not in talk.steps or connections <= LOGINS_MAX:
        return talk
    token = prepared(bench)[1]
    return dataclasses.replace(talk, steps=(Step(rf"RESUME {token}\n"),))
