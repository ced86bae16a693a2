"""What grows with messages, users, mailboxes, groups, connections and links: memory, starts, speed.
"""

import contextlib
import os
import sys
import time

from bench import bench_of, parser_of
from generator import Load, Talk, measured
from goals import shown
from harness.scratch import administer
from peers.realm import HASH, PASSWORD, PING, SEND, RealmServer, realm_of, talk_for
from peers.realm_crowd import TO_CROWD, RealmCrowd
from picture import picture
from rows import size as many
from rows.memory import held
from table import circumstances, markdown

KEPT_CONNECTIONS = 50  # of the most that a realm takes, for those who ask beside the crowd
CONNECTIONS_MAX = 19500
STEPS = 4
OPERATORS = 10
LINKS = (1, 10, 50, 100, 200)
IDLE_S = 2
ADD_S = 7200
# The panels of the picture: a line that stays level is a cost that does not grow.
MEMORY, START, SPEED = "memory each", "seconds to start", "requests a second"
UNITS = {MEMORY: "B", START: "s", SPEED: "/s"}


class Curves:
    """Points of the picture, by panel and line."""

    def __init__(self):
        self.lines = {}

    def add(self, panel, label, style, x, y):
        self.lines.setdefault((panel, label, style), []).append((x, y))

    def svg(self):
        panels = []
        for panel, unit in UNITS.items():
            lines = [(label, style, points)
                     for (this_panel, label, style), points in self.lines.items()
                     if this_panel == panel]
            if lines:
                panels.append((panel, "how many there are", lines, unit))
        return picture(panels) if panels else None


def say(text):
    print(text, file=sys.stderr, flush=True)


def steps_to(most):
    """Sizes by tens up to the most: 1000, 10000, 100000, 1000000."""
    return [most // 10 ** power for power in reversed(range(STEPS))]


def stored_bytes(realm):
    """What the store takes on the disk."""
    return os.stat(os.path.join(realm.data, "store.mdb")).st_blocks * 512


def started_s(server):
    began = time.monotonic()
    server.realm.start()
    return time.monotonic() - began


class Grown(RealmServer):
    """A realm that is filled in steps, and looked at after a fresh start each time."""

    def __enter__(self):
        self.realm.start()
        self.empty_bytes = self.memory_bytes()
        return self

    def again(self):
        """Stops and starts it: the seconds until it was ready, and the bytes that it holds."""
        self.realm.stop()
        return started_s(self), self.memory_bytes() - self.empty_bytes


def seconds(value):
    return f"{value:.3f} s"


def add(bench, server, template, count, **shape):
    """Requests that each make something new; how many a second."""
    talk = Talk(template, SEND.steps, error="ERROR")
    load = Load(bench, server, talk, **{"seconds": ADD_S, "requests": count, **shape})
    return load.result()["per_s"]


def row_of(server, size, per_s, curves, what):
    start_s, held_bytes = server.again()
    curves.add(MEMORY, what, what, size, held_bytes / size)
    curves.add(START, what, what, size, start_s)
    return [f"{size:,}", shown(per_s, "/s"), shown(held_bytes / size, "B"), seconds(start_s),
            shown(stored_bytes(server.realm) / size, "B")]


def messages(bench, curves):
    """The same realm with more and more of them: nothing but its store is to grow."""
    rows = []
    for count in steps_to(bench.options.messages):
        say(f"messages: {count}")
        with realm_of(bench) as server:
            many.fill(bench, server, count)
            server.realm.stop()
            each = stored_bytes(server.realm) / count
            clean_s = started_s(server)
            held_bytes = server.memory_bytes()
            speeds = [many.sends_per_s(bench, server, pipeline) for pipeline in (1, 16)]
            pages = [many.page_us(bench, server, where)
                     for where in ("", many.deep_within(count))]
            many.kill_under_load(bench, server)
            killed_s = started_s(server)
        for label, seconds_taken in (("messages", clean_s), ("messages, after kill -9", killed_s)):
            curves.add(START, label, "messages", count, seconds_taken)
        curves.add(SPEED, "SEND P16, with messages", "messages", count, speeds[1])
        curves.add(SPEED, "pages deep inside", "pages", count, 1e6 / pages[1])
        rows.append([f"{count:,}", *(shown(speed, "/s") for speed in speeds),
                     *(shown(page, "µs") for page in pages), seconds(clean_s), seconds(killed_s),
                     f"{held_bytes / 1e6:.1f} MB", shown(each, "B")])
    return ["messages", "SEND, P1", "SEND, P16", "newest page", "deep page", "start", "after kill",
            "memory", "store each"], rows


def users(bench, curves):
    """Operators import them; then most get a message, and so have a mailbox."""
    rows = []
    with Grown(bench) as server:
        for number in range(OPERATORS):
            administer(server.realm, f"IMPORTUSER u{number} {HASH} operator")
        there = 0
        for size in steps_to(bench.options.users - OPERATORS):
            say(f"users: {size}")
            count, there = size - there, size
            per_s = add(bench, server, rf"IMPORTUSER n{size}-%n {HASH}\n", count,
                        pipeline=100, connections=OPERATORS)
            rows.append(row_of(server, size, per_s, curves, "users"))
        rows.append(mailboxes(bench, server, f"n{there}", count))
    return ["users", "IMPORTUSER, P100", "memory each", "start", "store each"], rows


def mailboxes(bench, server, names, count):
    before = server.memory_bytes()
    per_s = add(bench, server, rf"SEND {names}-%n %p{{160}}\n", count, pipeline=100,
                connections=OPERATORS)
    sent = server.memory_bytes() - before
    start_s, _ = server.again()
    return [f"a first message to {count:,}", shown(per_s, "/s"), f"+ {shown(sent / count, 'B')}",
            seconds(start_s), ""]


def groups(bench, curves):
    """Each costs a slow hash: its key. Both cores compute them."""
    rows = []
    with Grown(bench, bench.all_cores) as server:
        for number in range(KEPT_CONNECTIONS):
            administer(server.realm, f"IMPORTUSER u{number} {HASH}")
        there = 0
        for size in steps_to(bench.options.groups):
            say(f"groups: {size}")
            count, there = size - there, size
            per_s = add(bench, server, rf"ADDGROUP g{size}-%n {PASSWORD}\n", count,
                        connections=KEPT_CONNECTIONS, cores=bench.all_cores)
            rows.append(row_of(server, size, per_s, curves, "groups"))
    return ["groups", "ADDGROUP", "memory each", "start", "store each"], rows


def connections(bench, curves):
    rows = []
    crowd = talk_for(bench, SEND, CONNECTIONS_MAX)
    for size in (0, 1000, 5000, 10000, CONNECTIONS_MAX - KEPT_CONNECTIONS):
        say(f"connections: {size}")
        with realm_of(bench) as server, contextlib.ExitStack() as stack:
            each = stack.enter_context(held(bench, server, crowd, size)) if size else None
            speeds = [measured(bench, server, talk, pipeline=pipeline)["per_s"]
                      for talk in (PING, SEND) for pipeline in (1, 16)]
        if size:
            curves.add(MEMORY, "connections", "connections", size, each)
            curves.add(SPEED, "PING P16, with connections", "ping", size, speeds[1])
            curves.add(SPEED, "SEND P16, with connections", "send", size, speeds[3])
            rows.append([f"{size:,}", "" if each is None else shown(each, "B"),
                         *(shown(speed, "/s") for speed in speeds)])
    return ["idle connections", "memory each", "PING, P1", "PING, P16", "SEND, P1",
            "SEND, P16"], rows


def links(bench, curves):
    """All of them to real realms, each a process of its own."""
    rows = []
    with RealmCrowd(bench) as crowd:
        alone_bytes = crowd.memory_bytes()
        for size in [size for size in LINKS if size <= bench.options.links]:
            say(f"links: {size}")
            crowd.grow(size)
            each = (crowd.memory_bytes() - alone_bytes) / size
            speeds = [measured(bench, crowd, talk_for(bench, talk, size), connections=clients,
                               pipeline=pipeline)["per_s"]
                      for talk, clients, pipeline in ((TO_CROWD, size, 16), (PING, 50, 1))]
            idle_share = crowd.cpu_share(IDLE_S)
            start_s = restarted_s(crowd)
            curves.add(MEMORY, "links", "links", size, each)
            curves.add(START, "links, until all are up", "links", size, start_s)
            curves.add(SPEED, "SENDREALM to all links", "links", size, speeds[0])
            rows.append([f"{size}", shown(each, "B"), f"{idle_share:.2%}",
                         *(shown(speed, "/s") for speed in speeds), seconds(start_s)])
    return ["links", "memory each", "of a core, idle", "SENDREALM to all, P16", "PING, C50 P1",
            "start until all are up"], rows


def restarted_s(crowd):
    crowd.hub.realm.stop()
    began = time.monotonic()
    crowd.hub.realm.start()
    crowd.await_links()
    return time.monotonic() - began


TABLES = {"messages": messages, "users": users, "groups": groups, "connections": connections,
          "links": links}


def write(options, name, text):
    with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
        file.write(text)


def options_of(arguments):
    parser = parser_of(__doc__)
    parser.set_defaults(slow=8.0)
    parser.add_argument("--only", default=",".join(TABLES), metavar="NAME,NAME",
                        help=f"which of {', '.join(TABLES)} (default: all)")
    parser.add_argument("--messages", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--users", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--groups", type=int, default=100_000, metavar="N",
                        help="each takes 14 ms of a core: 100,000 need 12 minutes")
    parser.add_argument("--links", type=int, default=200, metavar="N")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = options_of(arguments)
    parts = [circumstances()]
    curves = Curves()
    with bench_of(options) as bench:
        for name in options.only.split(","):
            parts.append(markdown(*TABLES[name](bench, curves)))
            print(parts[-1] + "\n", flush=True)
            # After each: whoever ends it early has what was measured.
            write(options, "growth.md", "\n\n".join(parts) + "\n")
            write(options, "growth.svg", curves.svg())
    return 0


if __name__ == "__main__":
    sys.exit(main())
