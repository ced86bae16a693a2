"""The load generator bench_load: what it says to a server, and what it measured."""

import dataclasses
import json
import subprocess

from bench import Failure
from server import pinned, tail

FRAME_END = r"\r\n\r\n"
PATIENCE_S = 60  # longer than a load is meant to take


@dataclasses.dataclass(frozen=True)
class Step:
    """Something that each connection says before it begins, and how its answer ends."""

    text: str
    ends: str = FRAME_END
    count: int = 1


@dataclasses.dataclass(frozen=True)
class Talk:
    """The requests of a load, in the generator's template language."""

    template: str
    steps: tuple = ()
    ends: str = FRAME_END
    error: str = ""
    options: tuple = ()

    def words(self):
        words = ["--reply-ends", self.ends, *self.options]
        for step in self.steps:
            words += ["--init", step.text, "--init-ends", step.ends,
                      "--init-count", str(step.count)]
        if self.error:
            words += ["--error", self.error]
        return words + [self.template]


class Load:
    """A generator at work beside us."""

    def __init__(self, bench, server, talk, cores=None, before=(), **options):
        options = {"port": server.port, "connections": 50, "pipeline": 1,
                   "seconds": bench.seconds, **options}
        if server.other_port:
            options["other_port"] = server.other_port
        self.bench = bench
        self.patience_s = options["seconds"] + PATIENCE_S
        self.what = f"{server.name}: {talk.template[:40]}"
        self.complaints = bench.folder("load") + "/complaints"
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        with open(self.complaints, "wb") as complaints:
            self.process = subprocess.Popen(
                [*pinned(cores or bench.client_core), *before, bench.program("bench_load"),
                 *words, *talk.words()], stdout=subprocess.PIPE, stderr=complaints, text=True)

    def result(self, errors_allowed=False):
        """Waits for the end; the measured figures."""
        try:
            output, _ = self.process.communicate(timeout=self.patience_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise Failure(f"{self.what}: the generator does not end") from None
        return self.read(output, errors_allowed)

    def read(self, output, errors_allowed):
        if self.process.returncode != 0 or not output:
            raise Failure(f"{self.what}: the generator gave up: exit code "
                          f"{self.process.returncode}", *tail(self.complaints))
        figures = json.loads(output.splitlines()[-1])
        self.bench.note(what=self.what, **figures)
        if (figures["errors"] or figures["dead"]) and not errors_allowed:
            raise Failure(f"{self.what}: {figures['errors']} errors, {figures['dead']} "
                          "connections lost")
        return figures

    def await_held(self):
        """Waits until all connections of a generator that only holds them have logged in."""
        line = self.process.stdout.readline()
        figures = json.loads(line) if line else {"dead": "all"}
        self.bench.note(what=self.what, **figures)
        if figures["dead"]:
            raise Failure(f"{self.what}: {figures['dead']} connections lost",
                          *tail(self.complaints))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def measured(bench, server, talk, **options):
    """The figures of one load from beginning to end. A machine whose disk stood still all the time
    gets a second chance."""
    try:
        return Load(bench, server, talk, **options).result()
    except Failure as failure:
        bench.note(what=server.name, again=str(failure))
        return Load(bench, server, talk, **options).result()


def in_turn(round_number, theirs, ours):
    """Both results, theirs and ours; who comes first changes from round to round."""
    if round_number % 2 == 0:
        its = theirs()
        return its, ours()
    own = ours()
    return theirs(), own
