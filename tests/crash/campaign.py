"""The crash test: real realms are killed, paused, starved and cut off under load, and every promise
that a client was given is checked from outside."""

import argparse
import collections
import os
import resource
import shutil
import sys
import tempfile
import time

from harness.failure import Failure
from harness.realm import Place
from harness.runner import end_on_sigterm

import ground as grounds
from faults import kills_in
from world import NAMES, World

ROUND_S = 15
HEALING_S = 8         # what a round takes beside its faults, roughly
ROUNDS_OF_A_WORLD = 12
REQUESTS = ("SEND", "SENDGROUP", "SENDREALM", "SENDGROUPREALM")


def options_of():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/release/bin/realmgate",
                        help="the realmgate program under test")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draws the faults")
    parser.add_argument("--seconds", type=float, default=45, metavar="N", help="about so long")
    parser.add_argument("--kills", type=int, metavar="N",
                        help="until so many realms were killed under load")
    parser.add_argument("--endless", action="store_true",
                        help="until something is found, a new seed for each world")
    parser.add_argument("--realms", type=int, choices=(2, 3), help="otherwise drawn from the seed")
    parser.add_argument("--slow", type=float, default=1.0, metavar="F",
                        help="multiplies every bound of time (sanitizers, loaded machines)")
    parser.add_argument("--keep", action="store_true", help="keep the data of what failed")
    return parser.parse_args()


class Campaign:
    def __init__(self, options, mode):
        self.options = options
        self.mode = mode
        self.scratch = tempfile.mkdtemp(prefix=f"realmgate-crash-{os.getpid()}-")
        self.place = Place(os.path.abspath(options.binary), self.scratch, options.slow)
        self.began = time.monotonic()
        self.world = self.ground = None
        self.counts = collections.Counter()
        self.figures = collections.Counter()
        self.heals_s = []
        self.worlds = self.rounds = self.reread = 0

    def run(self):
        """0 if every promise was kept, 1 otherwise."""
        seed, status = self.options.seed, 0
        try:
            self.live(seed)
            while self.options.endless:
                seed += 1
                self.live(seed)
        except (Failure, grounds.GroundError) as failure:
            status = 1
            say(f"FAIL  seed {self.world.seed if self.world else seed}: {failure}")
            for line in [*getattr(failure, "details", []),
                         *(self.world.tails() if self.world else [])]:
                say(f"      {line[:1200]}")
        except (KeyboardInterrupt, SystemExit):
            status = 130
            say("interrupted")
        finally:
            self.end_world(keep=self.options.keep and status == 1)
            if self.options.keep and status == 1:
                say(f"kept: {self.scratch}")
            else:
                shutil.rmtree(self.scratch, ignore_errors=True)
        self.tell_figures(kept=status == 0)
        return status

    def live(self, seed):
        """One world, from its birth to its end."""
        names = NAMES[:self.options.realms or 2 + seed % 2]
        folder = os.path.join(self.scratch, f"world-{seed}")
        os.mkdir(folder)
        self.place.scratch = folder
        self.ground = grounds.Loopback() if self.mode == "loopback" else \
            grounds.Namespaces(folder, names)
        self.ground.make()
        for kind, reason in self.ground.missing:
            say(f"NOT RUN on this kernel: a network that is {kind!r} ({reason})")
        self.world = World(self.ground, self.place, seed, names)
        self.world.settle_down()
        while (length_s := self.next_round_s()) is not None:
            verdict = self.world.round(length_s)
            self.tell_round(verdict)
        self.world.close()
        self.end_world(keep=False)
        shutil.rmtree(folder)

    def next_round_s(self):
        """How long the next round may last; None if the world has to end."""
        world, options = self.world, self.options
        if options.endless:
            return ROUND_S if world.rounds < ROUNDS_OF_A_WORLD else None
        if options.kills is not None:
            return ROUND_S if world.chronicle.kills() < options.kills else None
        left_s = options.seconds - (time.monotonic() - self.began) - HEALING_S
        if world.rounds and left_s < HEALING_S:
            return None
        return max(5, min(left_s, ROUND_S))

    def tell_round(self, verdict):
        said = sum(verdict.figures[request, "said"] for request in REQUESTS)
        there = sum(verdict.figures[request, "there"] for request in REQUESTS)
        world = self.world
        say(f"seed {world.seed}, round {world.rounds}: {said} messages, {there} there, "
            f"{world.chronicle.kills()} kills so far, healed in {world.heals_s[-1]:.1f} s, "
            f"{time.monotonic() - self.began:.0f} s")

    def end_world(self, keep):
        """Whatever has come to be of it goes."""
        if self.world is not None:
            self.add_up(self.world)
            self.world.discard()
        if self.world is not None and keep:
            for victim in self.world.victims:
                shutil.copytree(victim.data, os.path.join(self.scratch, f"kept-{victim.handle}"),
                                ignore=shutil.ignore_patterns("admin.sock"))
        if self.ground is not None:
            self.ground.remove()
        self.world = self.ground = None

    def add_up(self, world):
        self.counts += world.chronicle.counts
        self.figures += world.figures
        self.heals_s += world.heals_s
        self.worlds += 1
        self.rounds += world.rounds
        self.reread += world.reread

    def tell_figures(self, kept):
        say(f"{self.worlds} worlds, {self.rounds} rounds, {time.monotonic() - self.began:.0f} s, "
            f"{self.mode}")
        for what, times in sorted(self.counts.items()):
            say(f"  {times:7d}  {what}")
        under_load = kills_in(self.counts, "at birth", "during start-up")
        say(f"  {under_load:7d}  kill -9 of a realm under load; {kills_in(self.counts)} in all")
        for request in REQUESTS:
            row = {what: count for (name, what), count in self.figures.items() if name == request}
            say(f"  {request}: " + ", ".join(f"{count} {what}" for what, count in row.items()
                                             if count))
        acknowledged = sum(count for (_, what), count in self.figures.items()
                           if what in ("OK", "delivered", "queued"))
        say(f"  {acknowledged} acknowledged" +
            (f", all of them there or bounced, once, in order; {self.reread} read again in the end"
             if kept else ""))
        if self.heals_s:
            say(f"  time to heal: {sum(self.heals_s) / len(self.heals_s):.1f} s on average, "
                f"{max(self.heals_s):.1f} s at most")


def say(text):
    print(text, flush=True)


def warn_of_loopback():
    say("=" * 78)
    say("No namespaces to be had here: neither as root nor as a user. Realms are only killed,")
    say("paused and stopped, on loopback. NOT RUN: cut, lossy and thin networks, full disks.")
    say("=" * 78)


def main():
    options = options_of()
    if not os.access(options.binary, os.X_OK):
        say(f"no program at {options.binary}")
        return 2
    mode = grounds.enter()
    if mode == "loopback":
        warn_of_loopback()
    end_on_sigterm()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    return Campaign(options, mode).run()


if __name__ == "__main__":
    sys.exit(main())
