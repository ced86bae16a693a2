"""The oracle: from what clients said and were told it follows what must stand in which mailbox. It
knows nothing of how a realm works, and does nothing but compare."""

import collections
import dataclasses
import re
import typing

from letters import MISMATCH, SOUND, Target, UNKNOWN, said_in, text_of

BOUNCER = "realm"
BOUNCE = re.compile(r"Pesan (?P<origin>[a-z]+):(?P<number>\d+) untuk (?P<name>\S+)@(?P<realm>\S+) "
                    r"tidak terkirim: .+", re.S)
TOLD_MAX = 3  # of each promise
# What a request may be refused with, beside the refusal that its target deserves.
ALWAYS_POSSIBLE = {"STORE", "BUSY", "QUEUE_FULL"}
DESERVED = {UNKNOWN: "NO_USER", MISMATCH: "GROUP_MISMATCH", SOUND: None}


class Ok(typing.NamedTuple):
    """An OK: the number of the message's id, and `delivery` where there is one."""

    number: int
    delivery: str | None


class Refused(typing.NamedTuple):
    code: str


@dataclasses.dataclass
class Journal:
    """What one client said in a round. A client says one thing after the other over all its
    connections; messages are numbered from `first` on."""

    client: str
    realm: str
    user: str
    first: int
    targets: list[Target] = dataclasses.field(default_factory=list)
    outcomes: list[Ok | Refused | None] = dataclasses.field(default_factory=list)
    states: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    final_states: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    glimpses: list[tuple] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Letter:
    """One message: what was promised, and what was found."""

    journal: Journal
    number: int
    target: Target
    outcome: Ok | Refused | None
    arrived: int = 0
    copies: int = 0
    bounces: int = 0
    found_id: str | None = None

    def __str__(self):
        told = {Ok: lambda: f"OK {self.journal.realm}:{self.outcome.number} "
                            f"{self.outcome.delivery or ''}".rstrip(),
                Refused: lambda: f"ERROR {self.outcome.code}",
                type(None): lambda: "no answer"}[type(self.outcome)]()
        return (f"message {self.journal.client} {self.number} ({self.target.words()} by "
                f"{self.journal.user}@{self.journal.realm}, told: {told}; arrived {self.arrived}, "
                f"copies {self.copies}, bounces {self.bounces}, id {self.found_id})")

    @property
    def is_uncertain(self):
        """Once or not at all. A message to another realm that was answered STORE may have been
        committed before the commit that failed."""
        return self.outcome is None or (self.target.is_remote and self.outcome == Refused("STORE"))


class Verdict:
    """All that is wrong, and what was counted."""

    def __init__(self):
        self.violations = []
        self.broken = collections.Counter()
        self.figures = collections.Counter()

    def wrong(self, promise, words):
        self.broken[promise] += 1
        if self.broken[promise] <= TOLD_MAX:
            self.violations.append(f"{promise}: {words}")


class Oracle:
    """Judges one round after the other: `ends` are the last seq that each mailbox had, `newest` the
    highest number of an id that each realm has given."""

    def __init__(self):
        self.ends = collections.Counter()
        self.newest = collections.Counter()

    def judge(self, journals, pages):
        """`pages`: for each mailbox all messages behind its end, as they came."""
        return Round(self, journals, pages).judge()


class Round:
    def __init__(self, oracle, journals, pages):
        self.oracle = oracle
        self.journals = {journal.client: journal for journal in journals}
        self.pages = pages
        self.verdict = Verdict()
        self.letters = {
            journal.client: [Letter(journal, journal.first + place, target, outcome)
                             for place, (target, outcome)
                             in enumerate(zip(journal.targets, journal.outcomes, strict=True))]
            for journal in journals}
        self.by_id = {f"{letter.journal.realm}:{letter.outcome.number}": letter
                      for letter in self.each() if isinstance(letter.outcome, Ok)}
        self.stray_bounces = collections.Counter()

    def each(self):
        for letters in self.letters.values():
            yield from letters

    def judge(self):
        for box, messages in self.pages.items():
            self.read(box, messages)
        for letter in self.each():
            self.judge_letter(letter)
        self.judge_stray_bounces()
        self.judge_ids()
        for journal in self.journals.values():
            self.judge_states(journal, journal.states, {"queued"})
            self.judge_states(journal, journal.final_states, set())
            self.judge_glimpses(journal)
        return self.verdict

    def read(self, box, messages):
        newest = {}
        seq = self.oracle.ends[box]
        for message in messages:
            seq += 1
            if message["seq"] != seq:
                self.verdict.wrong("seqs have no holes", f"{box}: {message['seq']} stands where "
                                                         f"{seq} should")
                seq = message["seq"]
            if message["from"] == f"{BOUNCER}@{box.realm}":
                self.read_bounce(box, message)
            else:
                self.read_letter(box, message, newest)
        self.oracle.ends[box] = seq

    def read_letter(self, box, message, newest):
        letter = self.letter_in(message)
        if letter is None:
            self.verdict.wrong("nothing but what was sent", f"{box}: {message}")
            return
        self.check_place(box, letter)
        self.check_head(box, letter, message)
        client = letter.journal.client
        if letter.number < newest.get(client, 0):
            self.verdict.wrong("a sender's order is kept",
                               f"{box}: behind its number {newest[client]} stands {letter}")
        newest[client] = letter.number
        if letter.found_id not in (None, message["id"]):
            self.verdict.wrong("one message has one id", f"{box}: {message['id']}, {letter}")
        letter.found_id = message["id"]

    def letter_in(self, message):
        """The letter whose whole text it is, or None."""
        said = said_in(message["message"])
        if said is None or said[0] not in self.letters:
            return None
        client, number = said
        letters = self.letters[client]
        place = number - self.journals[client].first
        if not 0 <= place < len(letters):
            return None
        letter = letters[place]
        return letter if message["message"] == text_of(client, number, letter.target) else None

    def check_place(self, box, letter):
        home = letter.journal.realm
        if box == letter.target.box(home):
            letter.arrived += 1
        elif box == letter.target.copy_box(home):
            letter.copies += 1
        else:
            self.verdict.wrong("in the right mailbox only", f"{box}: {letter}")

    def check_head(self, box, letter, message):
        journal, target = letter.journal, letter.target
        sender = f"{journal.user}@{journal.realm}"
        if target.is_group:
            there, expected = message.get("group"), target.name
        else:
            there, expected = message.get("to"), f"{target.name}@{target.realm}"
        if message["from"] != sender or there != expected:
            self.verdict.wrong("from and to are what they were", f"{box}: {message}, {letter}")
        promised = isinstance(letter.outcome, Ok)
        if promised and message["id"] != f"{journal.realm}:{letter.outcome.number}":
            self.verdict.wrong("the id is as told", f"{box}: {message['id']}, {letter}")
        if not message["id"].startswith(f"{journal.realm}:"):
            self.verdict.wrong("the id names the origin", f"{box}: {message['id']}, {letter}")

    def read_bounce(self, box, message):
        told = BOUNCE.fullmatch(message["message"])
        if box.request != "INBOX" or told is None or told["origin"] != box.realm:
            self.verdict.wrong("nothing but what was sent", f"{box}: {message}")
            return
        letter = self.by_id.get(f"{told['origin']}:{told['number']}")
        if letter is None:
            self.stray_bounces[box, told["realm"], told["name"]] += 1
            return
        letter.bounces += 1
        if (letter.journal.realm, letter.journal.user) != (box.realm, box.reader) or \
                (letter.target.realm, letter.target.name) != (told["realm"], told["name"]):
            self.verdict.wrong("a bounce goes to its sender", f"{box}: {message}, {letter}")

    def judge_letter(self, letter):
        self.count(letter)
        if letter.arrived > 1 or letter.copies > 1 or letter.bounces > 1:
            self.verdict.wrong("nothing twice", str(letter))
        if letter.arrived and letter.bounces:
            self.verdict.wrong("delivered or bounced, not both", str(letter))
        if letter.is_uncertain:
            self.judge_uncertain(letter)
        elif isinstance(letter.outcome, Ok):
            self.judge_ok(letter)
        else:
            self.judge_refused(letter)

    def judge_uncertain(self, letter):
        owes_copy = letter.target.copy_box(letter.journal.realm) is not None
        if owes_copy and letter.target.state == SOUND and letter.copies != letter.arrived:
            self.verdict.wrong("both sides of a group agree", str(letter))

    def judge_ok(self, letter):
        target, delivery = letter.target, letter.outcome.delivery
        if (delivery in ("delivered", "queued")) != target.is_remote:
            self.verdict.wrong("delivery is told for other realms only", str(letter))
        if target.state == SOUND and letter.arrived == 0:
            self.verdict.wrong("what was answered OK is there", str(letter))
        if target.state == SOUND and letter.bounces:
            self.verdict.wrong("nothing is bounced without cause", str(letter))
        if target.state != SOUND and delivery != "queued":
            self.verdict.wrong("OK is not said of what is refused", str(letter))
        if target.state != SOUND and not letter.bounces:
            self.verdict.wrong("what is refused later bounces", str(letter))
        if target.copy_box(letter.journal.realm) is not None and letter.copies == 0:
            self.verdict.wrong("both sides of a group agree", str(letter))

    def judge_refused(self, letter):
        if letter.arrived or letter.copies or letter.bounces:
            self.verdict.wrong("ERROR means nothing was changed", str(letter))
        code = letter.outcome.code
        if code != DESERVED[letter.target.state] and code not in ALWAYS_POSSIBLE:
            self.verdict.wrong("nothing is refused without cause", str(letter))

    def judge_stray_bounces(self):
        """Bounces of what was never answered: not more of them than there are such messages."""
        possible = collections.Counter()
        for letter in self.each():
            if letter.is_uncertain and letter.target.is_remote and letter.target.state != SOUND:
                home = letter.journal
                possible[home.realm, home.user, letter.target.realm, letter.target.name] += 1
        for (box, realm, name), times in self.stray_bounces.items():
            if times > possible[box.realm, box.reader, realm, name]:
                self.verdict.wrong("nothing but what was sent",
                                   f"{box}: {times} bounces of messages to {name}@{realm} that "
                                   f"nobody sent")

    def judge_ids(self):
        """Unique for good: a realm never gives a number that it has given before."""
        newest = self.oracle.newest.copy()
        holder = {}
        for letter in self.each():
            realm = letter.journal.realm
            told = f"{realm}:{letter.outcome.number}" if isinstance(letter.outcome, Ok) else None
            for name in {told, letter.found_id} - {None}:
                number = int(name.partition(":")[2])
                if holder.setdefault(name, letter) is not letter or number <= newest[realm]:
                    self.verdict.wrong("ids are unique", f"{name}: {letter}")
                self.oracle.newest[realm] = max(self.oracle.newest[realm], number)

    def judge_states(self, journal, states, while_queued):
        """What CHECKMESSAGE said of a client's own messages."""
        for number, state in states:
            letter = self.by_id.get(f"{journal.realm}:{number}")
            if letter is None:
                continue
            possible = {"delivered" if letter.target.state == SOUND else "rejected"}
            if letter.outcome.delivery == "queued":
                possible |= while_queued
            if state not in possible:
                self.verdict.wrong("CHECKMESSAGE tells the truth", f"{state}: {letter}")

    def judge_glimpses(self, journal):
        """Whatever a page showed stands there for good."""
        for box, seq, message_id in journal.glimpses:
            messages = self.pages[box]
            first = messages[0]["seq"] if messages else self.oracle.ends[box] + 1
            if seq < first:
                continue
            place = seq - first
            if place >= len(messages) or messages[place]["id"] != message_id:
                self.verdict.wrong("pages never change", f"{box}: {message_id} stood at {seq}")

    def count(self, letter):
        figures, request = self.verdict.figures, letter.target.request
        figures[request, "said"] += 1
        there = bool(letter.arrived)
        if isinstance(letter.outcome, Ok):
            figures[request, letter.outcome.delivery or "OK"] += 1
        elif letter.outcome is None:
            figures[request, "unanswered"] += 1
            figures[request, "unanswered, there"] += there
        else:
            figures[request, letter.outcome.code] += 1
        figures[request, "there"] += there
        figures[request, "bounced"] += bool(letter.bounces)
