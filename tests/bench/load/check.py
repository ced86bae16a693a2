#!/usr/bin/env python3
"""The load generator tells what happened: counts, percentiles, stalls. It is played against the
echo floor, which says of itself what it got and when it stood still."""

import argparse
import collections
import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

FIELDS = [
    "name", "mode", "connections", "pipeline", "requests", "errors", "dead", "seconds", "per_s",
    "bytes_in", "bytes_out", "p50_us", "p90_us", "p99_us", "p999_us", "max_us", "mean_us",
]
REPLY_BYTES = 45
CONNECT_S = 20
END_S = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    end = time.monotonic() + CONNECT_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.01)
    raise SystemExit("the floor does not listen")


class Check:
    def __init__(self, programs, folder):
        self.programs = programs
        self.folder = folder
        self.problems = []

    @contextlib.contextmanager
    def floor(self, *options):
        port = free_port()
        words = [self.programs / "bench_floor", f"--port={port}", *options]
        with subprocess.Popen(words) as process:
            try:
                wait_for_port(port, process)
                yield port
            finally:
                process.terminate()

    def load(self, port, *words, code=0):
        """The result of a load, whose fields are all there."""
        done = subprocess.run(
            [self.programs / "bench_load", f"--port={port}", *words],
            capture_output=True, text=True, timeout=END_S, check=False)
        self.true(done.returncode == code, f"{words}: exit code {done.returncode}: {done.stderr}")
        result = json.loads(done.stdout) if done.stdout else {}
        if "--hold" not in words and code != 2:
            self.true(list(result) == FIELDS, f"{words}: {done.stdout!r}")
        return collections.defaultdict(int, result)

    def true(self, holds, problem):
        if not holds:
            self.problems.append(problem)
            print(f"FAILED {problem}", flush=True)


def ordered(result):
    figures = [result[name] for name in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")]
    return figures == sorted(figures) and 0 < result["mean_us"] <= result["max_us"]


def check_closed_loop(check):
    with check.floor() as port:
        result = check.load(port, "--name=x", "--connections=7", "--pipeline=3", "--seconds=0.5",
                            "SEND u%R %p{55}\\n")
    check.true((result["name"], result["mode"]) == ("x", "closed"), f"told as {dict(result)}")
    check.true((result["connections"], result["pipeline"]) == (7, 3), f"told as {dict(result)}")
    check.true(result["errors"] == result["dead"] == 0, f"errors: {dict(result)}")
    check.true(result["requests"] > 100 and ordered(result), f"no load: {dict(result)}")
    check.true(0.4 < result["seconds"] < 5, f"how long: {dict(result)}")
    check.true(abs(result["per_s"] * result["seconds"] / result["requests"] - 1) < 0.01,
               f"a speed that is none: {dict(result)}")


def check_exact_count(check):
    """What the durable floor has logged is what was asked, each place of the template filled in."""
    log = check.folder / "log"
    with check.floor(f"--log={log}") as port:
        result = check.load(
            port, "--connections=4", "--pipeline=16", "--requests=1001",
            "--init=hello %d %o %h%H %B\\n", "--init=bye %t\\n", "--capture=message",
            "--error=sent now",
            "%n %c <%t> %r %R %z %p{3}%%\\n")
    check.true(result["requests"] == 1001, f"requests: {dict(result)}")
    check.true(result["errors"] == 1001, f"errors: {dict(result)}")
    check.true(result["bytes_in"] == 1001 * REPLY_BYTES, f"bytes: {dict(result)}")
    lines = log.read_text(encoding="ascii").splitlines()
    hellos = sorted(line for line in lines if line.startswith("hello"))
    check.true(hellos == ["hello 0 1 ab AHUwAHA=", "hello 1 0 ba AHUxAHA=",
                          "hello 2 3 ab AHUyAHA=", "hello 3 2 ba AHUzAHA="], f"init: {hellos}")
    check.true(lines.count("bye ") == 4, "what is captured later was known before")
    requests = [line.split(" ") for line in lines if line[0].isdigit()]
    check.true(sorted(int(words[0]) for words in requests) == list(range(1001)), "%n is no count")
    for words in requests:
        number, own, *message, peer, below, digits, padding = words
        sound = (message == ["<Message", "sent", "now.>"] and int(own) <= int(number)
                 and int(peer) < 4 and int(below) < 10000 and len(digits) == 5
                 and int(digits) < 10000 and padding == "xxx%")
        check.true(sound, f"a request: {words}")


def check_capture(check):
    """Without a step of its own, what is captured comes from the first reply that has it."""
    log = check.folder / "log"
    with check.floor(f"--log={log}") as port:
        check.load(port, "--capture=message", "--init=a\\n", "--init=<%t>\\n", "--requests=50",
                   "x\\n")
    check.true(log.read_text(encoding="ascii").count("<Message sent now.>\n") == 50, "captured")


def check_open_loop(check):
    """Asked at a rate, a stall shows in the percentiles: each request counts that was due in it."""
    words = ("--connections=20", "--pipeline=2", "--rate=2000", "--seconds=1.3", "x\\n")
    with check.floor("--stall-ms=400") as port:
        stalled = check.load(port, *words)
        sound = check.load(port, *words)
    for result in (stalled, sound):
        check.true(result["mode"] == "open" and result["errors"] == 0, f"open: {dict(result)}")
        check.true(result["requests"] == 2600, f"as many as were due: {dict(result)}")
        check.true(ordered(result), f"order: {dict(result)}")
    # 800 of 2600 were due in the stall, evenly: the slowest hundredth waited over 380 ms.
    check.true(stalled["p90_us"] > 200_000, f"a stall is hidden: {dict(stalled)}")
    check.true(stalled["p99_us"] > 370_000, f"a stall is hidden: {dict(stalled)}")
    check.true(stalled["p50_us"] < 400_000, f"all are slow: {dict(stalled)}")
    check.true(sound["p90_us"] < stalled["p90_us"] / 2, f"slow without a stall: {dict(sound)}")


def check_overload(check):
    """More than the floor can do: all of it is asked all the same, and the wait of all counts."""
    with check.floor() as port:
        result = check.load(port, "--connections=1", "--rate=1000000", "--seconds=0.05",
                            "--warm-up=0", "x\\n")
    check.true(result["requests"] == 50000, f"asked: {dict(result)}")
    check.true(result["seconds"] > 0.1 and result["p50_us"] > 10_000, f"a wait: {dict(result)}")


def check_replies_and_ports(check):
    """Replies of several ends; odd connections on another port, whose log has their requests."""
    logs = [check.folder / "even", check.folder / "odd"]
    with check.floor(f"--log={logs[0]}") as even, check.floor(f"--log={logs[1]}") as odd:
        result = check.load(even, f"--other-port={odd}", "--connections=6", "--replies=2",
                            "--requests=60", "--settle=0.1", "--quick-ack", "--addresses=3",
                            "a%d\\nb\\n")
    check.true(result["requests"] == 60, f"replies: {dict(result)}")
    lines = [log.read_text(encoding="ascii").split() for log in logs]
    check.true(sum(map(len, lines)) == 120, f"lines on both ports: {lines}")
    for parity in (0, 1):
        own = {line for line in lines[parity] if line != "b"}
        check.true(own == {f"a{number}" for number in range(parity, 6, 2)}, f"connections {own}")


def check_failures(check):
    silent = check.load(free_port(), "--timeout=2", "x\\n", code=1)
    check.true(silent["dead"] == 50, f"nobody there: {dict(silent)}")
    with check.floor() as port:
        mute = check.load(port, "--timeout=0.5", "--connections=2", "--reply-ends=never",
                          "--warm-up=0", "x\\n", code=1)
        check.true(mute["requests"] == 0 and mute["errors"] == 2, f"no replies: {dict(mute)}")
        check.true(mute["p50_us"] > 400_000, f"no wait: {dict(mute)}")
        held = check.load(port, "--connections=20", "--init=x\\n", "--hold", "0.05")
        check.true(held["held"] == 20 and held["mode"] == "hold", f"held: {dict(held)}")
        for words in (["%q"], ["%p{x}"], ["--rate=-1", "x"], ["--pipeline=1.5", "x"], [],
                      ["--init-count=2", "x"], ["x", "y"], ["--unknown", "x"]):
            check.load(port, *words, code=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        check = Check(options.programs, pathlib.Path(folder))
        for part in (check_closed_loop, check_exact_count, check_capture, check_open_loop,
                     check_overload, check_replies_and_ports, check_failures):
            part(check)
    print(f"{len(check.problems)} problems")
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main())
