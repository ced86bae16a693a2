"""Rows 1 to 3: one realm beside the echo floor, redis, and the durable floor."""

import contextlib
from functools import partial

from generator import in_turn, measured
from goals import Goal
from peers.floor import DURABLE_TALK, ECHO_TALK, DurableFloor, EchoFloor
from peers.realm import PING, SEND, realm_of, talk_for
from peers.redis import PUSH, Redis

ECHO, REDIS, FLOOR = "echo floor", "redis always", "durable floor"

# Key, row, server beside, connections, pipeline, bound of the ratio.
CELLS = (
    ("ping-c50-p1", 1, ECHO, 50, 1, 0.90),
    ("ping-c1000-p1", 1, ECHO, 1000, 1, 0.90),
    ("ping-c50-p16", 1, ECHO, 50, 16, 0.60),
    ("send-c50-p1", 2, REDIS, 50, 1, 1.0),
    ("send-c50-p16", 2, REDIS, 50, 16, 2.0),
    ("send-c50-p100", 2, REDIS, 50, 100, 4.0),
    ("send-c1000-p1", 2, REDIS, 1000, 1, 1.3),
    ("floor-c50-p1", 3, FLOOR, 50, 1, 0.85),
    ("floor-c50-p16", 3, FLOOR, 50, 16, 0.5),
)
P99 = Goal("send-c50-p1-p99", 2, "SEND p99, C50 P1", REDIS, 1.2, at_most=True, unit="µs")
TALKS = {ECHO: ECHO_TALK, REDIS: PUSH, FLOOR: DURABLE_TALK}


def goal_of(key, row, beside, connections, pipeline, bound):
    word = "PING" if row == 1 else "durable SEND"
    return Goal(key, row, f"{word}, C{connections} P{pipeline}", beside, bound)


def goals(_options):
    return tuple(goal for cell in CELLS
                 for goal in [goal_of(*cell)] + [P99] * (cell[0] == "send-c50-p1"))


def measure(bench, round_number):
    """Yields (key, theirs, ours)."""
    yield from measure_cells(bench, round_number,
                             [cell for cell in CELLS if cell[1] in bench.options.rows])


def measure_cells(bench, round_number, cells):
    beside = {cell[2] for cell in cells}
    with contextlib.ExitStack() as stack:
        servers = {kind.name: stack.enter_context(kind(bench))
                   for kind in (EchoFloor, Redis, DurableFloor) if kind.name in beside}
        ours = stack.enter_context(realm_of(bench))
        for cell in cells:
            yield from measure_cell(bench, round_number, cell, servers[cell[2]], ours)


def measure_cell(bench, round_number, cell, theirs, ours):
    key, _, beside, connections, pipeline, _ = cell
    shape = {"connections": connections, "pipeline": pipeline}
    talk = talk_for(bench, PING if beside == ECHO else SEND, connections)
    its, own = in_turn(round_number, partial(measured, bench, theirs, TALKS[beside], **shape),
                       partial(measured, bench, ours, talk, **shape))
    yield key, its["per_s"], own["per_s"]
    if key == "send-c50-p1":
        yield P99.key, its["p99_us"], own["p99_us"]
