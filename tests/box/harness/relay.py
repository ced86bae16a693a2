"""A relay stands in front of a realm's federation port, so that a way can be cut; a dead port."""

import selectors
import socket
import threading

CHUNK_BYTES = 1 << 16


class Relay:
    """Passes bytes both ways; `cut` breaks and refuses, `stall` holds everything, `mend` heals.

    One thread owns the sockets; the others only change `mode` and knock."""

    def __init__(self, target):
        self.target = target
        self.mode = "open"
        self.selector = selectors.DefaultSelector()
        self.partners = {}
        self.knock_in, self.knock_out = socket.socketpair()
        self.holder, self.address = dead_port()
        self.listener = None
        self.settled = threading.Event()
        self.ending = False
        self.selector.register(self.knock_out, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.change("open")

    def value(self, attribute):
        return str({"port": self.address[1], "host": self.address[0]}[attribute])

    def change(self, mode):
        """Returns when the relay is in the new mode."""
        self.mode = mode
        self.settled.clear()
        self.knock_in.send(b"!")
        self.settled.wait(10)

    def end(self):
        self.ending = True
        self.change("cut")
        self.thread.join(10)
        self.holder.close()

    def run(self):
        while not self.ending:
            for key, _ in self.selector.select():
                if key.fileobj is self.knock_out:
                    self.knock_out.recv(1)
                    self.enter_mode()
                elif key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.partners:
                    self.pass_on(key.fileobj)

    def enter_mode(self):
        if self.mode == "cut":
            self.stop_listening()
            for end in list(self.partners):
                self.drop(end)
        elif self.listener is None:
            self.listen()
        for end in self.partners:
            self.watch(end, self.mode == "open")
        self.settled.set()

    def listen(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self.address)
        self.listener.listen(64)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def stop_listening(self):
        if self.listener is not None:
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def accept(self):
        near, _ = self.listener.accept()
        try:
            far = socket.create_connection(self.target(), 5)
        except OSError:
            near.close()
            return
        self.partners[near], self.partners[far] = far, near
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.watch(end, self.mode == "open")

    def watch(self, end, wanted):
        known = end in self.selector.get_map()
        if wanted and not known:
            self.selector.register(end, selectors.EVENT_READ)
        if known and not wanted:
            self.selector.unregister(end)

    def pass_on(self, end):
        try:
            data = end.recv(CHUNK_BYTES)
            if data:
                self.partners[end].sendall(data)
                return
        except OSError:
            pass
        self.drop(end)

    def drop(self, end):
        other = self.partners.pop(end, None)
        if other is None:
            return
        del self.partners[other]
        for one in (end, other):
            self.watch(one, False)
            one.close()


def dead_port():
    """A bound socket that does not listen, and its address: connecting there is refused."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder, holder.getsockname()


class DeadPort:
    """A port where nobody listens, for as long as the transcript runs."""

    def __init__(self):
        self.holder, self.address = dead_port()

    def value(self, attribute):
        return str({"port": self.address[1], "host": self.address[0]}[attribute])

    def end(self):
        self.holder.close()


class SilentPort:
    """A port that takes connections and never says a word."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.address = self.listener.getsockname()

    def value(self, attribute):
        return str({"port": self.address[1], "host": self.address[0]}[attribute])

    def end(self):
        self.listener.close()
