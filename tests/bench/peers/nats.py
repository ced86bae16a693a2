"""NATS: alone, as two servers with a route between them, and with JetStream's file store."""

import json
import os
import socket

from bench import Failure
from generator import Step, Talk
from server import Server, await_bytes, await_first, free_port

HELLO = Step(r'CONNECT {"verbose":false,"name":"u%d"}\r\nSUB u%d 1\r\nPING\r\n', ends=r"PONG\r\n")
# Each subscribes to a subject of its own; a message ends like no line of the protocol does.
TO_SELF = Talk(r"PUB u%d 162\r\n%p{160}~E\r\n", (HELLO,), ends=r"~E\r\n")
TO_PAIR = Talk(r"PUB u%o 162\r\n%p{160}~E\r\n", (HELLO,), ends=r"~E\r\n",
               options=("--settle", "1"))
TO_STREAM = Talk(r"PUB m.%R u%d 160\r\n%p{160}\r\n", (HELLO,), ends='"seq":', error='"error"')
STREAM = {"name": "S", "subjects": ["m.*"], "storage": "file", "retention": "limits",
          "num_replicas": 1}


class Nats(Server):
    """Messages pass through; nothing is kept."""

    name = "NATS"

    def start(self):
        self.port = free_port()
        self.serve("a", self.port)

    def serve(self, name, port, extra=""):
        path = os.path.join(self.folder, f"{name}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'server_name: {name}\nlisten: "127.0.0.1:{port}"\nmax_pending: 64MB\n'
                       f"{extra}\n")
        self.spawn(["nats-server", "--config", path], port)


class NatsRoute(Nats):
    """Two servers of one cluster."""

    name = "NATS route"

    def start(self):
        self.port, self.other_port = free_port(), free_port()
        first, second = free_port(), free_port()
        self.serve("a", self.port, cluster(first))
        self.serve("b", self.other_port,
                   cluster(second, f'routes: ["nats-route://127.0.0.1:{first}"]'))
        self.await_route()

    def await_route(self):
        """Until a subscription at one server is known at the other."""
        with socket.create_connection(("127.0.0.1", self.other_port), 10) as listener, \
                socket.create_connection(("127.0.0.1", self.port), 10) as speaker:
            listener.sendall(b'CONNECT {"verbose":false}\r\nSUB here 1\r\nPING\r\n')
            await_bytes(listener, b"PONG\r\n")
            speaker.sendall(b'CONNECT {"verbose":false}\r\n')
            await_first(listener, lambda: speaker.sendall(b"PUB here 2\r\nok\r\n"), b"ok\r\n")


class JetStream(Nats):
    """Messages are kept in files, which are not flushed before the answer."""

    name = "NATS JetStream"

    def start(self):
        self.port = free_port()
        self.serve("a", self.port, f'jetstream {{ store_dir: "{self.folder}/js", '
                                   "max_memory_store: 64MB, max_file_store: 8GB }")
        with socket.create_connection(("127.0.0.1", self.port), 10) as client:
            body = json.dumps(STREAM)
            client.sendall((f'CONNECT {{"verbose":false}}\r\nSUB r 9\r\n'
                            f"PUB $JS.API.STREAM.CREATE.S r {len(body)}\r\n{body}\r\n").encode())
            answer = await_bytes(client, b"}\r\n", behind=b"MSG r")
        if b'"error"' in answer:
            raise Failure("JetStream makes no stream", answer.decode(errors="replace")[-300:])


def cluster(port, extra=""):
    return f'cluster {{ name: c, listen: "127.0.0.1:{port}"\n{extra} }}'
