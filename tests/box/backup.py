#!/usr/bin/env python3
"""Backups: taken under load, restored into an empty directory. Linked realms notice; nothing that
the backup held is lost or doubled, and what is new flows."""
# box-program

import json
import os
import shutil
import sys
import threading

from harness.failure import Failure
from harness.realm import Realm
from harness.runner import run_checks
from harness.scratch import (administer, asked, connected, mailbox, prepare_link, scratch_place,
                             token_of, wait_for_empty_outbox)

BACKUPS = 3
SENDERS = 3
BEHIND = 20


class Load:
    """Threads that send, one message after the other, until they are told to stop."""

    def __init__(self, realm, token, command):
        self.stopped = threading.Event()
        self.acknowledged = [{} for _ in range(SENDERS)]
        self.failure = None
        self.threads = [threading.Thread(target=self.run, args=(realm, token, command, number))
                        for number in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def run(self, realm, token, command, number):
        try:
            connection = connected(realm, f"s{number}")
            asked(connection, f"RESUME {token}")
            count = 0
            while not self.stopped.is_set():
                text = f"s{number} {count}"
                self.acknowledged[number][text] = asked(connection, f"{command} {text}")["id"]
                count += 1
            connection.close()
        except Failure as failure:
            self.failure = failure

    def wait_for(self, count, patience_s):
        """Until every sender has had so many answers."""
        tick = threading.Event()
        waited = 0
        while min(len(one) for one in self.acknowledged) < count and self.failure is None:
            tick.wait(0.01)
            waited += 0.01
            if waited > patience_s:
                raise Failure("the senders come to nothing")

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        if self.failure is not None:
            raise self.failure
        return self.acknowledged


def in_order(messages, acknowledged):
    """Each sender's messages once and in order, without a hole, with the ids that were told; how
    many of the acknowledged ones are not there (these are the last ones)."""
    missing = 0
    there = {}
    for message in messages:
        if message["message"] in there:
            raise Failure(f"{message['message']!r} is there twice")
        there[message["message"]] = message["id"]
    for number, told in enumerate(acknowledged):
        mine = [text for text in there if text.split()[0] == f"s{number}"]
        if mine != [f"s{number} {count}" for count in range(len(mine))]:
            raise Failure(f"s{number}: out of order, or with a hole")
        for text in mine:
            if text in told and told[text] != there[text]:
                raise Failure(f"{text!r} was told to be {told[text]}, it is {there[text]}")
        missing += sum(text not in there for text in told)
    return missing


def replace_data(realm, backup):
    """The realm's directory is lost; a new one is made of the backup."""
    shutil.rmtree(realm.data)
    restored = realm.program("restore", backup, "--data", realm.data)
    if restored != f"realm {realm.name} restored into {realm.data}\n":
        raise Failure(f"restore says {restored!r}")


def check_load(options):
    """backup while a realm is busy: whole, in order, and of one moment"""
    with scratch_place(options) as place:
        realm = place.add(Realm(place, "a"))
        realm.start()
        administer(realm, "ADDUSER alice rahasia", "ADDUSER bob rahasia")
        alice, bob = token_of(realm, "alice"), token_of(realm, "bob")
        load = Load(realm, alice, "SEND bob")
        held = []
        for number in range(BACKUPS):
            load.wait_for(50 * (number + 1), place.patience_s)
            before = sum(len(one) for one in load.acknowledged)
            backup = os.path.join(place.scratch, f"backup-{number}")
            realm.program("backup", backup, "--data", realm.data)
            held.append((backup, before))
        load.wait_for(50 * (BACKUPS + 1), place.patience_s)
        acknowledged = load.stop()
        realm.stop()
        counts = []
        for backup, before in held:
            replace_data(realm, backup)
            exported = [json.loads(line) for line in
                        realm.program("export", "--data", realm.data).splitlines()]
            realm.start()
            messages = mailbox(realm, bob, "INBOX")
            in_order(messages, acknowledged)
            if len(messages) < before:
                raise Failure(f"{before} were acknowledged before the backup, {len(messages)} are "
                              "in it")
            if [one["message"] for one in exported] != messages:
                raise Failure("export and INBOX differ")
            counts.append(f"{len(messages)} (at least {before})")
            realm.stop()
        return f"{BACKUPS} backups held {', '.join(counts)} of " \
               f"{sum(len(one) for one in acknowledged)} messages"


def expect_texts(messages, texts, what):
    there = [message["message"] for message in messages]
    if there != texts:
        raise Failure(f"{what}: {there[-5:]} ({len(there)}) stand where {texts[-5:]} "
                      f"({len(texts)}) should")


def say(realm, token, command, texts):
    connection = connected(realm)
    asked(connection, f"RESUME {token}")
    ids = [asked(connection, f"{command} {text}")["id"] for text in texts]
    connection.close()
    return ids


def check_restored_receiver(options):
    """the receiver is restored: what it lost is sent again, once and in order"""
    with scratch_place(options) as place:
        a, b = (place.add(Realm(place, handle)) for handle in ("a", "b"))
        alice, bob = prepare_link(a, b)
        backup = os.path.join(place.scratch, "backup")
        say(a, alice, "SENDREALM b bob", [f"before {n}" for n in range(BEHIND)])
        b.program("backup", backup, "--data", b.data)
        say(a, alice, "SENDREALM b bob", [f"behind {n}" for n in range(BEHIND)])
        b.kill()
        replace_data(b, backup)
        b.start()
        say(a, alice, "SENDREALM b bob", [f"new {n}" for n in range(BEHIND)])
        wait_for_empty_outbox(a)
        expect_texts(mailbox(b, bob, "INBOXREALM a"),
                     [f"{part} {n}" for part in ("before", "behind", "new") for n in range(BEHIND)],
                     "bob's INBOXREALM a")
        return f"{BEHIND} messages behind the backup came again"


def check_restored_sender(options):
    """the sender is restored: nothing new is taken for old, ids are not given again"""
    with scratch_place(options) as place:
        a, b = (place.add(Realm(place, handle)) for handle in ("a", "b"))
        alice, bob = prepare_link(a, b)
        backup = os.path.join(place.scratch, "backup")
        ids = say(a, alice, "SENDREALM b bob", [f"before {n}" for n in range(BEHIND)])
        a.program("backup", backup, "--data", a.data)
        ids += say(a, alice, "SENDREALM b bob", [f"behind {n}" for n in range(BEHIND)])
        a.kill()
        replace_data(a, backup)
        a.start()
        ids += say(a, alice, "SENDREALM b bob", [f"new {n}" for n in range(BEHIND)])
        wait_for_empty_outbox(a)
        expect_texts(mailbox(b, bob, "INBOXREALM a"),
                     [f"{part} {n}" for part in ("before", "behind", "new") for n in range(BEHIND)],
                     "bob's INBOXREALM a")
        if len(set(ids)) != len(ids):
            raise Failure("the restored realm gave ids again")
        texts = [f"back {n}" for n in range(BEHIND)]
        say(b, bob, "SENDREALM a alice", texts)
        wait_for_empty_outbox(b)
        expect_texts(mailbox(a, alice, "INBOXREALM b"), texts, "alice's INBOXREALM b")
        return f"{len(ids)} messages with {len(set(ids))} ids"


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("backup under load", check_load),
                                  ("a restored receiver", check_restored_receiver),
                                  ("a restored sender", check_restored_sender)]))
