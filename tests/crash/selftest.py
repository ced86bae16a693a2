#!/usr/bin/env python3
"""The oracle against forged results: what an honest federation would show passes, and each way in
which one can cheat is found and named."""

import copy
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "box")]

# pylint: disable=wrong-import-position
import audit
from letters import (MISMATCH, NOBODY, OTHER_GROUP, SHARED_GROUP, SOUND, UNKNOWN, Box, Target,
                     boxes_of, group_box, targets_of, text_of)
from oracle import Journal, Ok, Oracle, Refused

REALMS = ("a", "b")
TO_BOB = Target("SEND", "a", "u1", SOUND)
TO_GROUP = Target("SENDGROUP", "a", SHARED_GROUP, SOUND)
TO_PEER = Target("SENDREALM", "b", "u2", SOUND)
TO_PEERS = Target("SENDGROUPREALM", "b", SHARED_GROUP, SOUND)
TO_NOBODY = Target("SENDREALM", "b", NOBODY, UNKNOWN)
TO_STRANGERS = Target("SENDGROUPREALM", "b", OTHER_GROUP, MISMATCH)
BOB = Box("a", "u1", "INBOX")
GROUP = group_box("a", SHARED_GROUP)
PEER = Box("b", "u2", "INBOXREALM a")
OUR_COPY = group_box("a", SHARED_GROUP, "b")
THEIRS = group_box("b", SHARED_GROUP, "a")
OUR_STRANGERS = group_box("a", OTHER_GROUP, "b")
SENDER = Box("a", "u0", "INBOX")


class Honest:
    """Two clients of a@u0 that say the same things; all that a federation without faults shows."""

    def __init__(self):
        self.number = 0
        self.pages = {box: [] for box in boxes_of(REALMS)}
        self.journals = [Journal(client, "a", "u0", 1) for client in ("a0", "a6")]
        for _ in range(3):
            for journal in self.journals:
                self.say(journal, TO_BOB)
                self.say(journal, TO_GROUP)
                self.say(journal, TO_PEER, "delivered")
                self.say(journal, TO_PEER, "queued")
                self.say(journal, TO_PEERS, "delivered")
                self.refuse(journal, TO_NOBODY, "NO_USER")
                self.refuse(journal, TO_STRANGERS, "GROUP_MISMATCH")
                self.refuse(journal, TO_BOB, "STORE")
                self.bounce(journal, TO_NOBODY)
                self.bounce(journal, TO_STRANGERS)
                self.stay_silent(journal, TO_PEERS, arrives=True)
                self.stay_silent(journal, TO_PEERS, arrives=False)
                self.stay_silent(journal, TO_BOB, arrives=True)
        self.journals[0].glimpses = [(BOB, message["seq"], message["id"])
                                     for message in self.pages[BOB][1:4]]
        first = self.journals[0].outcomes[0].number
        self.journals[0].states = [(first, "delivered")]
        self.journals[0].final_states = [(first, "delivered")]

    def message(self, journal, target, number):
        head = {"id": f"a:{self.number}", "from": "u0@a", "time": "2026-11-22T10:00:00.123Z"}
        head["message"] = text_of(journal.client, number, target)
        if target.is_group:
            return {**head, "group": target.name}
        return {**head, "to": f"{target.name}@{target.realm}"}

    def put(self, box, message):
        if box is not None:
            self.pages[box].append({"seq": len(self.pages[box]) + 1, **message})

    def note(self, journal, target, outcome):
        self.number += 1
        journal.targets.append(target)
        journal.outcomes.append(outcome)
        return self.message(journal, target, len(journal.targets))

    def say(self, journal, target, delivery=None):
        message = self.note(journal, target, Ok(self.number + 1, delivery))
        self.put(target.box("a"), message)
        self.put(target.copy_box("a"), message)

    def refuse(self, journal, target, code):
        self.note(journal, target, Refused(code))

    def stay_silent(self, journal, target, arrives):
        message = self.note(journal, target, None)
        if arrives:
            self.put(target.box("a"), message)
            self.put(target.copy_box("a"), message)

    def bounce(self, journal, target):
        """It was queued, and refused later."""
        self.say(journal, target, "queued")
        text = f"Pesan a:{self.number} untuk {target.name}@b tidak terkirim: tidak ada"
        self.number += 1
        self.put(SENDER, {"id": f"a:{self.number}", "from": "realm@a", "to": "u0@a",
                          "time": "2026-11-22T10:00:00.123Z", "message": text})

    def renumber(self, box):
        for place, message in enumerate(self.pages[box]):
            message["seq"] = place + 1


def take(honest, box, place=0):
    message = honest.pages[box].pop(place)
    honest.renumber(box)
    return message


def add(honest, box, message):
    honest.put(box, {key: value for key, value in message.items() if key != "seq"})


def swap(honest, box, one, other):
    page = honest.pages[box]
    page[one], page[other] = page[other], page[one]
    honest.renumber(box)


def edit(honest, box, **values):
    honest.pages[box][0].update(values)


def forge_place(honest):
    add(honest, GROUP, take(honest, BOB, 4))


def forge_silent_twice(honest):
    """The one without an answer."""
    silent = honest.pages[BOB][1]
    add(honest, BOB, silent)


def forge_refused(honest):
    journal = honest.journals[0]
    place = journal.outcomes.index(Refused("STORE"))
    add(honest, BOB, honest.message(journal, TO_BOB, place + 1))


def forge_bounce_too(honest):
    outcome = honest.journals[0].outcomes[3]
    bounce = honest.pages[SENDER][0]
    add(honest, SENDER, {**bounce, "id": "a:9999",
                         "message": f"Pesan a:{outcome.number} untuk u2@b tidak terkirim: x"})


def forge_stray_bounce(honest):
    bounce = honest.pages[SENDER][0]
    add(honest, SENDER, {**bounce, "id": "a:9999",
                         "message": "Pesan a:8888 untuk tiada@b tidak terkirim: x"})


def forge_seq(honest):
    for message in honest.pages[PEER][2:]:
        message["seq"] += 1


def forge_outcome(honest, place, outcome):
    honest.journals[0].outcomes[place] = outcome


def forge_text(honest):
    message = honest.pages[PEER][0]
    edit(honest, PEER, message=message["message"][:-1] + "!")


def forge_glimpse(honest):
    honest.journals[0].glimpses.append((BOB, 2, "a:777"))


def forge_lost_glimpse(honest):
    honest.journals[0].glimpses.append((BOB, 99, "a:777"))


def forge_later_copy(honest):
    """The one without an answer, in one of the two realms only."""
    silent = honest.journals[0].outcomes.index(None) + 1
    text = text_of("a0", silent, TO_PEERS)
    place = [message["message"] for message in honest.pages[THEIRS]].index(text)
    take(honest, THEIRS, place)


FORGERIES = [
    ("a missing message", lambda h: take(h, BOB, 0), "what was answered OK is there"),
    ("a missing message of another realm", lambda h: take(h, PEER, 3),
     "what was answered OK is there"),
    ("a missing last message", lambda h: h.pages[GROUP].pop(), "what was answered OK is there"),
    ("a doubled message", lambda h: add(h, BOB, h.pages[BOB][-2]), "nothing twice"),
    ("a doubled message of another realm", lambda h: add(h, PEER, h.pages[PEER][0]),
     "nothing twice"),
    ("a doubled message that was not answered", forge_silent_twice, "nothing twice"),
    ("two messages of a sender in the wrong order", lambda h: swap(h, PEER, 0, 1),
     "a sender's order is kept"),
    ("a message in a mailbox of somebody else", forge_place, "in the right mailbox only"),
    ("a message in the same mailbox of another realm",
     lambda h: add(h, Box("b", "u1", "INBOX"), h.pages[BOB][0]), "in the right mailbox only"),
    ("an altered text", forge_text, "nothing but what was sent"),
    ("a cut text", lambda h: edit(h, BOB, message="a0 1 SEND u1 "), "nothing but what was sent"),
    ("a message that nobody sent", lambda h: edit(h, BOB, message="halo"),
     "nothing but what was sent"),
    ("a message of an earlier round", lambda h: edit(h, BOB, message=text_of("a0", 900, TO_BOB)),
     "nothing but what was sent"),
    ("another id than was told", lambda h: edit(h, BOB, id="a:555"), "the id is as told"),
    ("an id of another realm", lambda h: edit(h, PEER, id="b:1"), "the id names the origin"),
    ("two ids for one message", lambda h: edit(h, THEIRS, id="a:555"), "one message has one id"),
    ("one id for two messages", lambda h: forge_outcome(h, 0, h.journals[1].outcomes[0]),
     "ids are unique"),
    ("somebody else's name on it", lambda h: edit(h, BOB, **{"from": "u3@a"}),
     "from and to are what they were"),
    ("somebody else's name on a group's", lambda h: edit(h, GROUP, group="lain"),
     "from and to are what they were"),
    ("ERROR, and it is there", forge_refused, "ERROR means nothing was changed"),
    ("an ERROR that nothing justifies", lambda h: forge_outcome(h, 7, Refused("NO_USER")),
     "nothing is refused without cause"),
    ("delivered to a user that there is not",
     lambda h: forge_outcome(h, 8, Ok(h.journals[0].outcomes[8].number, "delivered")),
     "OK is not said of what is refused"),
    ("OK without delivery",
     lambda h: forge_outcome(h, 2, Ok(h.journals[0].outcomes[2].number, None)),
     "delivery is told for other realms only"),
    ("a bounce that never came", lambda h: take(h, SENDER, 0), "what is refused later bounces"),
    ("a doubled bounce", lambda h: add(h, SENDER, h.pages[SENDER][0]), "nothing twice"),
    ("bounced and delivered", forge_bounce_too, "delivered or bounced, not both"),
    ("a bounce of nothing", forge_stray_bounce, "nothing but what was sent"),
    ("a bounce in the wrong INBOX", lambda h: add(h, Box("a", "u4", "INBOX"), take(h, SENDER, 0)),
     "a bounce goes to its sender"),
    ("a group message that only the other side has", lambda h: take(h, OUR_COPY, 0),
     "both sides of a group agree"),
    ("a group message that only our side has", lambda h: take(h, THEIRS, 0),
     "what was answered OK is there"),
    ("one that was not answered, on one side only", forge_later_copy,
     "both sides of a group agree"),
    ("a hole in seq", forge_seq, "seqs have no holes"),
    ("a seq twice", lambda h: edit(h, PEER, seq=2), "seqs have no holes"),
    ("a page that showed something else", forge_glimpse, "pages never change"),
    ("a page that showed what is gone", forge_lost_glimpse, "pages never change"),
    ("CHECKMESSAGE says rejected",
     lambda h: h.journals[0].states.append((h.journals[0].outcomes[2].number, "rejected")),
     "CHECKMESSAGE tells the truth"),
    ("CHECKMESSAGE does not know it",
     lambda h: h.journals[0].states.append((h.journals[0].outcomes[2].number, "FORBIDDEN")),
     "CHECKMESSAGE tells the truth"),
    ("CHECKMESSAGE still says queued in the end",
     lambda h: h.journals[0].final_states.append((h.journals[0].outcomes[3].number, "queued")),
     "CHECKMESSAGE tells the truth"),
]


def check_honest():
    problems = []
    verdict = Oracle().judge(Honest().journals, Honest().pages)
    problems += [f"honest results: {words}" for words in verdict.violations]
    honest = Honest()
    honest.journals[0].states.append((honest.journals[0].outcomes[3].number, "queued"))
    problems += [f"queued for a while: {words}"
                 for words in Oracle().judge(honest.journals, honest.pages).violations]
    if verdict.figures["SENDREALM", "there"] != 12 or verdict.figures["SEND", "STORE"] != 6:
        problems.append(f"the figures are wrong: {verdict.figures}")
    return problems


def check_forgeries():
    problems = []
    for name, forge, promise in FORGERIES:
        honest = Honest()
        forge(honest)
        found = Oracle().judge(honest.journals, honest.pages).violations
        if not any(words.startswith(f"{promise}: ") for words in found):
            problems.append(f"{name}: not found to break {promise!r}, but {found}")
    return problems


def check_rounds():
    """A second round: nothing of the first may come again, no id may be given again."""
    problems = []
    oracle, honest = Oracle(), Honest()
    oracle.judge(honest.journals, honest.pages)
    late = {box: [] for box in honest.pages}
    late[BOB] = [{**honest.pages[BOB][0], "seq": len(honest.pages[BOB]) + 1}]
    idle = [Journal(journal.client, "a", "u0", len(journal.targets) + 1)
            for journal in honest.journals]
    found = copy.deepcopy(oracle).judge(idle, late).violations
    if not any("nothing but what was sent" in words for words in found):
        problems.append(f"a message that comes once more in the next round: {found}")
    again = copy.deepcopy(idle)
    again[0].targets, again[0].outcomes = [TO_BOB], [Ok(1, None)]
    message = {**honest.pages[BOB][0], "seq": len(honest.pages[BOB]) + 1, "id": "a:1"}
    message["message"] = text_of("a0", again[0].first, TO_BOB)
    found = oracle.judge(again, {**late, BOB: [message]}).violations
    if not any("ids are unique" in words for words in found):
        problems.append(f"an id of the round before: {found}")
    return problems


class Shelf(audit.Audit):
    """An audit of one mailbox that somebody may have changed since."""

    def __init__(self, messages):
        super().__init__([], {})
        self.blocks, self.tails = {BOB: []}, {BOB: []}
        self.keep({BOB: messages})

    def is_same(self, messages):
        reader, audit.read = audit.read, lambda *_: iter(messages)
        try:
            return self.compare(None, BOB) == len(messages)
        except audit.Failure:
            return False
        finally:
            audit.read = reader


def check_digests():
    """What was read once is compared with what is read at the end."""
    problems = []
    for count in (0, 1, 999, 1000, 1001, 2500):
        messages = [{"seq": seq, "id": f"a:{seq}", "message": "x"} for seq in range(1, count + 1)]
        shelf = Shelf(messages)
        if not shelf.is_same(messages):
            problems.append(f"{count} messages, unchanged: not the same")
        if shelf.is_same([*messages, {"seq": count + 1, "id": "a:0", "message": "x"}]):
            problems.append(f"{count} messages, one added: not found")
        if count and shelf.is_same(messages[:-1]):
            problems.append(f"{count} messages, the last one lost: not found")
        if count and shelf.is_same([{**messages[0], "message": "y"}, *messages[1:]]):
            problems.append(f"{count} messages, the first one changed: not found")
    return problems


def check_letters():
    """Each message has a mailbox of its own among those that are read, or none at all."""
    boxes = set(boxes_of(REALMS))
    problems = []
    for target, _ in targets_of("a", REALMS):
        arrives, copied = target.box("a"), target.copy_box("a")
        if (arrives is None) == (target.state == SOUND) or not {arrives, copied} - {None} <= boxes:
            problems.append(f"{target}: {arrives}, {copied}")
    texts = {text_of("a0", number, TO_BOB) for number in range(500)}
    if len(texts) != 500 or max(len(text.encode()) for text in texts) < 1000:
        problems.append("the texts are not what they should be")
    return problems


def main():
    problems = []
    for check in (check_honest, check_forgeries, check_rounds, check_digests, check_letters):
        found = check()
        print(f"{'FAIL' if found else 'ok  '}  {check.__name__[6:]}")
        problems += found
    for problem in problems:
        print(f"      {problem}")
    print(f"{len(FORGERIES)} forgeries")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
