"""Row 8: with ten million messages a realm sends, reads and starts as with ten thousand."""

import json
import time
from functools import partial

from generator import Load, Step, Talk, in_turn, measured
from goals import Goal
from peers.realm import PASSWORD, SEND, RealmServer, prepared, realm_of

FEW = 10_000
PAGE = 50
UNDER_LOAD = 200_000
START_CLEAN_S, START_KILLED_S = 1.0, 5.0
# A tenth of all messages is for one user, between those for the others.
OWNER = "v0"
OWNERS_PART = 10
OWNER_AUTH = Step(rf"AUTH {OWNER} {PASSWORD}\n")
TO_OWNER = Talk(rf"SEND {OWNER} %p{{160}}\n", SEND.steps, error="ERROR")
SHAPES = (("many-c50-p1", 1), ("many-c50-p16", 16))


class ManyMessages(RealmServer):
    """A realm whose store stays between the rounds, in which it is started and killed again."""

    name = "realmgate, many messages"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.realm.stop()
        else:
            self.realm.discard()


def goals(options):
    count = options.big
    many = f"with {count:,} messages"
    return (
        *(Goal(key, 8, f"SEND {many}, C50 P{pipeline}", f"with {FEW:,}", 0.9)
          for key, pipeline in SHAPES),
        Goal("deep-page", 8, f"a page of {PAGE} deep in a mailbox of {count // OWNERS_PART:,}",
             "its newest page", 3.0, at_most=True, unit="µs"),
        Goal("start-clean", 8, f"start {many}, after a clean stop", "", 1.0, at_most=True,
             unit="s", fixed=START_CLEAN_S),
        Goal("start-killed", 8, f"start {many}, after kill -9 under load", "", 1.0, at_most=True,
             unit="s", fixed=START_KILLED_S))


def fill(bench, server, count):
    """Two generators at once, so that the owner's messages lie between the others."""
    shape = {"pipeline": 200, "seconds": 1200, "warm_up": 0}
    owners = Load(bench, server, TO_OWNER, connections=10, requests=count // OWNERS_PART, **shape)
    measured(bench, server, SEND, connections=50, requests=count - count // OWNERS_PART, **shape)
    owners.result()


def filled(bench):
    server = ManyMessages(bench, data=prepared(bench)[0])
    with server:
        server.realm.start()
        fill(bench, server, bench.options.big)
    return server


def started_s(server):
    began = time.monotonic()
    server.realm.start()
    return time.monotonic() - began


def measure(bench, round_number):
    with bench.once("many messages", lambda: filled(bench)) as many:
        yield "start-clean", None, started_s(many)
        yield from measure_sends(bench, many, round_number)
        yield from measure_pages(bench, many)
        kill_under_load(bench, many)
        yield "start-killed", None, started_s(many)


def sends_per_s(bench, server, pipeline):
    return measured(bench, server, SEND, pipeline=pipeline)["per_s"]


def measure_sends(bench, many, round_number):
    with realm_of(bench) as few:
        measured(bench, few, SEND, requests=FEW, seconds=60)
        for key, pipeline in SHAPES:
            yield key, *in_turn(round_number, partial(sends_per_s, bench, few, pipeline),
                                partial(sends_per_s, bench, many, pipeline))


def page_us(bench, server, where):
    talk = Talk(rf"INBOX {where}LIMIT {PAGE}\n", (OWNER_AUTH,), error="ERROR")
    return 1e6 / measured(bench, server, talk, pipeline=16)["per_s"]


def deep_within(count):
    """Around the middle of the owner's mailbox, each time elsewhere where it is large enough."""
    middle = count // OWNERS_PART // 2
    text = f"{middle // 100_000}%z" if middle >= 100_000 else str(middle)
    return f"BEFORE {text} "


def measure_pages(bench, many):
    yield ("deep-page", page_us(bench, many, ""),
           page_us(bench, many, deep_within(bench.options.big)))


def stored(realm):
    return json.loads(realm.admin("CHECKSERVER"))["data"]["messages"]


def await_messages(realm, count):
    """Until so many more are stored."""
    wanted = stored(realm) + count
    while stored(realm) < wanted:
        time.sleep(0.02)


def kill_under_load(bench, many):
    load = Load(bench, many, SEND, pipeline=100, seconds=60)
    try:
        await_messages(many.realm, UNDER_LOAD)
        many.realm.kill()
    finally:
        load.stop()
