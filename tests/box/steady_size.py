#!/usr/bin/env python3
"""A realm with steady traffic and --retention reaches a size and stays there; without it, it grows."""
# box-program

import os
import sys
import time

from harness.failure import Failure
from harness.realm import Realm
from harness.runner import run_checks
from harness.scratch import administer, asked, connected, scratch_place

RETENTION_S = 2
WARM_S = 12  # some times the retention and the fold's second: the file holds what it will hold
RUN_S = 24
ROUND = 300
ROUND_S = 0.1
GROWTH_MAX = 1.3
REQUESTS = b"".join(b"SEND alice " + b"x" * (100 + i % 7 * 100) + b"\n" for i in range(ROUND))


def store_bytes(realm):
    return os.stat(os.path.join(realm.value("data"), "store.mdb")).st_size


def send_round(connection):
    connection.send(REQUESTS)
    for _ in range(ROUND):
        frame = connection.frame()
        if '"status":"OK"' not in frame:
            raise Failure(f"SEND was answered {frame}")


def pace(start, rounds):
    """Sleeps until the next round is due: never faster than that, so that a busy machine has less
    to keep, not more."""
    due = start + rounds * ROUND_S
    time.sleep(max(0, due - time.monotonic()))


def steady_traffic(realm, run_s):
    """Sizes of the file at WARM_S and at the end."""
    alice = connected(realm, "alice")
    asked(alice, "AUTH alice rahasia")
    start = time.monotonic()
    rounds = 0
    warm_bytes = 0
    while time.monotonic() - start < run_s:
        send_round(alice)
        rounds += 1
        pace(start, rounds)
        if time.monotonic() - start < WARM_S:
            warm_bytes = store_bytes(realm)
    status = asked(alice, "CHECKSERVER")["data"]
    return warm_bytes, store_bytes(realm), rounds * ROUND, status


def check_left(realm, sent):
    """What is left is the newest part, without holes; the file's realm starts again with it."""
    alice = connected(realm, "late")
    asked(alice, "AUTH alice rahasia")
    page = asked(alice, "INBOX AFTER 0 LIMIT 1000")["data"]
    seqs = [message["seq"] for message in page]
    if seqs and (seqs[0] == 1 or seqs != list(range(seqs[0], seqs[0] + len(seqs)))):
        raise Failure(f"INBOX AFTER 0 shows {seqs[:5]} to {seqs[-1]} of {sent}")
    asked(alice, "SEND alice sesudah")
    newest = asked(alice, "INBOX LIMIT 1")["data"][0]["seq"]
    if newest != sent + 1:
        raise Failure(f"after {sent} messages the next one has seq {newest}")


def stays(options):
    with scratch_place(options) as place:
        realm = place.add(Realm(place, "a", ["--retention", f"{RETENTION_S}s"]))
        realm.start()
        administer(realm, "ADDUSER alice rahasia operator")
        warm, end, sent, status = steady_traffic(realm, RUN_S)
        told = f"{sent} messages, {warm} bytes after {WARM_S} s, {end} after {RUN_S} s, "
        told += f"{status['forgotten']} forgotten"
        if status["forgotten"] < sent / 2 or end > warm * GROWTH_MAX:
            raise Failure(told)
        realm.kill()
        realm.start()
        check_left(realm, sent)
        return told


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("a realm stays as large as it is", stays)]))
