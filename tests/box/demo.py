#!/usr/bin/env python3
"""`realmgate demo`: the lines that it prints work as they are, and it leaves nothing behind."""
# box-program

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

from harness.failure import Failure
from harness.runner import run_checks
from harness.scratch import scratch_place

START_S = 30
END_S = 10
LAST_WORDS = "Ctrl-C"


def read_until_last_words(process, bound_s):
    """All that the demo prints up to the line that tells how to end it."""
    deadline, text = time.monotonic() + bound_s, b""
    while LAST_WORDS.encode() not in text or not text.endswith(b"\n"):
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([process.stdout], [], [], left_s)[0]:
            raise Failure(f"the demo is not ready within {bound_s:g} s", *text.decode().split("\n"))
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            raise Failure("the demo ended by itself", *text.decode().split("\n"))
        text += data
    return text.decode()


def lines_to_try(text):
    """The command lines that are printed for people to paste."""
    lines = [line.strip() for line in text.split("\n")
             if re.search(r"\bnc (-N )?127\.0\.0\.1 ", line)]
    piped = [line for line in lines if line.startswith("printf ")]
    typed = re.findall(r"^nc (127\.0\.0\.1 \d+)", "\n".join(lines), re.MULTILINE)
    if len(piped) < 2:
        raise Failure("the demo prints no nc lines to try", *text.split("\n"))
    return piped + [f"printf 'HELP\\n' | nc -N {address}" for address in typed]


def try_line(line, environment, bound_s):
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True,
                          timeout=bound_s, env=environment, check=False)
    frames = [frame for frame in done.stdout.replace("\r", "").split("\n\n") if frame]
    if done.returncode != 0 or not frames or \
            any(not frame.startswith('{"status":"OK","data":') for frame in frames):
        raise Failure(f"a line that the demo prints does not work: {line}",
                      done.stdout, done.stderr)
    return frames


def check_gone(text, scratch):
    left = [name for name in os.listdir(scratch) if name != "bin"]
    if left:
        raise Failure(f"the demo left something behind: {left}")
    for port in set(re.findall(r"127\.0\.0\.1[: ](\d+)", text)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                raise Failure(f"somebody still listens on port {port}")


def play_demo(options, ending):
    with scratch_place(options) as place:
        process = subprocess.Popen([place.binary, "demo"], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=place.environment,
                                   cwd=place.scratch)
        try:
            text = read_until_last_words(process, START_S * place.slow)
            frames = [try_line(line, place.environment, place.patience_s)
                      for line in lines_to_try(text)]
            process.send_signal(ending)
            code = process.wait(END_S * place.slow)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"the demo or a line of it does not end: {error}") from None
        finally:
            process.kill()
            process.wait()
        if code != 0:
            raise Failure(f"the demo ended with exit code {code}")
        check_gone(text, place.scratch)
        return f"{len(frames)} lines tried"


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [
        ("demo, its lines, Ctrl-C", lambda options: play_demo(options, signal.SIGINT)),
        ("demo, its lines, SIGTERM", lambda options: play_demo(options, signal.SIGTERM))]))
