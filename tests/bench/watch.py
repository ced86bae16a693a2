"""The guard: a few short rounds of what needs no peer, against half of what the goals ask.

The best of all rounds counts on both sides: what else the machine does takes from each."""

import sys

from bench import Failure, Mistake, bench_of, parser_of
from harness.runner import say
from peers.realm_pair import ONE_WAY, RealmPair
from rows.federation import RAW, curve, per_s
from rows.single import ECHO, FLOOR, goal_of, measure_cells
from goals import Goal, shown

ROUNDS, SECONDS = 5, 0.3
# As in rows/single.py; the bounds are about half of those there.
CELLS = (
    ("ping-c50-p1", 1, ECHO, 50, 1, 0.45),
    ("ping-c1000-p1", 1, ECHO, 1000, 1, 0.45),
    ("ping-c50-p16", 1, ECHO, 50, 16, 0.30),
    ("floor-c50-p1", 3, FLOOR, 50, 1, 0.35),
    ("floor-c50-p16", 3, FLOOR, 50, 16, 0.18),
    ("floor-c50-p100", 3, FLOOR, 50, 100, 0.08),
    ("floor-c1000-p1", 3, FLOOR, 1000, 1, 0.35),
)
LINKED = Goal("realm-c400", 5, "SENDREALM, C400 P16", RAW, 0.20)
GOALS = (*(goal_of(*cell) for cell in CELLS), LINKED)


def measure(bench, round_number):
    yield from measure_cells(bench, round_number, CELLS)
    with RealmPair(bench) as pair:
        pair.paired = False
        yield LINKED.key, curve(bench), per_s(bench, pair, ONE_WAY, 400)


def best_of_rounds(bench):
    """The best figures by key: theirs, ours."""
    best = {goal.key: (0, 0) for goal in GOALS}
    for number in range(ROUNDS):
        for key, theirs, ours in measure(bench, number):
            best[key] = max(best[key][0], theirs), max(best[key][1], ours)
    return best


def judge(goal, theirs, ours):
    """Prints a goal's line; True if it holds."""
    holds = ours >= goal.bound * theirs
    say(f"{'ok   ' if holds else 'FAIL '} {goal.what}: {shown(ours, '/s')}, "
        f"{goal.beside} {shown(theirs, '/s')}: {ours / theirs:.2f}, at least {goal.bound:g}")
    return holds


def main(arguments=None):
    parser = parser_of(__doc__)
    parser.set_defaults(seconds=SECONDS)
    parser.add_argument("--slow", type=float, default=4.0, metavar="F",
                        help="multiplies every bound of time in which a realm must answer")
    options = parser.parse_args(arguments)
    try:
        with bench_of(options) as bench:
            best = best_of_rounds(bench)
    except (Failure, Mistake) as failure:
        say("\n  ".join([f"FAIL  {failure}", *getattr(failure, "details", [])]))
        say("0 passed, 1 failed")
        return 1
    passed = [judge(goal, *best[goal.key]) for goal in GOALS]
    say(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
