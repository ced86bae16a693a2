"""What box programs share: a scratch place with realms, requests one by one, ends for all."""

import contextlib
import json
import os
import shutil
import tempfile
import time

from .connection import Connection
from .failure import Failure
from .realm import Place


@contextlib.contextmanager
def scratch_place(options):
    """A Place whose realms are discarded at the end, whatever has happened."""
    scratch = tempfile.mkdtemp(prefix="realmgate-box-")
    place = Place(os.path.abspath(options.binary), scratch, options.slow)
    realms = []
    place.add = lambda realm: realms.append(realm) or realm
    try:
        yield place
        for realm in realms:
            if realm.running:
                realm.stop()
        check_alarms(realms)
    except Failure as failure:
        for realm in realms:
            failure.details += [f"log of realm {realm.handle}:", *realm.log_lines()[-12:]]
        raise
    finally:
        for realm in realms:
            realm.discard()
        shutil.rmtree(scratch, ignore_errors=True)


def check_alarms(realms):
    for realm in realms:
        if realm.alarms():
            raise Failure(f"realm {realm.handle} reports a defect", *realm.alarms()[:12])


def connected(realm, name="x"):
    return Connection(f"{name}@{realm.handle}", realm.clients, realm.place.patience_s)


def asked(connection, request):
    """Sends one request; the reply as an object, which must be an OK."""
    connection.send(f"{request}\n".encode())
    reply = json.loads(connection.frame())
    if reply["status"] != "OK":
        raise Failure(f"{connection.name}: {request[:80]} was answered {reply}")
    return reply


def administer(realm, *requests):
    """Requests through the admin socket that must all be OK."""
    for request in requests:
        reply = json.loads(realm.admin(request))
        if reply["status"] != "OK":
            raise Failure(f"realm {realm.handle}: {request} was answered {reply}")


def whole_mailbox(connection, request, after=0):
    """All messages of a mailbox behind `after`, page by page; their seq has no holes."""
    messages = []
    while True:
        page = asked(connection, f"{request} AFTER {after} LIMIT 1000")
        for message in page["data"]:
            after += 1
            if message["seq"] != after:
                raise Failure(f"{request}: seq {message['seq']} stands where {after} should")
        messages += page["data"]
        if not page.get("more"):
            return messages


def token_of(realm, user):
    connection = connected(realm)
    token = asked(connection, f"AUTH {user} rahasia")["data"]
    connection.close()
    return token


def mailbox(realm, token, request, after=0):
    """The whole mailbox behind `after`, over a connection of its own."""
    connection = connected(realm)
    asked(connection, f"RESUME {token}")
    messages = whole_mailbox(connection, request, after)
    connection.close()
    return messages


def prepare_link(a, b):
    """Starts and links a with alice and b with bob; the tokens of the two."""
    for realm, user in ((a, "alice"), (b, "bob")):
        realm.start()
        administer(realm, f"ADDUSER {user} rahasia")
    administer(a, f"TRUSTREALM b {b.key()}")
    administer(b, f"TRUSTREALM a {a.key()}")
    administer(a, f"ADDREALM b 127.0.0.1 {b.federation[1]}")
    return token_of(a, "alice"), token_of(b, "bob")


def wait_for_empty_outbox(realm):
    deadline = time.monotonic() + 30 * realm.place.slow
    while True:
        row = json.loads(realm.admin("CHECKREALM"))["data"][0]
        if row["state"] == "up" and row["queued"] == 0:
            return
        if time.monotonic() > deadline:
            raise Failure(f"the outbox of {realm.handle} does not empty itself: {row}")
        time.sleep(0.05)
