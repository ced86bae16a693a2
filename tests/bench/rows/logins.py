"""Row 7: RESUME at full speed; PING beside a storm of logins that each need the slow hash."""

from generator import Load, Talk, measured
from goals import Goal
from peers.realm import AUTH, PASSWORD, PING, realm_of
from rows.reading import EXTRA_S, NICE

RESUME = Talk(r"RESUME %t\n", (AUTH,), error="ERROR", options=("--capture", "data"))
# Each is the first login of its user.
STORM = Talk(rf"AUTH v%n {PASSWORD}\n", error="ERROR")
PING_RATE = 20_000

RESUMES = Goal("resume", 7, "RESUME, C50 P16", "", 1.0, fixed=50_000)
P99 = Goal("auth-storm-p99", 7, "p99 of PING at 20k/s, in a storm of cold AUTHs", "without storm",
           2.0, at_most=True, unit="µs")


def goals(_options):
    return (RESUMES, P99)


def measure(bench, _round_number):
    with realm_of(bench) as ours:
        yield RESUMES.key, None, measured(bench, ours, RESUME, pipeline=16)["per_s"]
        calm = measured(bench, ours, PING, rate=PING_RATE)
        storm = Load(bench, ours, STORM, before=NICE, seconds=bench.seconds + EXTRA_S)
        stormy = measured(bench, ours, PING, rate=PING_RATE)
        storm.result()
        yield P99.key, calm["p99_us"], stormy["p99_us"]
