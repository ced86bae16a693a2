"""Row 5: two linked realms beside raw CURVE, ejabberd's s2s, and one-way times of NATS and ngircd.

Nothing is pinned here: two servers and the generator share the cores, theirs as ours."""

import json
import subprocess
from functools import partial

import oneway
from bench import Failure
from generator import in_turn, measured
from goals import Goal
from peers import ejabberd, nats, ngircd
from peers.realm import talk_for
from peers.realm_pair import ONE_WAY, TO_PAIR, RealmPair
from server import pinned

RAW, S2S = "raw CURVE one by one", "ejabberd s2s"
FLUSHES = 3
CELLS = (("realm-c50", 50), ("realm-c400", 400))

PAIR = Goal("realm-pair", 5, "SENDREALM both ways, C50 P16", S2S, 8.0)
TIME = Goal("realm-one-way", 5, "one-way p50, SENDREALM to event",
            f"faster of NATS route, ngircd link, + {FLUSHES} flushes", 1.0, at_most=True,
            unit="µs")


def goals(_options):
    cells = (Goal(key, 5, f"SENDREALM, C{connections} P16", RAW, 0.5)
             for key, connections in CELLS)
    return (*cells, PAIR, TIME)


def curve(bench):
    """Messages a second through one CURVE connection."""
    done = subprocess.run(
        [*pinned(bench.all_cores), bench.program("bench_curve"), "--seconds", str(bench.seconds)],
        capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise Failure("bench_curve gave up", *done.stderr.splitlines()[-5:])
    figures = json.loads(done.stdout.splitlines()[-1])
    bench.note(what="curve", **figures)
    return figures["per_s"]


def per_s(bench, server, talk, connections=50):
    return measured(bench, server, talk_for(bench, talk, connections), connections=connections,
                    pipeline=16, cores=bench.all_cores)["per_s"]


def measure(bench, round_number):
    with RealmPair(bench) as pair:
        both_ways = per_s(bench, pair, TO_PAIR)
        pair.paired = False
        for key, connections in CELLS:
            yield key, *in_turn(round_number, partial(curve, bench),
                                partial(per_s, bench, pair, ONE_WAY, connections))
        ours_us = oneway.realms(pair)
    with ejabberd.EjabberdPair(bench, bench.all_cores) as theirs:
        yield PAIR.key, per_s(bench, theirs, ejabberd.TO_PAIR), both_ways
    yield TIME.key, one_way_bound_us(bench), ours_us


def one_way_bound_us(bench):
    with nats.NatsRoute(bench, bench.all_cores) as route:
        through_nats = oneway.nats(route)
    with ngircd.NgircdLink(bench, bench.all_cores) as link:
        through_ngircd = oneway.ngircd(link)
    flush = oneway.flush_us(bench)
    bench.note(what="one way", nats_us=through_nats, ngircd_us=through_ngircd, flush_us=flush)
    return min(through_nats, through_ngircd) + FLUSHES * flush
