#!/usr/bin/env python3
"""Listeners: events are there at once; who falls behind is told so once and reads on without a hole,
while nobody else notices; and whoever comes back after a kill -9 misses nothing either."""
# box-program alone

import json
import random
import sys
import time

from harness.connection import Connection
from harness.failure import Failure
from harness.realm import Realm
from harness.runner import run_checks
from harness.scratch import administer, asked, connected, scratch_place, whole_mailbox

LATENCY_MESSAGES = 300
LATENCY_ROUNDS_MAX = 5
LATENCY_P99_MS_MAX = 50
FLOOD_MESSAGES = 50000
FLOOD_CHUNK = 500
FLOOD_GROUP_MESSAGES = 500
FLOOD_PADDING = "x" * 200
WAIT_MS_MAX = 1000
KILLS = 8
KILL_MESSAGES = 1000
KILL_AFTER_S_MAX = 0.05


def listen_on(connection):
    asked(connection, "AUTH bob rahasia")
    asked(connection, "LISTEN")
    return connection


def listening(realm, name):
    """A new connection that listens for bob."""
    return listen_on(connected(realm, name))


def told(connection, mailbox, seq):
    """The next frame, which is the event of that message."""
    event = json.loads(connection.frame())
    if event.get("event") != "message" or event["mailbox"] != mailbox or \
            event["data"]["seq"] != seq:
        raise Failure(f"{connection.name}: expected seq {seq} of {mailbox}, "
                      f"came {json.dumps(event)[:200]}")
    return event["data"]


def percentile(waits_ms, share):
    return sorted(waits_ms)[min(len(waits_ms) - 1, int(len(waits_ms) * share))]


def linked(place):
    a, b = (place.add(Realm(place, handle)) for handle in ("a", "b"))
    for realm, user in ((a, "alice"), (b, "bob")):
        realm.start()
        administer(realm, f"ADDUSER {user} rahasia")
    administer(a, f"TRUSTREALM b {b.key()}", "ADDUSER bob rahasia")
    administer(b, f"TRUSTREALM a {a.key()}")
    administer(a, f"ADDREALM b 127.0.0.1 {b.federation[1]}")
    return a, b


def waits_of(sender, command, listener, mailbox, first):
    """How long each message took from the request to the event at the listener."""
    waits_ms = []
    for number in range(first, first + LATENCY_MESSAGES):
        sent_at = time.monotonic()
        sender.send(f"{command} pesan {number}\n".encode())
        told(listener, mailbox, number)
        waits_ms.append(1000 * (time.monotonic() - sent_at))
        reply = json.loads(sender.frame())
        if reply["status"] != "OK":
            raise Failure(f"{command} was answered {reply}")
    return waits_ms


def check_latency(options):
    """An event is there within 50 ms, from the same realm and from another."""
    with scratch_place(options) as place:
        a, b = linked(place)
        sender = connected(a, "sender")
        asked(sender, "AUTH alice rahasia")
        words = []
        for command, realm, mailbox in (("SEND bob", a, "INBOX"),
                                        ("SENDREALM b bob", b, "INBOXREALM a")):
            listener = listening(realm, "ears")
            # A round may fall into a moment when the machine has other things to do.
            for number in range(LATENCY_ROUNDS_MAX):
                waits_ms = waits_of(sender, command, listener, mailbox,
                                    1 + number * LATENCY_MESSAGES)
                p50, p99 = percentile(waits_ms, 0.5), percentile(waits_ms, 0.99)
                word = f"{command.split()[0]} p50 {p50:.2f} ms, p99 {p99:.2f} ms"
                if p99 <= LATENCY_P99_MS_MAX * place.slow:
                    break
            else:
                raise Failure(f"events take too long: {word}")
            words.append(word)
        return "; ".join(words)


class Flood:
    """Sends a chunk at a time and reads what the live ones are told; the deaf ones are left alone."""

    def __init__(self, realm):
        self.sender, self.other = connected(realm, "sender"), connected(realm, "other")
        asked(self.sender, "AUTH alice rahasia")
        asked(self.sender, "JOINGROUP tim kunci")
        self.live = listening(realm, "live")
        self.deaf = [listen_on(connected(realm, "tcp")),
                     listen_on(Connection("file", realm.admin_path(), realm.place.patience_s))]
        for connection in self.deaf:
            connection.reads = False
        self.longest_ms = 0

    def chunk(self, command, mailbox, first, count):
        lines = "".join(f"{command} {number} {FLOOD_PADDING}\n"
                        for number in range(first, first + count))
        self.sender.send(lines.encode())
        asked_at = time.monotonic()
        asked(self.other, "PING")
        self.longest_ms = max(self.longest_ms, 1000 * (time.monotonic() - asked_at))
        for number in range(first, first + count):
            if json.loads(self.sender.frame())["status"] != "OK":
                raise Failure(f"a message of the flood was answered {self.sender.last_frame}")
            message = told(self.live, mailbox, number)
            if not message["message"].startswith(f"{number} "):
                raise Failure(f"seq {number} is the message {message['message'][:20]!r}")

    def run(self):
        for first in range(1, FLOOD_MESSAGES + 1, FLOOD_CHUNK):
            self.chunk("SEND bob", "INBOX", first, FLOOD_CHUNK)
        self.chunk("SENDGROUP tim", "INBOXGROUP tim", 1, FLOOD_GROUP_MESSAGES)


class Heard:
    """What a listener was told of one mailbox: of which messages, and at which seqs it was given
    up. There are no holes but those that it was told of."""

    def __init__(self):
        self.seqs = set()
        self.next = 1
        self.lagged = []

    def event(self, seq):
        if seq < self.next or (seq > self.next and self.next not in self.lagged):
            raise Failure(f"an event of seq {seq} stands where {self.next} should")
        self.seqs.add(seq)
        self.next = seq + 1

    def lag(self, seq):
        if seq != self.next:
            raise Failure(f"`lagged` says {seq} where {self.next} is missed")
        self.lagged.append(seq)


def heard_late(connection):
    """All that waits for a listener that reads again, by mailbox."""
    heard = {}
    connection.send(b"PING\n")
    while "status" not in (frame := json.loads(connection.frame())):
        mailbox = heard.setdefault(frame["mailbox"], Heard())
        if frame["event"] == "lagged":
            mailbox.lag(frame["seq"])
        else:
            mailbox.event(frame["data"]["seq"])
    return heard


def read_on(connection, totals):
    """A deaf listener reads again: it was told where it lags, and finds there all that it missed.
    How many events it heard, and how often it was told."""
    connection.reads = True
    heard = heard_late(connection)
    for mailbox, total in totals.items():
        if mailbox not in heard or not heard[mailbox].lagged:
            raise Failure(f"{connection.name}: nobody told it that {mailbox} lags")
        first = heard[mailbox].lagged[0]
        missed = whole_mailbox(connection, mailbox, first - 1)
        seqs = set(range(1, first)) | {message["seq"] for message in missed}
        if seqs != set(range(1, total + 1)) or not heard[mailbox].seqs <= seqs:
            raise Failure(f"{connection.name}: {len(seqs)} of {total} in {mailbox}")
    return (sum(len(mailbox.seqs) for mailbox in heard.values()),
            [len(heard[mailbox].lagged) for mailbox in totals])


def check_lag(options):
    """Listeners that read nothing while 50,000 messages come."""
    totals = {"INBOX": FLOOD_MESSAGES, "INBOXGROUP tim": FLOOD_GROUP_MESSAGES}
    with scratch_place(options) as place:
        realm = place.add(Realm(place, "a"))
        realm.start()
        administer(realm, "ADDUSER alice rahasia", "ADDUSER bob rahasia")
        owner = connected(realm, "owner")
        asked(owner, "AUTH bob rahasia")
        asked(owner, "ADDGROUP tim kunci")
        flood = Flood(realm)
        flood.run()
        words = []
        for deaf in flood.deaf:
            count, told_lags = read_on(deaf, totals)
            words.append(f"{deaf.name} heard {count} and was told {told_lags} times")
            # The socket of a file never takes more once it is full, as TCP may: once is once.
            if deaf.name == "file" and told_lags != [1, 1]:
                raise Failure(words[-1])
        flood.sender.send(b"SEND bob dan lagi\nSENDGROUP tim dan lagi\n")
        for listener in [*flood.deaf, flood.live]:
            told(listener, "INBOX", FLOOD_MESSAGES + 1)
            told(listener, "INBOXGROUP tim", FLOOD_GROUP_MESSAGES + 1)
        if flood.longest_ms > WAIT_MS_MAX * place.slow:
            raise Failure(f"another one waited {flood.longest_ms:.0f} ms")
        return (f"{', '.join(words)}; the live one heard "
                f"{FLOOD_MESSAGES + FLOOD_GROUP_MESSAGES}, another waited at most "
                f"{flood.longest_ms:.1f} ms")


class Follower:
    """Follows bob's INBOX over broken connections: listens first, then asks for what came before."""

    def __init__(self):
        self.messages = []
        self.early = {}
        self.connection = None

    def connect(self, realm):
        self.early = {}
        self.connection = listening(realm, "follower")
        self.connection.send(self.page_request())

    def page_request(self):
        return f"INBOX AFTER {len(self.messages)} LIMIT 1000\n".encode()

    def take(self, frame):
        reply = json.loads(frame)
        if "event" in reply:
            if (reply["event"], reply["mailbox"]) != ("message", "INBOX"):
                raise Failure(f"the follower is told {frame[:200]}")
            self.early[reply["data"]["seq"]] = reply["data"]
        else:
            for message in reply["data"]:
                self.early.setdefault(message["seq"], message)
            if reply.get("more"):
                self.connection.send(self.page_request())
        self.take_early()

    def take_early(self):
        while (message := self.early.pop(len(self.messages) + 1, None)) is not None:
            self.messages.append(message)
        for seq in [seq for seq in self.early if seq <= len(self.messages)]:
            del self.early[seq]

    def take_all(self):
        """What came up to the end of the connection."""
        while self.connection.ended is None:
            self.connection.wait_readable(time.monotonic() + self.connection.patience_s)
        while (frame := self.connection.buffered_frame()) is not None:
            self.take(frame)
        self.connection.close()

    def wait_for(self, count):
        while len(self.messages) < count:
            self.take(self.connection.frame())


def sent_until_killed(realm, chance, round_number):
    """Sends, kills the realm at a moment that chance chooses; the acknowledged texts."""
    sender = connected(realm, "sender")
    asked(sender, "AUTH alice rahasia")
    texts = [f"{round_number}/{number}" for number in range(KILL_MESSAGES)]
    sender.send("".join(f"SEND bob {text}\n" for text in texts).encode())
    # Not a wait for anything: this is what chooses the moment.
    time.sleep(chance.random() * KILL_AFTER_S_MAX * min(realm.place.slow, 2))
    realm.kill()
    while sender.ended is None:
        sender.wait_readable(time.monotonic() + sender.patience_s)
    count = 0
    while sender.buffered_frame() is not None:
        count += 1
    sender.close()
    return texts[:count]


def check_kill(options):
    """kill -9 under a listener that comes back."""
    chance = random.Random(4)
    with scratch_place(options) as place:
        realm = place.add(Realm(place, "a"))
        realm.start()
        administer(realm, "ADDUSER alice rahasia", "ADDUSER bob rahasia")
        follower, acknowledged = Follower(), []
        for round_number in range(KILLS):
            follower.connect(realm)
            acknowledged += sent_until_killed(realm, chance, round_number)
            follower.take_all()
            realm.start()
        follower.connect(realm)
        reader = connected(realm, "reader")
        asked(reader, "AUTH bob rahasia")
        stored = whole_mailbox(reader, "INBOX")
        follower.wait_for(len(stored))
        if follower.messages != stored:
            raise Failure("what was followed is not what stands in the mailbox")
        texts = [message["message"] for message in stored]
        missing = set(acknowledged) - set(texts)
        if missing or len(set(texts)) != len(texts):
            raise Failure(f"{len(missing)} acknowledged messages are missing, or some there twice")
        return f"{KILLS} kills, {len(acknowledged)} acknowledged, {len(stored)} followed"


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("latency", check_latency), ("falling behind", check_lag),
                                  ("kill -9 and back again", check_kill)]))
