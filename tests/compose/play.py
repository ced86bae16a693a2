#!/usr/bin/env python3
"""Plays transcripts against the running realms of compose.yaml, and prints them as they go.

The language is the one of tests/box, with three differences. `realm b` takes the realm as it is,
with whatever is in it: names that end in `$run` are new ones. `cut b` and `mend b` take b out of
the network between the realms and put it back, while its clients still reach it; `restart b` makes
it a new container on its old volume. `apart 40s` waits until the last cut is that old.

What only the engine can do, somebody with hands must do: with --hands each such wish is a line
`hands: kill b` on standard output, and is answered by a line `done` on standard input. Without
hands only the transcripts that wish for nothing are played.
"""

import argparse
import json
import os
import re
import secrets
import select
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "box"))

from harness import play  # noqa: E402
from harness.connection import Connection  # noqa: E402
from harness.failure import Failure, Mistake, shortened  # noqa: E402
from harness.realm import Realm  # noqa: E402
from harness.runner import end_on_sigterm, play_out  # noqa: E402
from harness.values import seconds  # noqa: E402

REALMS = "/realms"
CLIENT_PORT = 9000
FEDERATION_PORT = 9100
HANDS_S = 120
HANDY = re.compile(r"(?:cut|mend|stop|kill|start|restart|pause|resume) [abc]\b")

play.STATEMENTS.append((re.compile(r"apart (\S+)"), "apart"))


class Hands:
    """Whoever started us, and can handle containers."""

    def do(self, wish):
        print(f"hands: {wish}", flush=True)
        if not select.select([sys.stdin], [], [], HANDS_S)[0]:
            raise Failure(f"nobody did {wish!r} within {HANDS_S} s")
        answer = sys.stdin.readline().strip()
        if answer != "done":
            raise Failure(f"{wish!r} was answered {answer!r}")


class ContainerRealm(Realm):
    """A realm in a container of its own: its admin socket is in a volume, its ports are its own."""

    running = True  # a thing that is said here, not asked of a process

    def __init__(self, place, handle, hands):
        self.place = place
        self.hands = hands
        self.handle = self.name = handle
        self.data = os.path.join(REALMS, handle)
        self.clients = (handle, CLIENT_PORT)
        self.federation = (handle, FEDERATION_PORT)
        self.known_key = self.log_path = None
        self.paused = False
        self.running = True

    def require_running(self):
        if not self.running:
            raise Mistake(f"realm {self.handle} is not running")
        return self

    def check_alive(self):
        """Its health check tells the engine."""

    def wait(self, bound_s):
        """There is no process of ours to wait for."""

    def start(self, extra=()):
        self.hands.do(f"start {self.handle}")
        self.await_ready()

    def recreate(self):
        self.hands.do(f"restart {self.handle}")
        self.await_ready()

    def stop(self):
        self.running = False
        self.hands.do(f"stop {self.handle}")

    def kill(self):
        self.running = False
        self.hands.do(f"kill {self.handle}")

    def pause(self):
        self.paused = True
        self.hands.do(f"pause {self.handle}")

    def resume(self):
        self.hands.do(f"resume {self.handle}")
        self.paused = False

    def await_ready(self):
        """Until it answers, as a person with nc would see it."""
        deadline = time.monotonic() + self.place.patience_s
        while not self.answers():
            if time.monotonic() > deadline:
                raise Failure(f"realm {self.handle} does not answer on {self.clients}")
            time.sleep(play.POLL_S_MIN)
        self.running = True

    def answers(self):
        try:
            probe = Connection(f"probe@{self.handle}", self.clients, 1)
            try:
                probe.send(b"PING\n")
                return json.loads(probe.frame())["data"] == "PONG"
            finally:
                probe.close()
        except Failure:
            return False

    def log_lines(self):
        return []

    def discard(self):
        """It outlives the transcript; a hand that was laid on it is taken off."""
        if self.paused:
            self.resume()
        if not self.running:
            self.start()


class ContainerPlay(play.Play):
    """A transcript of containers, which tells what is said and when."""

    def __init__(self, text, run, hands):
        super().__init__(text.replace("$run", run), "/usr/local/bin/realmgate")
        self.hands = hands
        self.began = time.monotonic()
        self.cut_at = None
        self.cut_off = set()
        self.told = []

    # What is told.

    def tell_line(self, text):
        self.told.append(f"{time.monotonic() - self.began:7.2f} s  {text}")
        if not self.polling:
            self.flush()

    def flush(self):
        for line in self.told:
            print(line, flush=True)
        self.told = []

    def say(self, step, name, text):
        self.tell_line(f"{self.named(name)}> {self.scope.substitute(text)}")
        super().say(step, name, text)

    def hear(self, step, name, text):
        super().hear(step, name, text)
        self.tell_line(f"{self.named(name)}< {told(self.known_connection(name).last_frame)}")

    def tried(self, step, last, duration):
        """Of the tries of `eventually` only the last is told."""
        before = len(self.told)
        right = super().tried(step, last, duration)
        if not right:
            del self.told[before:]
        return right

    def eventually(self, step, duration):
        began = time.monotonic()
        super().eventually(step, duration)
        took_s = time.monotonic() - began
        self.tell_line(f"   that took {took_s:.2f} s, of {duration} at most")
        if took_s > seconds(duration) * self.place.slow:
            raise Failure(f"true only after {took_s:.2f} s, not within {duration}")

    def sees(self, step, one, other, state):
        super().sees(step, one, other, state)
        self.tell_line(f"{one} sees {other} {state}")

    # What is done to realms.

    def realm(self, step, handle, words):
        if words:
            raise Mistake(f"{handle} runs already: it takes no options")
        self.realms[handle] = self.scope.things[handle] = ContainerRealm(self.place, handle,
                                                                         self.hands)

    def handle_realms(self, step, what, handles):
        super().handle_realms(step, what, handles)
        self.tell_line(f"{what}{handles}")

    def start(self, step, handle, words):
        self.the_realm(handle).start()
        self.tell_line(f"start {handle}: it answers")

    def restart(self, step, handle, words):
        self.lose_connections(handle)
        self.the_realm(handle).recreate()
        self.tell_line(f"restart {handle}: a new container with the old volume answers")

    def handle_relay(self, step, what, name):
        """The network itself is the relay."""
        if what == "stall":
            raise Mistake("containers can be cut off, not stalled")
        self.the_realm(name)
        self.hands.do(f"{what} {name}")
        self.tell_line(f"{what} {name}")
        if what == "cut":
            self.cut_off.add(name)
            self.cut_at = time.monotonic()
        else:
            self.cut_off.discard(name)

    def apart(self, step, duration):
        left_s = self.cut_at + seconds(duration) - time.monotonic()
        time.sleep(max(0.0, left_s))
        self.tell_line(f"apart for {time.monotonic() - self.cut_at:.1f} s")

    def end_realms(self):
        """They go on."""

    def discard(self, keep=False):
        self.flush()
        for name in sorted(self.cut_off):
            self.hands.do(f"mend {name}")
        super().discard(keep)


def told(frame):
    """A reply as it came, or, of a mailbox, a line for each message."""
    messages = json.loads(frame)["data"]
    if len(frame) < 300 or not isinstance(messages, list) or "message" not in messages[0]:
        return shortened(frame)
    lines = [f"{one['seq']:4}  {one['id']:8} {one['from']}: {one['message']}" for one in messages]
    return "\n".join([f"{len(messages)} messages", *[f"{'':14}{line}" for line in lines]])


def play_file(path, hands):
    """Plays one transcript and prints its verdict; True if it passed."""
    name = os.path.basename(path)
    print(f"\n-- {name}", flush=True)
    began = time.monotonic()
    try:
        with open(path, encoding="utf-8") as file:
            played = ContainerPlay(file.read(), f"-{secrets.token_hex(2)}", hands)
        problems = play_out(played, name, False)
    except (Failure, Mistake) as problem:
        problems = [str(problem)]
    took = f"{time.monotonic() - began:.1f} s"
    verdict = "FAIL" if problems else "ok  "
    print("\n".join([f"{verdict}  {name} ({took})", *[f"      {line}" for line in problems]]),
          flush=True)
    return not problems


def needs_hands(path):
    with open(path, encoding="utf-8") as file:
        return any(HANDY.match(line.strip()) for line in file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hands", action="store_true",
                        help="wishes for containers are printed, and answered on standard input")
    parser.add_argument("names", nargs="*", help="transcripts (default: all)")
    options = parser.parse_args()
    end_on_sigterm()
    names = options.names or sorted(name for name in os.listdir(HERE) if name.endswith(".chat"))
    paths = [os.path.join(HERE, name) for name in names]
    playable = [path for path in paths if options.hands or not needs_hands(path)]
    verdicts = [play_file(path, Hands()) for path in playable]
    if len(playable) < len(paths):
        print(f"{len(paths) - len(playable)} transcripts handle containers: tests/compose/run "
              "plays those too", flush=True)
    print(f"{sum(verdicts)} passed, {len(verdicts) - sum(verdicts)} failed", flush=True)
    return 0 if verdicts and all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
