#!/usr/bin/env python3
"""Clients that say everything again under its ref until it is answered, over connections that break
and realms that are killed with -9: each ref is one message, always with the same id."""
# box-program alone

import collections
import json
import random
import sys
import time

from harness.failure import Failure
from harness.realm import Realm
from harness.runner import run_checks
from harness.scratch import (administer, asked, connected, scratch_place, token_of,
                             wait_for_empty_outbox, whole_mailbox)

ROUNDS = 30
REFS_A_ROUND = 150
GROUPS_A_ROUND = 6
BREAK_AFTER_S_MAX = 0.03


class Client:
    """A user of realm a that has refs to be answered, and remembers each answer."""

    def __init__(self, realm, token):
        self.realm = realm
        self.token = token
        self.answers = {}

    def say(self, requests):
        """Opens a connection and says all of it at once."""
        self.connection = connected(self.realm)
        asked(self.connection, f"RESUME {self.token}")
        self.connection.send("".join(f"@{ref} {line}\n" for ref, line in requests).encode())

    def note(self, frame):
        reply = json.loads(frame)
        if reply["status"] != "OK":
            raise Failure(f"ref {reply.get('ref')} was answered {reply}")
        first = self.answers.setdefault(reply["ref"], reply)
        if first != reply:
            raise Failure(f"two outcomes of one ref: {first}, then {reply}")

    def note_what_came(self):
        while (frame := self.connection.buffered_frame()) is not None:
            self.note(frame)

    def drain(self):
        """After a kill: what had left the realm counts as said."""
        while self.connection.ended is None:
            self.connection.wait_readable(time.monotonic() + self.connection.patience_s)
        self.note_what_came()
        self.connection.close()

    def hang_up(self):
        """In the middle of it, and what was not read by then was never heard."""
        self.connection.receive()
        self.note_what_came()
        self.connection.reset()

    def insist(self, requests):
        """Once more all of it, answered or not, now to the end."""
        self.say(requests)
        for _ in requests:
            self.note(self.connection.frame())
        self.connection.close()


def pause(chance, place):
    """Not a wait for anything: this is what chooses the moment."""
    time.sleep(chance.random() * BREAK_AFTER_S_MAX * min(place.slow, 2))


def one_round(client, requests, victim, chance):
    """Says everything, breaks something in the middle of it, twice or once, then insists. Returns
    whether some were answered by then and some not."""
    for _ in range(chance.choice((1, 2))):
        client.say(requests)
        pause(chance, victim.place)
        if chance.random() < 0.25:
            client.hang_up()
            continue
        victim.kill()
        if victim is client.realm:
            client.drain()
        else:
            client.hang_up()
        victim.start()
    answered = sum(ref in client.answers for ref, _ in requests)
    client.insist(requests)
    return 0 < answered < len(requests)


def compare(answers, messages):
    """Each ref was sent as its own text: once there, with the id that was told."""
    count = collections.Counter(message["message"] for message in messages)
    ids = {message["message"]: message["id"] for message in messages}
    for ref, reply in answers.items():
        if count[ref] != 1 or ids[ref] != reply["id"]:
            raise Failure(f"{ref!r} is there {count[ref]} times as {ids.get(ref)}, "
                          f"and was answered {reply}")
    if len(messages) != len(answers):
        raise Failure(f"{len(messages)} messages of {len(answers)} refs")


def mailbox(realm, user, request):
    connection = connected(realm)
    asked(connection, f"AUTH {user} rahasia")
    messages = whole_mailbox(connection, request)
    connection.close()
    return messages


def check_send(options):
    """SEND, and groups that are made, over kills of the realm."""
    chance = random.Random(40)
    with scratch_place(options) as place:
        realm = place.add(Realm(place, "a"))
        realm.start()
        administer(realm, "ADDUSER alice rahasia", "ADDUSER bob rahasia")
        client = Client(realm, token_of(realm, "alice"))
        halves = 0
        for number in range(ROUNDS):
            requests = [(f"r{number}.{i}", f"SEND bob r{number}.{i}") for i in range(REFS_A_ROUND)]
            requests += [(f"g{number}.{i}", f"ADDGROUP g{number}.{i} kunci")
                         for i in range(GROUPS_A_ROUND)]
            chance.shuffle(requests)
            halves += one_round(client, requests, realm, chance)
        groups = {ref for ref in client.answers if ref.startswith("g")}
        sent = {ref: reply for ref, reply in client.answers.items() if ref not in groups}
        compare(sent, mailbox(realm, "bob", "INBOX"))
        if len(groups) != ROUNDS * GROUPS_A_ROUND:
            raise Failure(f"only {len(groups)} groups were made")
        return (f"{ROUNDS} rounds, {halves} broken half-way, {len(sent)} messages, "
                f"{len(groups)} groups")


def linked_pair(place):
    a, b = (place.add(Realm(place, handle)) for handle in ("a", "b"))
    for realm, user in ((a, "alice"), (b, "bob")):
        realm.start()
        administer(realm, f"ADDUSER {user} rahasia")
        connection = connected(realm)
        asked(connection, f"AUTH {user} rahasia")
        asked(connection, "ADDGROUP tim kunci")
        connection.close()
    administer(a, f"TRUSTREALM b {b.key()}")
    administer(b, f"TRUSTREALM a {a.key()}")
    administer(a, f"ADDREALM b 127.0.0.1 {b.federation[1]}")
    return a, b


def check_realms(options):
    """SENDREALM and SENDGROUPREALM *, over kills of either realm."""
    chance = random.Random(41)
    with scratch_place(options) as place:
        a, b = linked_pair(place)
        client = Client(a, token_of(a, "alice"))
        halves = 0
        for number in range(ROUNDS):
            requests = [(f"r{number}.{i}", f"SENDREALM b bob r{number}.{i}" if i % 2 == 0
                         else f"SENDGROUPREALM * tim r{number}.{i}") for i in range(REFS_A_ROUND)]
            halves += one_round(client, requests, chance.choice((a, a, b)), chance)
        wait_for_empty_outbox(a)
        private = {ref: reply for ref, reply in client.answers.items() if "id" in reply}
        group = {ref: reply["realms"][0] for ref, reply in client.answers.items()
                 if "realms" in reply}
        compare(private, mailbox(b, "bob", "INBOXREALM a"))
        compare(group, mailbox(b, "bob", "INBOXGROUPREALM a tim"))
        compare(group, mailbox(a, "alice", "INBOXGROUPREALM b tim"))
        return (f"{ROUNDS} rounds, {halves} broken half-way, {len(private)} private and "
                f"{len(group)} group messages")


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("SEND and ADDGROUP under kill -9", check_send),
                                  ("to another realm under kill -9 of either", check_realms)]))
