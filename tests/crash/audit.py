"""The audit: every mailbox is read from outside, through the protocol, and what came is kept as
digests, so that a later reading can be compared."""

import hashlib
import json
import time

from harness.failure import Failure
from harness.scratch import asked, connected

from letters import boxes_of
from oracle import Ok

HEALS_S = 60
LOOK_S = 0.02
BLOCK = 1000
CHECKED_IDS = 40  # of each client in a round


class Audit:
    def __init__(self, victims, tokens):
        self.victims = {victim.handle: victim for victim in victims}
        self.tokens = tokens
        self.boxes = boxes_of(list(self.victims))
        self.blocks = {box: [] for box in self.boxes}  # a digest for each BLOCK messages
        self.tails = {box: [] for box in self.boxes}   # what is left behind the last one

    def wait_for_healing(self, slow):
        """Every link up at both ends and nothing queued; how many seconds that took."""
        began = time.monotonic()
        while rows := self.unhealed():
            if time.monotonic() - began > HEALS_S * slow:
                raise Failure(f"{HEALS_S * slow:g} s after the last fault not every link is up "
                              "with an empty queue", *rows)
            time.sleep(LOOK_S)
        return time.monotonic() - began

    def unhealed(self):
        rows = []
        for victim in self.victims.values():
            victim.check_alive()
            for row in json.loads(victim.admin("CHECKREALM"))["data"]:
                if row["state"] != "up" or row["queued"] != 0:
                    rows.append(f"{victim.handle}: {row}")
        return rows

    def signed_on(self, realm, user):
        connection = connected(self.victims[realm], user)
        asked(connection, f"RESUME {self.tokens[realm][user]}")
        return connection

    def read_all(self, ends):
        """All messages of each mailbox behind its end."""
        pages = {}
        for (realm, user), boxes in self.by_reader().items():
            connection = self.signed_on(realm, user)
            for box in boxes:
                pages[box] = list(read(connection, box, ends[box]))
            connection.close()
        return pages

    def by_reader(self):
        readers = {}
        for box in self.boxes:
            readers.setdefault((box.realm, box.reader), []).append(box)
        return readers

    def ask_states(self, journals, chance):
        """CHECKMESSAGE of some messages of each client that were answered OK."""
        for journal in journals:
            numbers = [outcome.number for outcome in journal.outcomes if isinstance(outcome, Ok)]
            numbers = chance.sample(numbers, min(CHECKED_IDS, len(numbers)))
            connection = self.signed_on(journal.realm, journal.user)
            connection.send("".join(f"CHECKMESSAGE {journal.realm}:{number}\n"
                                    for number in numbers).encode())
            for number in numbers:
                reply = json.loads(connection.frame())
                state = reply["data"]["state"] if reply["status"] == "OK" else reply["code"]
                journal.final_states.append((number, state))
            connection.close()

    def keep(self, pages):
        """Remembers what stands in the mailboxes."""
        for box, messages in pages.items():
            tail = self.tails[box] + [seen(message) for message in messages]
            while len(tail) >= BLOCK:
                self.blocks[box].append(digest(tail[:BLOCK]))
                del tail[:BLOCK]
            self.tails[box] = tail

    def compare_all(self):
        """Reads every mailbox from its first message on; how many messages stood where they did."""
        count = 0
        for (realm, user), boxes in self.by_reader().items():
            connection = self.signed_on(realm, user)
            for box in boxes:
                count += self.compare(connection, box)
            connection.close()
        return count

    def compare(self, connection, box):
        came, count = [], 0
        known = iter(self.blocks[box])
        for message in read(connection, box, 0):
            came.append(seen(message))
            if len(came) < BLOCK:
                continue
            count += BLOCK
            if digest(came) != next(known, None):
                raise Failure(f"{box}: between seq {count - BLOCK + 1} and {count} stands "
                              "something else than before")
            came.clear()
        if next(known, None) is not None or came != self.tails[box]:
            raise Failure(f"{box}: behind seq {count} stands something else than before")
        return count + len(came)


def read(connection, box, after):
    """Page by page with AFTER; the oracle looks at the seq, here they only have to grow."""
    while True:
        page = asked(connection, f"{box.request} AFTER {after} LIMIT 1000")
        if page.get("stale"):
            raise Failure(f"{box}: stale, with all links up")
        for message in page["data"]:
            if message["seq"] <= after:
                raise Failure(f"{box}: seq {message['seq']} AFTER {after}")
            after = message["seq"]
            yield message
        if not page.get("more"):
            return
        if not page["data"]:
            raise Failure(f"{box}: an empty page AFTER {after} that says there is more")


def seen(message):
    return json.dumps(message, sort_keys=True)


def digest(lines):
    return hashlib.sha256("\n".join(lines).encode()).digest()
