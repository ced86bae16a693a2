#!/usr/bin/env python3
"""Realms are killed with -9 under load, again and again: what was acknowledged is there exactly
once and in order, what was not is there once or not at all."""
# box-program alone

import collections
import json
import random
import sys
import time

from harness.failure import Failure
from harness.realm import Realm
from harness.runner import run_checks
from harness.scratch import (administer, asked, connected, mailbox, prepare_link, scratch_place,
                             token_of, wait_for_empty_outbox)

ROUNDS = 20
SENDERS = 4
SENDS_A_ROUND = 500
KILL_AFTER_S_MAX = 0.02


class Sender:
    """A connection that pipelines its messages, and remembers which were acknowledged."""

    def __init__(self, realm, name, token, command):
        self.name = name
        self.connection = connected(realm, name)
        asked(self.connection, f"RESUME {token}")
        self.sent = [f"{name} {number}" for number in range(SENDS_A_ROUND)]
        self.acknowledged = {}
        self.lines = "".join(f"{command} {text}\n" for text in self.sent).encode()

    def take_frames(self):
        """What has come so far; a frame that is no OK ends the test."""
        while (frame := self.connection.buffered_frame()) is not None:
            reply = json.loads(frame)
            if reply["status"] != "OK":
                raise Failure(f"{self.name}: a message was answered {reply}")
            self.acknowledged[self.sent[len(self.acknowledged)]] = reply["id"]

    def drain(self):
        """After the kill: what had left the realm counts as said."""
        while self.connection.ended is None:
            self.connection.wait_readable(time.monotonic() + self.connection.patience_s)
        self.take_frames()
        self.connection.close()


def load_and_kill(victim, realm, token, command, round_number, chance):
    """One round: load on `realm`, kill -9 of `victim` at a moment that chance chooses."""
    senders = [Sender(realm, f"r{round_number}c{number}", token, command)
               for number in range(SENDERS)]
    for sender in senders:
        sender.connection.send(sender.lines)
    # Not a wait for anything: this is what chooses the moment.
    time.sleep(chance.random() * KILL_AFTER_S_MAX * min(realm.place.slow, 2))
    victim.kill()
    if victim is not realm:
        time.sleep(chance.random() * KILL_AFTER_S_MAX * min(realm.place.slow, 2))
        realm.kill()
    for sender in senders:
        sender.drain()
    return senders


def compare(senders, messages):
    """Every acknowledged message once, none twice, each connection's in its order."""
    count = collections.Counter(message["message"] for message in messages)
    twice = [text for text, times in count.items() if times > 1]
    if twice:
        raise Failure(f"{len(twice)} messages are there twice, as {twice[0]!r}")
    ids = {message["message"]: message["id"] for message in messages}
    arrived = collections.defaultdict(list)
    for text in ids:
        arrived[text.split()[0]].append(text)
    for sender in senders:
        for text, message_id in sender.acknowledged.items():
            if ids.get(text) != message_id:
                raise Failure(f"{text!r} was acknowledged as {message_id}, "
                              f"there is {ids.get(text)}")
        there = arrived[sender.name]
        if there != sender.sent[:len(there)]:
            raise Failure(f"{sender.name}: out of order, or with a hole: {there[:10]} ...")


def check_send(options):
    """kill -9 under SEND."""
    chance = random.Random(20)
    with scratch_place(options) as place:
        realm = place.add(Realm(place, "a"))
        realm.start()
        administer(realm, "ADDUSER alice rahasia", "ADDUSER bob rahasia")
        alice, bob = token_of(realm, "alice"), token_of(realm, "bob")
        seen, acknowledged, everybody = 0, 0, []
        for round_number in range(ROUNDS):
            senders = load_and_kill(realm, realm, alice, "SEND bob", round_number, chance)
            realm.start()
            messages = mailbox(realm, bob, "INBOX", seen)
            compare(senders, messages)
            seen += len(messages)
            acknowledged += sum(len(one.acknowledged) for one in senders)
            everybody += senders
        compare(everybody, mailbox(realm, bob, "INBOX", 0))
        return f"{ROUNDS} kills, {acknowledged} acknowledged, {seen} there"


def check_sendrealm(options):
    """kill -9 of either end, and then the other, under SENDREALM."""
    chance = random.Random(21)
    with scratch_place(options) as place:
        a, b = (place.add(Realm(place, handle)) for handle in ("a", "b"))
        alice, bob = prepare_link(a, b)
        everybody = []
        for round_number in range(ROUNDS):
            victim = chance.choice((a, b))
            everybody += load_and_kill(victim, a, alice, "SENDREALM b bob", round_number, chance)
            a.start()
            if not b.running:
                b.start()
        acknowledged = sum(len(one.acknowledged) for one in everybody)
        wait_for_empty_outbox(a)
        messages = mailbox(b, bob, "INBOXREALM a", 0)
        compare(everybody, messages)
        return f"{ROUNDS} rounds, {acknowledged} acknowledged, {len(messages)} there"


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("kill -9 under SEND", check_send),
                                  ("kill -9 of either end under SENDREALM", check_sendrealm)]))
