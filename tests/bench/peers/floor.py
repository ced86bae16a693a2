"""The floors: a server that only echoes, and one that also writes and flushes once a turn."""

import os

from generator import Talk
from server import Server, free_port

ECHO_TALK = Talk(r"PING\n")
DURABLE_TALK = Talk(r"SEND u%R %p{160}\n")


class EchoFloor(Server):
    """The least that a server of lines can do."""

    name = "echo floor"
    log = False

    def start(self):
        self.port = free_port()
        words = [self.bench.program("bench_floor"), "--port", str(self.port)]
        if self.log:
            words += ["--log", os.path.join(self.folder, "log")]
        self.spawn(words, self.port)


class DurableFloor(EchoFloor):
    """The least that a server can do which never takes an OK back."""

    name = "durable floor"
    log = True
