"""Throughput and p99 against pipeline depth and against connections: ours beside all peers."""

import dataclasses
import statistics
import typing

from generator import Talk, measured
from goals import shown
from peers import ejabberd, nats, ngircd
from peers.floor import DURABLE_TALK, ECHO_TALK, DurableFloor, EchoFloor
from peers.realm import PING, SEND, realm_of, talk_for
from peers.redis import PUSH, Redis
from table import markdown

DEPTHS = (1, 4, 16, 64, 100)
CROWDS = (1, 10, 50, 200, 1000)
CONNECTIONS, SECONDS = 50, 0.5


@dataclasses.dataclass(frozen=True)
class Curve:
    """A server and what is said to it. `style` is a class of the picture."""

    label: str
    style: str
    server: typing.Callable
    talk: Talk
    depth_max: int = DEPTHS[-1]  # deeper, a slow server has no answer within the time
    crowd_max: int = CROWDS[-1]


CURVES = (
    Curve("echo floor", "echo", EchoFloor, ECHO_TALK),
    Curve("Realmgate PING", "ping", realm_of, PING),
    Curve("durable floor", "durable", DurableFloor, DURABLE_TALK),
    Curve("Realmgate SEND", "send", realm_of, SEND),
    Curve("redis, always synced", "redis", Redis, PUSH),
    Curve("NATS JetStream, not synced", "jetstream", nats.JetStream, nats.TO_STREAM),
    Curve("ngircd, nothing kept", "ngircd", ngircd.Ngircd, ngircd.TO_SELF),
    Curve("ejabberd offline, not synced", "ejabberd", ejabberd.Ejabberd, ejabberd.TO_AWAY,
          depth_max=16, crowd_max=200),
)


class Points:
    """What all rounds say of each curve: (axis, label, x) to figures."""

    def __init__(self):
        self.figures = {}

    def add(self, axis, label, x, figures):
        self.figures.setdefault((axis, label, x), []).append(figures)

    def line(self, axis, label, field):
        """The medians along an axis."""
        return [(x, statistics.median(figures[field] for figures in all_figures))
                for (this_axis, this_label, x), all_figures in sorted(self.figures.items())
                if (this_axis, this_label) == (axis, label)]


def measure_curve(bench, curve, points):
    shapes = [("pipeline", depth, CONNECTIONS, depth) for depth in DEPTHS
              if depth <= curve.depth_max]
    shapes += [("connections", crowd, crowd, 1) for crowd in CROWDS if crowd <= curve.crowd_max]
    with curve.server(bench) as server:
        for axis, x, connections, pipeline in shapes:
            talk = talk_for(bench, curve.talk, connections)
            points.add(axis, curve.label, x,
                       measured(bench, server, talk, connections=connections, pipeline=pipeline,
                                seconds=SECONDS))


def table_of(points, axis, field, unit):
    labels = [curve.label for curve in CURVES]
    xs = DEPTHS if axis == "pipeline" else CROWDS
    rows = []
    for label in labels:
        found = dict(points.line(axis, label, field))
        rows.append([label, *(shown(found[x], unit) if x in found else "" for x in xs)])
    return markdown([axis, *map(str, xs)], rows)
