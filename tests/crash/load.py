"""The load on one realm: a process with tens of clients. Some speak one by one, others pipeline
hundreds of requests. Each writes down what it was told; if its connection breaks it comes again."""

import collections
import json
import multiprocessing
import random
import selectors
import signal
import time
import traceback

from harness.connection import Connection
from harness.failure import Failure

from letters import USERS, SHARED_GROUP, group_box, Box, targets_of, text_of
from oracle import Journal, Ok, Refused

CLIENTS = 24
DEPTHS = (1, 1, 4, 16, 64, 256)
ASKS_EVERY = 40        # a question between so many messages
GLIMPSES_MAX = 4000    # of one client in a round
GLIMPSE_MESSAGES = 20
COMES_AGAIN_S = 0.15
TICK_S = 0.005
BURST_S = 0.1          # messages are handed out for so long at most
SUCCESS = {"SEND": "Message sent", "SENDGROUP": "Message Sent",
           "SENDREALM": "Pesan realm dikirim", "SENDGROUPREALM": "Pesan grup realm terkirim"}


class Client:
    """One client and its journal. `waiting` are the requests that have no answer yet, in order:
    each is the function that takes the answer."""

    def __init__(self, crew, number):
        self.crew = crew
        self.name = f"{crew.realm}{number}"
        self.user = USERS[number % len(USERS)]
        self.depth = DEPTHS[number % len(DEPTHS)]
        self.chance = random.Random(f"{crew.seed} {self.name}")
        self.connection = None
        self.comes_at = 0.0
        self.unsent = bytearray()
        self.waiting = collections.deque()
        self.next_number = 1
        self.last_ok = None
        self.journal = None
        self.turn_page()

    def turn_page(self):
        """The journal so far; a new one begins."""
        journal = self.journal
        self.journal = Journal(self.name, self.crew.realm, self.user, self.next_number)
        self.last_ok = None
        return journal

    def come(self, now):
        if self.connection is not None or now < self.comes_at:
            return
        self.comes_at = now + self.chance.uniform(0, COMES_AGAIN_S)
        try:
            self.connection = Connection(self.name, self.crew.address, self.crew.patience_s)
        except Failure:
            return
        self.crew.selector.register(self.connection.socket, selectors.EVENT_READ, self)
        self.ask(f"RESUME {self.crew.tokens[self.user]}", self.take_welcome)

    def leave(self):
        """The connection broke: what has no answer now will have none."""
        self.crew.selector.unregister(self.connection.socket)
        self.connection.close()
        self.connection = None
        self.waiting.clear()
        self.unsent.clear()

    def room(self):
        """How many messages it would send now: half its depth at least, so that many go at once."""
        if self.connection is None:
            return 0
        room = self.depth - len(self.waiting)
        return room if room * 2 >= self.depth else 0

    def ask(self, line, take):
        self.waiting.append(take)
        self.unsent += line.encode() + b"\n"

    def say(self):
        """The next message, or now and then a question."""
        if self.chance.randrange(ASKS_EVERY) == 0:
            self.ask_something()
        target = self.chance.choices(self.crew.targets, cum_weights=self.crew.weights)[0]
        journal, number = self.journal, self.next_number
        self.next_number += 1
        place = len(journal.targets)
        journal.targets.append(target)
        journal.outcomes.append(None)
        words = target.words()
        self.ask(f"{words} {text_of(self.name, number, target)}",
                 lambda reply: self.take_outcome(journal, place, target, reply))

    def flush(self):
        if self.connection is None or not self.unsent:
            return
        try:
            sent = self.connection.send_some(self.unsent)
        except Failure:
            return  # what came before the break is read first
        del self.unsent[:sent]

    def read(self):
        self.connection.receive()
        while (frame := self.connection.buffered_frame()) is not None:
            if not self.waiting:
                raise Failure(f"{self.name}: a reply to nothing: {frame[:300]!r}")
            reply = json.loads(frame)
            if reply["status"] not in ("OK", "ERROR"):
                raise Failure(f"{self.name}: a reply that is none: {frame[:300]!r}")
            self.waiting.popleft()(reply)
        if self.connection.ended is not None:
            self.leave()

    def take_outcome(self, journal, place, target, reply):
        if reply["status"] == "ERROR":
            journal.outcomes[place] = Refused(reply["code"])
            return
        origin, _, number = reply["id"].partition(":")
        if origin != self.crew.realm or reply["data"] != SUCCESS[target.request]:
            raise Failure(f"{self.name}: {target.words()} was answered {reply}")
        journal.outcomes[place] = Ok(int(number), reply.get("delivery"))
        self.last_ok = int(number)

    def take_welcome(self, reply):
        if reply["status"] == "ERROR" and reply["code"] not in ("STORE", "BUSY"):
            raise Failure(f"{self.name}: its token was answered {reply}")

    def ask_something(self):
        """A page of a mailbox, what became of a message, or the operator's ADDREALM once more."""
        dice = self.chance.randrange(10)
        if dice < 4 and self.last_ok is not None:
            number, journal = self.last_ok, self.journal
            self.ask(f"CHECKMESSAGE {self.crew.realm}:{number}",
                     lambda reply: self.take_state(journal, number, reply))
        elif dice < 9:
            self.glimpse(self.chance.choice(self.boxes()))
        elif self.user == USERS[0]:
            peer = self.chance.choice(self.crew.peers)
            host, port = self.crew.federation[peer]
            self.ask(f"ADDREALM {peer} {host} {port}", self.take_link)

    def boxes(self):
        realm, peers = self.crew.realm, self.crew.peers
        boxes = [Box(realm, self.user, request)
                 for request in ["INBOX", *[f"INBOXREALM {peer}" for peer in peers]]]
        return [*boxes, group_box(realm, SHARED_GROUP),
                *[group_box(realm, SHARED_GROUP, peer) for peer in peers]]

    def glimpse(self, box):
        journal = self.journal
        if len(journal.glimpses) < GLIMPSES_MAX:
            self.ask(f"{box.request} LIMIT {GLIMPSE_MESSAGES}",
                     lambda reply: self.take_page(journal, box, reply))

    def take_page(self, journal, box, reply):
        if reply["status"] == "OK":
            journal.glimpses += [(box, message["seq"], message["id"]) for message in reply["data"]]
        elif reply["code"] not in ("STORE", "BUSY"):
            raise Failure(f"{self.name}: {box} was answered {reply}")

    def take_state(self, journal, number, reply):
        if reply["status"] == "OK":
            journal.states.append((number, reply["data"]["state"]))
        elif reply["code"] not in ("STORE", "BUSY"):
            journal.states.append((number, reply["code"]))

    def take_link(self, reply):
        if reply["status"] == "ERROR" and \
                reply["code"] not in ("STORE", "BUSY", "REALM_UNREACHABLE"):
            raise Failure(f"{self.name}: ADDREALM was answered {reply}")


class Crew:
    """All clients of a realm. `rate`: messages a second that all of them send together at most."""

    def __init__(self, realm, address, federation, tokens, seed, rate, patience_s):
        self.realm = realm
        self.address = address
        self.federation = federation
        self.peers = [name for name in federation if name != realm]
        self.tokens = tokens
        self.seed = seed
        self.rate = rate
        self.patience_s = patience_s
        chosen = targets_of(realm, list(federation))
        self.targets = [target for target, _ in chosen]
        self.weights = []
        for _, weight in chosen:
            self.weights.append(weight + (self.weights[-1] if self.weights else 0))
        self.selector = selectors.DefaultSelector()
        self.clients = [Client(self, number) for number in range(CLIENTS)]
        self.next_client = 0
        self.allowance = 0.0

    def work(self, orders):
        """Follows orders until the other end is gone: "go", or "rest" answered by the journals."""
        busy, then = False, time.monotonic()
        self.selector.register(orders, selectors.EVENT_READ, None)
        while True:
            for key, _ in self.selector.select(TICK_S if busy else None):
                if key.data is not None:
                    key.data.read()
                    continue
                busy = orders.recv() == "go"
                if not busy:
                    self.rest()
                    orders.send([client.turn_page() for client in self.clients])
            now = time.monotonic()
            self.allowance = min(self.allowance + self.rate * (now - then), self.rate * BURST_S)
            then = now
            if busy:
                self.press(now)

    def press(self, now):
        for client in self.clients:
            client.come(now)
        for _ in self.clients:
            client = self.clients[self.next_client]
            room = min(client.room(), int(self.allowance))
            for _ in range(room):
                client.say()
            self.allowance -= room
            if self.allowance < 1:
                break
            self.next_client = (self.next_client + 1) % len(self.clients)
        for client in self.clients:
            client.flush()

    def rest(self):
        """Waits until everything that was asked has its answer, or its connection is gone."""
        deadline = time.monotonic() + self.patience_s
        while any(client.waiting for client in self.clients):
            if time.monotonic() > deadline:
                raise Failure(*self.unanswered())
            for client in self.clients:
                client.flush()
            for key, _ in self.selector.select(TICK_S):
                if key.data is not None:
                    key.data.read()

    def unanswered(self):
        waiting = [f"{client.name}: {len(client.waiting)} requests, {len(client.unsent)} bytes "
                   "unsent" for client in self.clients if client.waiting]
        return [f"realm {self.realm} runs and leaves requests without an answer for "
                f"{self.patience_s:g} s", *waiting]


def run_crew(crew, orders):
    """The whole of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        crew.work(orders)
    except EOFError:
        pass
    except Failure as failure:
        orders.send(failure)
    except Exception:  # pylint: disable=broad-except
        orders.send(Failure("the load generator broke", *traceback.format_exc().splitlines()))


class Load:
    """The other end of a crew's process."""

    def __init__(self, *crew):
        context = multiprocessing.get_context("fork")
        self.orders, theirs = context.Pipe()
        self.process = context.Process(target=self.begin, args=(crew, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, crew, orders):
        self.orders.close()
        run_crew(Crew(*crew), orders)

    def check(self):
        """A crew that speaks without being asked has failed."""
        if self.orders.poll():
            self.take()

    def take(self):
        try:
            said = self.orders.recv()
        except (EOFError, ConnectionResetError):
            raise Failure("a load generator is gone") from None
        if isinstance(said, Failure):
            raise said
        return said

    def end(self):
        self.orders.close()
        self.process.terminate()
        self.process.join(10)
