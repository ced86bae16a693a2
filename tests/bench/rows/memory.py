"""Row 6: what an idle connection costs, and PING while as many as possible are held."""

import contextlib

from generator import Load, Talk, measured
from goals import Goal
from peers import ejabberd, ngircd, redis
from peers.floor import ECHO_TALK, EchoFloor
from peers.realm import PING, SEND, realm_of, talk_for

CROWD, PINGERS, FEW = 19500, 50, 1000
REDIS_HELLO = Talk(r"PING\r\n", (), ends=r"\r\n")

MEMORY = Goal("idle-bytes", 6, f"memory of an idle connection, of {CROWD - PINGERS}", "", 1.0,
              at_most=True, unit="B", fixed=512)
BESIDE = tuple(Goal(f"idle-{kind.name}", 6, f"memory of an idle connection, of {FEW}", kind.name,
                    unit="B") for kind in (redis.Redis, ngircd.Ngircd, ejabberd.Ejabberd))
CROWDED = Goal("ping-crowd", 6, f"PING beside {CROWD - PINGERS} idle connections, C50 P1",
               "echo floor with as many", 0.8)
PEERS = ((redis.Redis, REDIS_HELLO), (ngircd.Ngircd, ngircd.TO_SELF),
         (ejabberd.Ejabberd, ejabberd.TO_SELF))


def goals(_options):
    return (MEMORY, *BESIDE, CROWDED)


@contextlib.contextmanager
def held(bench, server, talk, count):
    """Keeps idle connections open; gives the bytes that each has cost the server."""
    before = server.memory_bytes()
    load = Load(bench, server, talk, connections=count, hold=600, timeout=120)
    try:
        load.await_held()
        yield (server.memory_bytes() - before) / count
    finally:
        load.stop()


def crowded_ping(bench, server, talk, crowd):
    """PING/s beside a crowd; and the bytes of one of it."""
    with held(bench, server, crowd, CROWD - PINGERS) as each:
        return measured(bench, server, talk, connections=PINGERS)["per_s"], each


def measure(bench, round_number):
    with EchoFloor(bench) as floor:
        theirs, _ = crowded_ping(bench, floor, ECHO_TALK, Talk(ECHO_TALK.template))
    with realm_of(bench) as ours:
        per_s, each = crowded_ping(bench, ours, PING, talk_for(bench, SEND, CROWD))
    yield CROWDED.key, theirs, per_s
    yield MEMORY.key, None, each
    # Memory does not scatter: the others are looked at once.
    for kind, talk in PEERS if round_number == 0 else ():
        with kind(bench) as peer, held(bench, peer, talk, FEW) as its:
            yield f"idle-{kind.name}", its, each
