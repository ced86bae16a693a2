#!/usr/bin/env python3
"""The words to the service manager, on a real datagram socket: ready, reloading, alive, stopping."""
# box-program

import os
import re
import signal
import socket
import sys
import time

from harness.failure import Failure
from harness.realm import Realm
from harness.runner import run_checks
from harness.scratch import asked, connected, scratch_place

BOUND_S = 10
WATCHDOG_S = 0.4


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, place):
        self.bound_s = BOUND_S * place.slow
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.join(place.scratch, "notify"))
        place.environment["NOTIFY_SOCKET"] = os.path.join(place.scratch, "notify")

    def hears(self, word, bound_s=None):
        """The next message with this line in it, as a dictionary; what comes before is dropped."""
        deadline = time.monotonic() + (bound_s or self.bound_s)
        heard = []
        while time.monotonic() < deadline:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                text = self.socket.recv(4096).decode()
            except TimeoutError:
                break
            heard.append(text)
            if word in text.split("\n"):
                return dict(line.split("=", 1) for line in text.split("\n"))
        raise Failure(f"the service manager does not hear {word}", *heard)


def play_life(options):
    """Ready when it serves, reloading, ready again, stopping."""
    with scratch_place(options) as place:
        manager = Manager(place)
        path = os.path.join(place.scratch, "a.conf")
        write(path, "log = info\n")
        realm = place.add(Realm(place, "a", ["--config", path]))
        realm.start()
        ready = manager.hears("READY=1")
        if not re.search(r"realm a serves clients on 127\.0\.0\.1:\d+", ready["STATUS"]):
            raise Failure(f"another status than expected: {ready}")
        asked(connected(realm), "PING")
        for text, status in (("log = debug\n", "read anew"), ("log = loud\n", "broken")):
            write(path, text)
            before_us = time.monotonic_ns() // 1000
            realm.process.send_signal(signal.SIGHUP)
            told = manager.hears("RELOADING=1")
            if not before_us <= int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000:
                raise Failure(f"reloading at another time than it was: {told}")
            if status not in manager.hears("READY=1")["STATUS"]:
                raise Failure(f"the status does not say '{status}'")
        realm.stop()
        manager.hears("STOPPING=1")


def play_watchdog(options):
    """Alive twice in the time that was asked for, and not alive when it hangs."""
    with scratch_place(options) as place:
        manager = Manager(place)
        asked_s = WATCHDOG_S * place.slow
        place.environment["WATCHDOG_USEC"] = str(int(asked_s * 1_000_000))
        realm = place.add(Realm(place, "a"))
        realm.start()
        manager.hears("READY=1")
        for _ in range(5):
            manager.hears("WATCHDOG=1", asked_s + BOUND_S)
        os.kill(realm.process.pid, signal.SIGSTOP)
        drain(manager.socket)
        try:
            manager.hears("WATCHDOG=1", asked_s * 2)
        except Failure:
            pass
        else:
            raise Failure("a process that stands still says that it is alive")
        os.kill(realm.process.pid, signal.SIGCONT)
        manager.hears("WATCHDOG=1")


def play_failed_start(options):
    """What never serves never says that it is ready."""
    with scratch_place(options) as place:
        manager = Manager(place)
        holder = place.add(Realm(place, "a"))
        holder.start()
        manager.hears("READY=1")
        taken = f"127.0.0.1:{holder.clients[1]}"
        realm = place.add(Realm(place, "b", ["--clients", taken]))
        realm.spawn()
        if realm.wait(BOUND_S) != 1:
            raise Failure("a realm whose port is taken does not end with exit code 1")
        realm.forget()
        holder.stop()
        if "STOPPING" not in manager.socket.recv(4096).decode():
            raise Failure("a realm that could not start told the service manager something")


def drain(sock):
    sock.setblocking(False)
    try:
        while sock.recv(4096):
            continue
    except BlockingIOError:
        pass


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("ready, reloading, stopping", play_life),
                                  ("alive", play_watchdog),
                                  ("a start that fails", play_failed_start)]))
