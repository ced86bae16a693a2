"""What is said: every message bears its sender's connection and a number, so that whoever reads it
knows what it must be, to the letter, and where it belongs."""

import typing
import zlib

USERS = tuple(f"u{number}" for number in range(6))
SHARED_GROUP = "tim"  # one password in all realms
OTHER_GROUP = "beda"  # one of its own in each
NOBODY = "tiada"
ALPHABET = ("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJ \"quoted\" back\\slash, äöü ß é ñ 日本語 "
            "\U0001f980 0123456789 ")
FILLING = ALPHABET * 64
LONG_EVERY = 60
TEXT_BYTES_MAX = 4096

SOUND = "sound"        # whom it is for exists
UNKNOWN = "unknown"    # there is no such user
MISMATCH = "mismatch"  # the group over there has another password


class Box(typing.NamedTuple):
    """A mailbox: in which realm, who may read it, by which request."""

    realm: str
    reader: str
    request: str

    def __str__(self):
        return f"{self.request} of {self.reader}@{self.realm}"


class Target(typing.NamedTuple):
    """Where a message is sent: the words of its request in front of the text, and what is there."""

    request: str  # SEND, SENDGROUP, SENDREALM, SENDGROUPREALM
    realm: str    # the realm of whom it is for
    name: str
    state: str

    def words(self):
        if self.request in ("SENDREALM", "SENDGROUPREALM"):
            return f"{self.request} {self.realm} {self.name}"
        return f"{self.request} {self.name}"

    @property
    def is_remote(self):
        return self.request in ("SENDREALM", "SENDGROUPREALM")

    @property
    def is_group(self):
        return self.request in ("SENDGROUP", "SENDGROUPREALM")

    def box(self, home):
        """Where it arrives; None where there is no such mailbox. `home` is the sender's realm."""
        if self.state != SOUND:
            return None
        if self.request == "SEND":
            return Box(home, self.name, "INBOX")
        if self.request == "SENDGROUP":
            return group_box(home, self.name)
        if self.request == "SENDREALM":
            return Box(self.realm, self.name, f"INBOXREALM {home}")
        return group_box(self.realm, self.name, home)

    def copy_box(self, home):
        """A message to another realm's group stands in our own, too."""
        return group_box(home, self.name, self.realm) if self.request == "SENDGROUPREALM" else None


def group_box(realm, group, peer=None):
    request = f"INBOXGROUPREALM {peer} {group}" if peer else f"INBOXGROUP {group}"
    return Box(realm, USERS[0], request)


def targets_of(home, realms):
    """(target, weight) for all that is sent from a realm."""
    chosen = [(Target("SEND", home, user, SOUND), 5) for user in USERS]
    chosen += [(Target("SEND", home, NOBODY, UNKNOWN), 1),
               (Target("SENDGROUP", home, SHARED_GROUP, SOUND), 20)]
    peers = [realm for realm in realms if realm != home]
    for peer in peers:
        chosen += [(Target("SENDREALM", peer, user, SOUND), 8 / len(peers)) for user in USERS]
        chosen += [(Target("SENDREALM", peer, NOBODY, UNKNOWN), 2 / len(peers)),
                   (Target("SENDGROUPREALM", peer, SHARED_GROUP, SOUND), 30 / len(peers)),
                   (Target("SENDGROUPREALM", peer, OTHER_GROUP, MISMATCH), 2 / len(peers))]
    return chosen


def boxes_of(realms):
    """Every mailbox that there is."""
    boxes = []
    for realm in realms:
        peers = [peer for peer in realms if peer != realm]
        boxes += [Box(realm, user, request) for user in USERS
                  for request in ["INBOX", *[f"INBOXREALM {peer}" for peer in peers]]]
        for group in (SHARED_GROUP, OTHER_GROUP):
            boxes += [group_box(realm, group), *[group_box(realm, group, peer) for peer in peers]]
    return boxes


def text_of(client, number, target):
    """The whole text; most are short, some as long as can be."""
    head = f"{client} {number} {target.words()} "
    dice = zlib.crc32(head.encode())
    length = dice % 120
    if dice // 120 % LONG_EVERY == 0:
        length = dice % 1300  # characters of up to four bytes
    start = dice // 7 % len(ALPHABET)
    text = head + FILLING[start:start + length] + "."
    assert len(text.encode()) <= TEXT_BYTES_MAX
    return text


def said_in(text):
    """(client, number) of a text that looks like one of ours, or None."""
    words = text.split(" ", 2)
    if len(words) < 3 or not words[1].isdecimal():
        return None
    return words[0], int(words[1])
