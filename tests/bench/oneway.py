"""One-way times: a message is said at one server and its arrival is seen at the other.

One message at a time, by a plain client on two sockets; what the client itself costs is in the
figures of all."""

import os
import socket
import statistics
import time

from harness.connection import FRAME_END
from peers.realm import PASSWORD
from server import await_bytes, await_first

COUNT = 1000
BODY = b"x" * 150
BLOCK = b"\0" * 4096
PATIENCE_S = 20


def median_us(once, after=lambda: None):
    """Of COUNT times that `once(number)` takes, without `after`; the first tenth is not counted."""
    times = []
    for number in range(COUNT + COUNT // 10):
        began = time.perf_counter_ns()
        once(number)
        times.append(time.perf_counter_ns() - began)
        after()
    return statistics.median(times[COUNT // 10:]) / 1000


def marked(number):
    """A body of 160 bytes that is not taken for another one's."""
    return BODY + b"<%08d>" % number


def client_of(port, greeting, ends):
    client = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(greeting)
    await_bytes(client, ends)
    return client


def between(speaker, listener, message, answered=False):
    """From saying `message` with a body in it until that body has arrived. The speaker's answers,
    if there are any, are taken outside of that time."""

    def once(number):
        body = marked(number)
        speaker.sendall(message % body)
        await_bytes(listener, body)

    with speaker, listener:
        await_first(listener, lambda: speaker.sendall(message % marked(COUNT * 2)),
                    marked(COUNT * 2))
        return median_us(once, lambda: take_answer(speaker) if answered else None)


def take_answer(speaker):
    await_bytes(speaker, FRAME_END)


def nats(route):
    hello = b'CONNECT {"verbose":false}\r\n%sPING\r\n'
    speaker = client_of(route.port, hello % b"", b"PONG\r\n")
    listener = client_of(route.other_port, hello % b"SUB there 1\r\n", b"PONG\r\n")
    return between(speaker, listener, b"PUB there 160\r\n%s\r\n")


def ngircd(link):
    hello = b"NICK %s\r\nUSER x 0 * :x\r\n"
    speaker = client_of(link.port, hello % b"says", b" 376 ")
    listener = client_of(link.other_port, hello % b"hears", b" 376 ")
    return between(speaker, listener, b"PRIVMSG hears :%s\r\n")


def realms(pair):
    """From SENDREALM to the event."""
    speaker = client_of(pair.a.port, f"AUTH u0 {PASSWORD}\n".encode(), FRAME_END)
    listener = client_of(pair.b.port, f"AUTH u1 {PASSWORD}\n".encode(), FRAME_END)
    listener.sendall(b"LISTEN\n")
    await_bytes(listener, FRAME_END)
    return between(speaker, listener, b"SENDREALM b u1 %s\n", answered=True)


def flush_us(bench):
    """The median time of an append of 4 KiB with its flush."""
    path = os.path.join(bench.folder("flush"), "file")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def once(_number):
        os.write(descriptor, BLOCK)
        os.fdatasync(descriptor)

    try:
        return median_us(once)
    finally:
        os.close(descriptor)
        os.unlink(path)
