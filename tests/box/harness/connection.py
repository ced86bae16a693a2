"""A client's connection to a realm: sends bytes, takes frames apart, never waits for ever."""

import json
import select
import socket
import struct
import time

from .failure import Failure, shortened

FRAME_END = b"\r\n\r\n"
READ_BYTES = 1 << 18


class Connection:
    """A socket with a name. Every wait ends at the latest after `patience_s`."""

    def __init__(self, name, address, patience_s):
        self.name = name
        self.patience_s = patience_s
        self.buffer = bytearray()
        self.start = 0
        self.searched = 0
        self.ended = None
        self.reads = True
        self.half_closed = False
        self.sent_count = 0
        self.received_count = 0
        self.last_request = None
        self.last_frame = None
        self.socket = open_socket(name, address, patience_s)

    def send(self, data):
        """Sends all of data, reading what comes meanwhile, so that neither side blocks."""
        deadline = time.monotonic() + self.patience_s
        view = memoryview(data)
        while view:
            readable = [self.socket] if self.reads and self.ended is None else []
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise Failure(f"{self.name}: the realm took only {len(data) - len(view)} of "
                              f"{len(data)} bytes in {self.patience_s:g} s")
            ready = select.select(readable, [self.socket], [], left_s)
            if ready[0]:
                self.receive()
            if ready[1]:
                view = view[self.send_some(view):]

    def send_some(self, view):
        try:
            return self.socket.send(view)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Failure(f"{self.name}: cannot send: {error.strerror}") from None

    def receive(self):
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.ended = error.strerror or str(error)
            return
        if data:
            self.buffer += data
        else:
            self.ended = "closed by the realm"

    def wait_readable(self, deadline):
        """Reads once something comes; False at the deadline."""
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([self.socket], [], [], left_s)[0]:
            return False
        self.receive()
        return True

    def buffered_frame(self):
        """The next whole frame's bytes, or None."""
        end = self.buffer.find(FRAME_END, max(self.start, self.searched - len(FRAME_END)))
        if end < 0:
            self.searched = len(self.buffer)
            return None
        frame = bytes(self.buffer[self.start:end])
        self.start = self.searched = end + len(FRAME_END)
        if self.start > READ_BYTES:
            del self.buffer[:self.start]
            self.start = self.searched = 0
        return frame

    def frame(self):
        """The next frame's text, checked to be one JSON object on one line."""
        deadline = time.monotonic() + self.patience_s
        while (frame := self.buffered_frame()) is None:
            if self.ended is not None:
                raise Failure(f"{self.name}: no reply: {self.ended}", *self.unfinished())
            if not self.wait_readable(deadline):
                raise Failure(f"{self.name}: no reply within {self.patience_s:g} s",
                              *self.unfinished())
        self.received_count += 1
        self.last_frame = checked_frame(self.name, frame)
        return self.last_frame

    def unfinished(self):
        rest = bytes(self.buffer[self.start:])
        return [f"half a frame came: {shortened(repr(rest))}"] if rest else []

    def expect_close(self):
        """The realm closes, and says nothing more before."""
        deadline = time.monotonic() + self.patience_s
        while self.ended is None:
            if not self.wait_readable(deadline):
                raise Failure(f"{self.name}: not closed within {self.patience_s:g} s")
        rest = bytes(self.buffer[self.start:])
        if rest:
            raise Failure(f"{self.name}: closed, but said something before",
                          f"came      {shortened(rest.decode(errors='replace'))}")
        if self.ended != "closed by the realm":
            raise Failure(f"{self.name}: broken instead of closed: {self.ended}")

    def half_close(self):
        if not self.half_closed:
            self.half_closed = True
            self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Breaks off without a goodbye (RST)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def open_socket(name, address, patience_s):
    """Address: a (host, port) pair or the path of a Unix socket."""
    try:
        if isinstance(address, str):
            connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connected.settimeout(patience_s)
            connected.connect(address)
        else:
            connected = socket.create_connection(address, patience_s)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise Failure(f"{name}: cannot connect to {address}: {error}") from None
    connected.setblocking(False)
    return connected


def checked_frame(name, frame):
    """What holds for every frame: one line, UTF-8, a JSON object whose keys stand in order."""
    try:
        text = frame.decode()
    except UnicodeDecodeError:
        raise Failure(f"{name}: a frame that is not UTF-8", f"came      {frame!r}") from None
    if "\n" in text or "\r" in text:
        raise Failure(f"{name}: a frame of more than one line (each must end with \\r\\n\\r\\n)",
                      f"came      {shortened(repr(text))}")
    try:
        keys = [key for key, _ in json.loads(text, object_pairs_hook=list)]
    except (ValueError, TypeError):
        raise Failure(f"{name}: a frame that is no JSON object",
                      f"came      {shortened(text)}") from None
    if keys[:2] != ["status", "data"] and keys[:1] != ["event"]:
        raise Failure(f"{name}: a frame whose keys do not begin with status, data",
                      f"came      {shortened(text)}")
    return text
