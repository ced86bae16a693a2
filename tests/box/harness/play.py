"""Plays a transcript: each statement of the language is one method of `Play`."""

import json
import os
import re
import shutil
import signal
import tempfile
import time

from .command import Command
from .connection import Connection
from .failure import Failure, Mismatch, Mistake, shortened
from .pattern import Pattern, explain
from .realm import LOG_LINES, Place, Realm
from .relay import DeadPort, Relay, SilentPort
from .script import read_script
from .values import Scope, number_or_text, seconds, unescape

POLL_S_MIN = 0.02
POLL_S_MAX = 0.25
GRACE_S = 0.5
NAME = r"[A-Za-z][\w-]*"
CONNECTION = r"([\w$-]+@[\w$-]+)"

# Each statement with the method that plays it; those that end in a colon own the lines below.
STATEMENTS = [(re.compile(form), method) for form, method in (
    (rf"{CONNECTION}> (.*)", "say"),
    (rf"{CONNECTION}>> (.*)", "say_raw"),
    (rf"{CONNECTION}< (.*)", "hear"),
    (rf"{CONNECTION} closes", "hear_close"),
    (rf"connect {CONNECTION}(?: via (\S+))?", "connect"),
    (rf"(close|half-close|reset|no-read|read) {CONNECTION}", "handle_connection"),
    (rf"realm ({NAME})((?: \S+)*)", "realm"),
    (rf"start ({NAME})((?: \S+)*)", "start"),
    (rf"restart ({NAME})((?: \S+)*)", "restart"),
    (rf"(stop|kill|pause|resume)((?: {NAME})+)", "handle_realms"),
    (rf"signal ({NAME}) (TERM|INT|HUP)", "signal"),
    (rf"({NAME}) ends(?: with (\d+))?", "ends"),
    (rf"user ([\w.-]+) (\S+) @({NAME})( operator)?", "user"),
    (rf"trust ({NAME}) ({NAME})", "trust"),
    (rf"link ({NAME}) ({NAME})", "link"),
    (rf"({NAME}) sees ({NAME}) (up|down)", "sees"),
    (rf"({NAME}) logs (.+)", "logs"),
    (rf"relay ({NAME}) ({NAME})", "relay"),
    (rf"(cut|stall|mend) ({NAME})", "handle_relay"),
    (rf"(dead-port|silent-port) ({NAME})", "port"),
    (rf"set ({NAME}) = (.+)", "set"),
    (r"(?:shell|nc) .+", "command"),
    (r"eventually (\S+):", "eventually"),
    (rf"(\S+) times(?: as ({NAME}))?:", "times"),
    (rf"for ({NAME}) in (.+):", "for_each"),
)]
OWNERS = {"command", "eventually", "times", "for_each"}


class Step:
    """A statement that was understood: what plays it, and its parts."""

    def __init__(self, line):
        self.line = line
        self.method, self.arguments = understood(line)
        self.children = []
        if self.method == "command":
            return
        self.children = [Step(child) for child in line.children]
        if self.children and self.method not in OWNERS:
            raise Mistake(f"line {line.number}: nothing can be indented below {line.text!r}")
        if not self.children and self.method in OWNERS:
            raise Mistake(f"line {line.number}: {line.text!r} wants indented lines below it")


def understood(line):
    for form, method in STATEMENTS:
        match = form.fullmatch(line.text)
        if match:
            return method, match.groups(default="")
    raise Mistake(f"line {line.number}: I do not understand {line.text!r}")


class Play:
    """The state of one running transcript."""

    def __init__(self, text, binary, slow=1.0, tell=None):
        self.steps = [Step(line) for line in read_script(text)]
        self.scratch = tempfile.mkdtemp(prefix="realmgate-box-")
        self.place = Place(os.path.abspath(binary), self.scratch, slow)
        self.scope = Scope()
        self.scope.texts["tmp"] = self.scratch
        self.realms, self.connections, self.relays, self.ports = {}, {}, {}, []
        self.tell = tell or (lambda text: None)
        self.line = None
        self.polling = 0

    def run(self):
        """Plays everything and the promises that hold at every end."""
        self.play_all(self.steps)
        self.line = None
        self.end_connections()
        self.end_realms()

    def play_all(self, steps):
        for step in steps:
            self.line = step.line
            self.tell(step.line)
            getattr(self, step.method)(step, *step.arguments)

    def named(self, name):
        """A connection's name, in which a loop's variable may stand."""
        return self.scope.substitute(name)

    # What goes over connections.

    def say(self, step, name, text):
        connection = self.connection(name)
        line = self.scope.substitute(text)
        connection.last_request = (step.line.number, line)
        connection.sent_count += 1
        connection.send(f"{line}\n".encode())

    def say_raw(self, step, name, text):
        if self.polling:
            raise Mistake("`eventually` can repeat only whole requests (>), not bytes (>>)")
        connection = self.connection(name)
        connection.last_request = (step.line.number, text)
        connection.send(unescape(self.scope.substitute(text)))

    def hear(self, step, name, text):
        connection = self.known_connection(name)
        pattern = Pattern(text, self.scope)
        came = connection.frame()
        captures = pattern.match(came)
        if captures is None:
            raise Mismatch(f"{connection.name}: another reply than expected",
                           *explain(pattern, came), *self.request_before(connection))
        self.scope.texts.update(captures)

    def request_before(self, connection):
        if connection.last_request is None:
            return []
        number, text = connection.last_request
        return [f"last said {shortened(text, 200)} (line {number})"]

    def hear_close(self, step, name):
        self.known_connection(name).expect_close()

    def connection(self, name):
        """The connection of that name, opened when it is first spoken on."""
        name = self.named(name)
        if name not in self.connections:
            realm = self.realm_of(name)
            self.connections[name] = Connection(name, realm.require_running() and realm.clients,
                                                self.place.patience_s)
        return self.connections[name]

    def known_connection(self, name):
        name = self.named(name)
        if name not in self.connections:
            raise Mistake(f"{name} has said nothing yet (`connect {name}` only connects)")
        return self.connections[name]

    def realm_of(self, name):
        return self.the_realm(name.partition("@")[2])

    def connect(self, step, name, way):
        name = self.named(name)
        realm = self.realm_of(name)
        realm.require_running()
        if name in self.connections:
            raise Mistake(f"{name} is connected; `close {name}` first")
        address = realm.clients
        if way == "admin":
            address = realm.admin_path()
        elif way:
            address = (self.scope.substitute(way).strip("[]"), realm.clients[1])
        self.connections[name] = Connection(name, address, self.place.patience_s)

    def handle_connection(self, step, what, name):
        connection = self.known_connection(name)
        if what == "half-close":
            connection.half_close()
        elif what in ("close", "reset"):
            getattr(connection, what)()
            del self.connections[connection.name]
        else:
            connection.reads = what == "read"

    def end_connections(self):
        """Each connection is half-closed and read to its end: nothing may come uninvited."""
        for name, connection in self.connections.items():
            realm = self.realm_of(name)
            if connection.reads and realm.running and not realm.paused and not connection.ended:
                self.end_connection(connection)
            connection.close()
        self.connections = {}

    def end_connection(self, connection):
        realm = self.realm_of(connection.name)
        try:
            connection.half_close()
        except OSError:
            realm.check_alive()
            return
        self.line = None
        try:
            connection.expect_close()
        except Failure as failure:
            raise Failure(f"at the end of the transcript, {failure.headline}", *failure.details,
                          *self.request_before(connection)) from None

    # Realms.

    def the_realm(self, handle):
        if handle not in self.realms:
            known = ", ".join(self.realms) or "none"
            raise Mistake(f"there is no realm {handle} (known here: {known})")
        return self.realms[handle]

    def realm(self, step, handle, words):
        if handle in self.realms or handle in self.scope.things:
            raise Mistake(f"{handle} exists already")
        own, options = {}, []
        for word in self.scope.substitute(words).split():
            key, equals, value = word.partition("=")
            if equals and key in ("name", "started"):
                own[key] = value
            else:
                options.append(word)
        realm = Realm(self.place, handle, options, own.get("name"))
        self.realms[handle] = self.scope.things[handle] = realm
        if own.get("started") != "no":
            realm.start()

    def start(self, step, handle, words):
        self.the_realm(handle).start(self.scope.substitute(words).split())

    def restart(self, step, handle, words):
        realm = self.the_realm(handle)
        realm.stop()
        self.lose_connections(handle)
        realm.start(self.scope.substitute(words).split())

    def handle_realms(self, step, what, handles):
        for handle in handles.split():
            getattr(self.the_realm(handle), what)()
            if what in ("stop", "kill"):
                self.lose_connections(handle)

    def signal(self, step, handle, name):
        number = getattr(signal, f"SIG{name}")
        self.the_realm(handle).require_running().send_signal(number)

    def ends(self, step, handle, code):
        """The realm ends by itself, or because of a `signal`; its last words can still be read."""
        realm = self.the_realm(handle)
        realm.require_running()
        realm.expect_end(int(code or 0), "what was said to it")

    def lose_connections(self, handle):
        """A realm that is down has no connections: the next words open new ones."""
        for name in [name for name in self.connections if name.endswith(f"@{handle}")]:
            self.connections.pop(name).close()

    def user(self, step, name, password, handle, role):
        realm = self.the_realm(handle)
        if realm.running:
            done(realm.admin(f"ADDUSER {name} {password}{role}"), f"ADDUSER {name}")
            return
        options = ["--operator"] if role else []
        realm.program("user", "add", name, *options, *realm.identity(), stdin=f"{password}\n")

    def trust(self, step, one, other):
        self.pin(self.the_realm(one), self.the_realm(other))
        self.pin(self.the_realm(other), self.the_realm(one))

    def pin(self, realm, peer):
        if realm.running:
            done(realm.admin(f"TRUSTREALM {peer.name} {peer.key()}"), f"TRUSTREALM {peer.name}")
            return
        realm.program("realm", "trust", peer.name, peer.key(), *realm.identity())

    def link(self, step, one, other):
        """Pins both ways, ADDREALM, and both see each other."""
        self.trust(step, one, other)
        peer = self.the_realm(other)
        host, port = peer.federation
        done(self.the_realm(one).admin(f"ADDREALM {peer.name} {host} {port}"), "ADDREALM")
        self.sees(step, one, other, "up")
        self.sees(step, other, one, "up")

    def sees(self, step, one, other, state):
        realm, peer = self.the_realm(one), self.the_realm(other)
        deadline, pause_s = time.monotonic() + self.place.patience_s, POLL_S_MIN
        while True:
            reply = realm.admin("CHECKREALM")
            if state_of(reply, peer.name) == state:
                return
            if time.monotonic() > deadline:
                raise Failure(f"realm {one} does not see {peer.name} {state} within "
                              f"{self.place.patience_s:g} s", f"CHECKREALM: {shortened(reply)}")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, POLL_S_MAX)

    def logs(self, step, handle, text):
        """A line of the log, written since the last such statement or still to come."""
        realm, pattern = self.the_realm(handle), Pattern(f"...{text}...", self.scope)
        deadline = time.monotonic() + self.place.patience_s
        while True:
            lines = realm.log_lines()
            for number in range(realm.log_seen, len(lines)):
                if pattern.match(lines[number]) is not None:
                    realm.log_seen = number + 1
                    return
            if time.monotonic() > deadline:
                raise Failure(f"realm {handle} logs no line with {text!r}")
            time.sleep(POLL_S_MIN)

    def end_realms(self):
        """Every realm that runs stops cleanly, and no sanitizer has complained."""
        for realm in self.realms.values():
            if realm.running:
                realm.stop()
        for realm in self.realms.values():
            alarms = realm.alarms()
            if alarms:
                raise Failure(f"realm {realm.handle} reports a defect", *alarms[:LOG_LINES])

    # Ways between realms.

    def relay(self, step, name, handle):
        self.new_thing(name, Relay(lambda: self.the_realm(handle).federation), self.relays)

    def handle_relay(self, step, what, name):
        if name not in self.relays:
            raise Mistake(f"there is no relay {name}")
        self.relays[name].change("open" if what == "mend" else what)

    def port(self, step, what, name):
        self.new_thing(name, DeadPort() if what == "dead-port" else SilentPort(), {})

    def new_thing(self, name, thing, table):
        self.ports.append(thing)
        if name in self.scope.things:
            raise Mistake(f"{name} exists already")
        self.scope.things[name] = table[name] = thing

    # The rest.

    def set(self, step, name, text):
        self.scope.texts[name] = self.scope.substitute(text)

    def command(self, step):
        self.scope.texts.update(Command(step.line, self.scope).run(self.place))

    def eventually(self, step, duration):
        deadline = time.monotonic() + seconds(duration) * self.place.slow
        pause_s = POLL_S_MIN
        self.polling += 1
        try:
            while not self.tried(step, time.monotonic() > deadline, duration):
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, POLL_S_MAX)
        finally:
            self.polling -= 1

    def tried(self, step, last, duration):
        """True if the block went through; what it left unread is read away before the next try."""
        open_before = {name: one.sent_count - one.received_count
                       for name, one in self.connections.items()}
        try:
            self.play_all(step.children)
            return True
        except Mismatch as mismatch:
            if last:
                raise Mismatch(f"{mismatch.headline}, not even after {duration}",
                               *mismatch.details) from None
        for name, connection in self.connections.items():
            while connection.sent_count - connection.received_count > open_before.get(name, 0):
                connection.frame()
        return False

    def times(self, step, count, name):
        total = number_or_text(self.scope.substitute(count))
        if not isinstance(total, int):
            raise Mistake(f"{count!r} is no number of times")
        self.loop(step, name or "i", [str(number) for number in range(1, total + 1)])

    def for_each(self, step, name, words):
        self.loop(step, name, self.scope.substitute(words).split())

    def loop(self, step, name, values):
        before = self.scope.texts.get(name)
        for value in values:
            self.scope.texts[name] = value
            self.play_all(step.children)
        self.scope.texts.pop(name, None)
        if before is not None:
            self.scope.texts[name] = before

    # After the end.

    def where(self):
        return self.line.number if self.line else None

    def log_tails(self):
        """The last lines of each realm's log, for a report."""
        for realm in self.realms.values():
            lines = realm.log_lines()[-LOG_LINES:]
            if lines:
                yield f"log of realm {realm.handle}:"
                yield from (f"  {shortened(line, 300)}" for line in lines)

    def crashed(self):
        """Realms that ended by themselves: often the true reason of a failure."""
        broken = any(connection.ended for connection in self.connections.values())
        for realm in self.realms.values():
            if broken and realm.running and not realm.paused:
                realm.wait(GRACE_S)  # The kernel closes its sockets before its end can be seen.
            try:
                realm.check_alive()
            except Failure as failure:
                yield failure.headline

    def discard(self, keep=False):
        for connection in self.connections.values():
            connection.close()
        for realm in self.realms.values():
            realm.discard()
        for thing in self.ports:
            thing.end()
        if not keep:
            shutil.rmtree(self.scratch, ignore_errors=True)


def done(reply, request):
    """The reply of a request that only prepares the ground must be OK."""
    if not reply.startswith('{"status":"OK"'):
        raise Failure(f"{request} through the admin socket failed", f"came      {reply}")


def state_of(reply, peer):
    rows = json.loads(reply)["data"]
    return next((row["state"] for row in rows if row["realm"] == peer), None) \
        if isinstance(rows, list) else None
