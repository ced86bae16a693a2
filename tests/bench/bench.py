"""What all measurements share: options, programs, cores, a scratch directory on a real disk."""

import argparse
import contextlib
import itertools
import json
import os
import resource
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "box"))

from harness.failure import Failure, Mistake  # pylint: disable=wrong-import-position
from harness.runner import end_on_sigterm  # pylint: disable=wrong-import-position

DESCRIPTORS = 20000
IN_MEMORY = ("tmpfs", "ramfs")


class Bench:
    """A run: where its programs are, where it may write, which cores serve and which ask."""

    def __init__(self, options, scratch):
        self.options = options
        self.scratch = scratch
        self.seconds = options.seconds
        self.numbers = itertools.count()
        self.raw = None
        self.kept = {}
        cores = sorted(os.sched_getaffinity(0))
        self.all_cores = ",".join(map(str, cores[:2]))
        self.server_core = str(cores[0])
        self.client_core = str(cores[1 % len(cores)])

    def program(self, name):
        path = os.path.join(self.options.binaries, name)
        if not os.access(path, os.X_OK):
            raise Failure(f"no program at {path}")
        return path

    def folder(self, name):
        """A fresh folder of the scratch directory."""
        path = os.path.join(self.scratch, f"{next(self.numbers)}-{name}")
        os.mkdir(path, 0o700)
        return path

    def once(self, name, make):
        """What is made at its first use and kept for the whole run."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def note(self, **facts):
        """One raw line of the results file."""
        if self.raw:
            self.raw.write(json.dumps(facts) + "\n")
            self.raw.flush()


def parser_of(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--binaries", default=os.path.join(ROOT, "build/release/bin"),
                        metavar="DIR", help="the programs of another build; nothing is built then")
    parser.add_argument("--out", default=os.path.join(ROOT, "build/bench"), metavar="DIR",
                        help="where results go (default: build/bench)")
    parser.add_argument("--scratch", default="/var/tmp", metavar="DIR",
                        help="a directory on a real disk (default: /var/tmp)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S",
                        help="of each measurement (default: 1)")
    return parser


@contextlib.contextmanager
def bench_of(options):
    """A Bench whose scratch directory is gone at the end; its results file is begun anew."""
    end_on_sigterm()
    options.binaries = os.path.abspath(options.binaries)
    raise_descriptors()
    scratch = tempfile.mkdtemp(prefix="realmgate-bench-", dir=options.scratch)
    os.makedirs(options.out, exist_ok=True)
    try:
        check_disk(scratch)
        with open(os.path.join(options.out, "results.jsonl"), "w", encoding="utf-8") as raw:
            bench = Bench(options, scratch)
            bench.raw = raw
            yield bench
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def raise_descriptors():
    """Servers and generators inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def check_disk(path):
    """Without a disk nothing durable can be measured."""
    if file_system_of(path) in IN_MEMORY:
        raise Failure(f"{path} lies in memory: give a directory on a disk with --scratch")


def file_system_of(path):
    found, kind = "", ""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, place, this_kind, *_ = line.split()
            below = os.path.join(place, "")
            if os.path.join(path, "").startswith(below) and len(below) >= len(found):
                found, kind = below, this_kind
    return kind
