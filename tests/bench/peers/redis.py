"""redis with an append-only file that is flushed before each answer."""

from generator import Talk
from server import Server, free_port

PUSH = Talk(r"*3\r\n$5\r\nRPUSH\r\n$6\r\nm%z\r\n$160\r\n%p{160}\r\n", ends=r"\r\n", error="-ERR")


class Redis(Server):
    """Lists of messages, one a user."""

    name = "redis always"

    def start(self):
        self.port = free_port()
        self.spawn(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
                    "--dir", self.folder, "--save", "", "--maxclients", "15000",
                    "--appendonly", "yes", "--appendfsync", "always",
                    "--auto-aof-rewrite-percentage", "0"], self.port)
