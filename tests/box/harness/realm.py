"""A realm: the real program in a data directory of its own, started, stopped, killed."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

from .connection import Connection
from .failure import Failure, Mistake, shortened

READY = re.compile(r"realm (?P<name>\S+) ready clients=(?P<clients>\S+:\d+) "
                   r"federation=(?P<federation>\S+:\d+) key=(?P<key>[A-Za-z0-9_-]{43})\n")
ALARMS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:",
          "assertion failed", "Assertion failed")
READY_S = 20
STOP_S = 5
LOG_LINES = 12


class Place:
    """What all realms of a transcript share: the program, a scratch directory, the patience."""

    def __init__(self, binary, scratch, slow):
        self.binary = binary
        self.scratch = scratch
        self.slow = slow
        self.patience_s = 15 * slow
        self.environment = clean_environment(scratch, binary)


def clean_environment(scratch, binary):
    """The environment without settings of ours, and with `realmgate` on its path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REALMGATE_")}
    commands = os.path.join(scratch, "bin")
    os.makedirs(commands, exist_ok=True)
    link = os.path.join(commands, "realmgate")
    if not os.path.islink(link):
        os.symlink(binary, link)
    kept["PATH"] = commands + os.pathsep + kept.get("PATH", "/usr/bin:/bin")
    kept["TMPDIR"] = scratch
    return kept


class Realm:
    """One realm. `handle` is what the transcript calls it, `name` what it calls itself."""

    def __init__(self, place, handle, options=(), name=None):
        self.place = place
        self.handle = handle
        self.name = name or handle
        self.options = list(options)
        self.data = os.path.join(place.scratch, f"data-{handle}")
        self.log_path = os.path.join(place.scratch, f"log-{handle}")
        self.process = None
        self.clients = self.federation = self.known_key = None
        self.held = []
        self.paused = False
        self.log_seen = 0
        os.makedirs(self.data, mode=0o700)

    @property
    def running(self):
        return self.process is not None

    def value(self, attribute):
        """What `$a.port` and its like stand for."""
        plain = {"name": self.name, "data": self.data, "log": self.log_path}
        if attribute in plain:
            return plain[attribute]
        if attribute == "key":
            return self.key()
        if attribute == "pid":
            return str(self.require_running().pid)
        if self.clients is None:
            raise Mistake(f"realm {self.handle} was never started: no ${self.handle}.{attribute}")
        addresses = {"host": self.clients[0], "port": self.clients[1],
                     "fedhost": self.federation[0], "fedport": self.federation[1]}
        if attribute not in addresses:
            raise Mistake(f"a realm has no .{attribute} (it has .port .host .fedport .fedhost .key "
                          ".data .name .pid .log)")
        return str(addresses[attribute])

    def key(self):
        """The public key, also of a realm that was never started."""
        if self.known_key is None:
            self.known_key = self.program("key", "--data", self.data).strip()
        return self.known_key

    def identity(self):
        """The options with which subcommands find a realm, also one that was never started."""
        return ["--data", self.data, "--name", self.name]

    def program(self, *arguments, stdin=""):
        """Runs a subcommand; its standard output."""
        done = subprocess.run([self.place.binary, *arguments], input=stdin, text=True,
                              capture_output=True, env=self.place.environment,
                              timeout=self.place.patience_s, check=False)
        if done.returncode != 0:
            raise Failure(f"realmgate {' '.join(arguments)}: exit code {done.returncode}",
                          *done.stderr.splitlines()[-LOG_LINES:])
        return done.stdout

    def require_running(self):
        if self.process is None:
            raise Mistake(f"realm {self.handle} is not running")
        return self.process

    def command(self, extra):
        """The command line: real ports of the first start are kept for all later ones."""
        words = [self.place.binary, "serve", "--name", self.name, "--data", self.data]
        given = [*self.options, *extra]
        for option, address in (("--clients", self.clients), ("--federation", self.federation)):
            if option not in given:
                words += [option, written(address or ("127.0.0.1", 0))]
        guard = shutil.which("setpriv")
        dies_with_us = [guard, "--pdeathsig", "KILL", "--"] if guard else []
        return dies_with_us + words + given

    def start(self, extra=()):
        self.spawn(extra)
        self.take_ready_line()

    def spawn(self, extra=()):
        """Starts the program and does not wait for its ready line."""
        if self.process is not None:
            raise Mistake(f"realm {self.handle} is running already")
        self.release_ports()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(extra), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=self.place.environment, cwd=self.place.scratch)

    def take_ready_line(self):
        line = self.first_line()
        ready = READY.fullmatch(line)
        if not ready or ready["name"] != self.name:
            raise Failure(f"realm {self.handle} said no ready line",
                          "expected  realm <name> ready clients=<address> federation=<address> "
                          "key=<43 characters>", f"came      {line!r}")
        self.clients = parted(ready["clients"])
        self.federation = parted(ready["federation"])
        if self.known_key not in (None, ready["key"]):
            raise Failure(f"realm {self.handle} has another key than before",
                          f"before    {self.known_key}", f"now       {ready['key']}")
        self.known_key = ready["key"]

    def first_line(self):
        """The first line of standard output, as far as it came in time."""
        deadline = time.monotonic() + READY_S * self.place.slow
        output, line = self.process.stdout.fileno(), b""
        while not line.endswith(b"\n"):
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not select.select([output], [], [], left_s)[0]:
                raise Failure(f"realm {self.handle} not ready within "
                              f"{READY_S * self.place.slow:g} s")
            byte = os.read(output, 1)
            if not byte:
                raise Failure(f"realm {self.handle} did not start: {self.ending()}")
            line += byte
        return line.decode(errors="replace")

    def ending(self):
        """Waits for a process that closed its output; how it ended."""
        code = self.wait(STOP_S)
        self.forget()
        return "it closed its standard output" if code is None else told(code)

    def wait(self, bound_s):
        """The exit code, or None at the bound."""
        try:
            return self.process.wait(bound_s * self.place.slow)
        except subprocess.TimeoutExpired:
            return None

    def stop(self):
        """SIGTERM: exit code 0 within 5 s is promised."""
        process = self.require_running()
        self.check_alive()
        self.resume()
        process.send_signal(signal.SIGTERM)
        self.expect_end(0, "SIGTERM")

    def expect_end(self, code, cause):
        """The process ends with this code within the bound, and printed nothing more."""
        came = self.wait(STOP_S)
        if came is None:
            raise Failure(f"realm {self.handle} still runs {STOP_S * self.place.slow:g} s "
                          f"after {cause}")
        more = self.process.stdout.read()
        self.forget()
        if came != code:
            raise Failure(f"realm {self.handle} after {cause}: {told(came)}, "
                          f"expected exit code {code}")
        if more:
            raise Failure(f"realm {self.handle} printed more than its ready line",
                          f"came      {shortened(repr(more))}")

    def kill(self):
        """SIGKILL: as if the machine had lost its power, but for the kernel's caches."""
        process = self.require_running()
        self.check_alive()
        process.kill()
        process.wait()
        self.forget()

    def pause(self):
        self.require_running().send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        if self.paused:
            self.require_running().send_signal(signal.SIGCONT)
            self.paused = False

    def check_alive(self):
        """A realm that ended by itself is a failure, whatever else was going on."""
        if self.process is None or self.process.poll() is None:
            return
        code = self.process.returncode
        self.forget()
        raise Failure(f"realm {self.handle} ended by itself: {told(code)}")

    def forget(self):
        self.process.stdout.close()
        self.process = None
        self.paused = False
        self.hold_ports()

    def hold_ports(self):
        """While the realm is down nobody else may get its ports; connecting is refused."""
        if self.clients is None:
            return
        self.held = [hold(address) for address in (self.clients, self.federation)]

    def release_ports(self):
        for holder in self.held:
            if holder is not None:
                holder.close()
        self.held = []

    def discard(self):
        """At the end, whatever has happened."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None
        self.release_ports()

    def admin(self, line):
        """One request through the admin socket; the reply's text."""
        self.require_running()
        connection = Connection(f"admin@{self.handle}", self.admin_path(), self.place.patience_s)
        try:
            connection.send(f"{line}\n".encode())
            return connection.frame()
        finally:
            connection.close()

    def admin_path(self):
        return os.path.join(self.data, "admin.sock")

    def log_lines(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return log.read().splitlines()
        except FileNotFoundError:
            return []

    def alarms(self):
        """What sanitizers and assertions have said."""
        return [line for line in self.log_lines() if any(alarm in line for alarm in ALARMS)]


def hold(address):
    """A bound socket that does not listen: it keeps the port, and a start may still take it."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    holder = socket.socket(family, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(address)
    except OSError:
        holder.close()
        return None
    return holder


def parted(address):
    """("::1", 9000) of "[::1]:9000"."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def written(address):
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def told(code):
    return f"ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 \
        else f"exit code {code}"
