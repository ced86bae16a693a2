"""Row 4: mailboxes are read at full speed while messages come in at half of their best rate."""

from bench import Failure
from generator import Load, Talk, measured
from goals import Goal
from harness.scratch import asked, connected
from peers.realm import AUTH, PASSWORD, SEND, realm_of

PAGE = 50
FILLING = 1_000_000  # a hundred messages a user
INBOX = Talk(rf"INBOX LIMIT {PAGE}\n", (AUTH,), error="ERROR")
# The readers' generator gives way to the one whose times are looked at.
NICE = ("nice", "-n", "19")
EXTRA_S = 0.6
PACE = 4400  # pages a second

SERVED = Goal("inbox-served", 4, f"INBOX of {PAGE}, C50 P16, messages served beside SEND", "", 1.0,
              fixed=200_000)
P99 = Goal("inbox-p99", 4, f"p99 of SEND at half its peak, beside {PAGE * PACE // 1000}k of them",
           "without reads", 1.5, at_most=True, unit="µs")
GREEDY = Goal("inbox-greedy-p99", 4, "p99 of SEND at half its peak, beside as many as go",
              "without reads", at_most=True, unit="µs")


def goals(_options):
    return (SERVED, P99, GREEDY)


def measure(bench, _round_number):
    with realm_of(bench) as ours:
        measured(bench, ours, SEND, pipeline=100, requests=FILLING, seconds=120)
        check_page(ours.realm)
        peak = measured(bench, ours, SEND, pipeline=16)["per_s"]
        flow = {"pipeline": 16, "rate": int(peak / 2)}
        alone = measured(bench, ours, SEND, **flow)["p99_us"]
        served, beside = while_reading(bench, ours, flow)
        yield SERVED.key, None, served
        yield GREEDY.key, alone, beside
        yield P99.key, alone, while_reading(bench, ours, flow, rate=PACE)[1]


def while_reading(bench, ours, flow, **pace):
    """Messages a second that are read, and p99 of SEND beside them."""
    reads = Load(bench, ours, INBOX, pipeline=16, before=NICE, seconds=bench.seconds + EXTRA_S,
                 **pace)
    beside = measured(bench, ours, SEND, **flow)
    return PAGE * reads.result()["per_s"], beside["p99_us"]


def check_page(realm):
    reader = connected(realm)
    asked(reader, f"AUTH u0 {PASSWORD}")
    count = len(asked(reader, f"INBOX LIMIT {PAGE}")["data"])
    reader.close()
    if count != PAGE:
        raise Failure(f"a page has {count} messages instead of {PAGE}")
