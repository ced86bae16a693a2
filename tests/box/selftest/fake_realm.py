#!/usr/bin/env python3
"""A fake realm for the harness's own test: a few honest requests, and every misbehaviour that a
transcript must notice. It keeps its messages in a file, so that a restart can be played."""

import argparse
import json
import os
import selectors
import signal
import socket
import sys

KEY = "k" * 43
FRAME_END = "\r\n\r\n"


def ok(data, **more):
    return json.dumps({"status": "OK", "data": data, **more}, separators=(",", ":")) + FRAME_END


class FakeRealm:
    def __init__(self, options):
        self.name = options.name
        self.store = os.path.join(options.data, "messages")
        self.selector = selectors.DefaultSelector()
        self.buffers = {}
        self.asked = 0
        self.linked = ""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        self.open(options)

    def open(self, options):
        clients, federation = (listener(address) for address in (options.clients,
                                                                 options.federation))
        admin = socket.socket(socket.AF_UNIX)
        path = os.path.join(options.data, "admin.sock")
        if os.path.exists(path):
            os.unlink(path)
        admin.bind(path)
        admin.listen()
        for one in (clients, admin):
            self.selector.register(one, selectors.EVENT_READ, self.accept)
        self.federation = federation
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in (clients, federation)]
        print(f"realm {self.name} ready clients={addresses[0]} federation={addresses[1]} "
              f"key={KEY}", flush=True)
        print("log: serving", file=sys.stderr, flush=True)

    def accept(self, listening):
        client, _ = listening.accept()
        self.buffers[client] = b""
        self.selector.register(client, selectors.EVENT_READ, self.read)

    def read(self, client):
        try:
            data = client.recv(65536)
        except ConnectionResetError:
            data = b""
        lines = (self.buffers[client] + data).split(b"\n")
        self.buffers[client] = lines.pop()
        if not data and self.buffers[client]:
            lines.append(self.buffers[client])
        for line in lines:
            if line.strip() and client in self.buffers:
                self.answer(client, line.strip().decode())
        if not data:
            self.close(client)

    def close(self, client):
        if self.buffers.pop(client, None) is not None:
            self.selector.unregister(client)
            client.close()

    def answer(self, client, line):
        word, _, rest = line.partition(" ")
        method = getattr(self, f"on_{word.lower()}", None)
        reply = method(client, rest) if method else '{"status":"ERROR","data":"what?"}' + FRAME_END
        if reply and client in self.buffers:
            client.sendall(reply.encode() if isinstance(reply, str) else reply)

    def serve(self):
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)

    # Honest requests.

    def on_ping(self, client, rest):
        return ok("PONG")

    def on_auth(self, client, rest):
        return ok("t" * 24)

    def on_adduser(self, client, rest):
        return ok(rest)

    def on_send(self, client, rest):
        with open(self.store, "a", encoding="utf-8") as file:
            file.write(rest + "\n")
        return ok("Message sent", id=f"{self.name}:{len(self.messages())}")

    def on_inbox(self, client, rest):
        return ok([{"seq": seq, "id": f"{self.name}:{seq}", "time": "2026-11-22T10:00:00.123Z",
                    "message": text} for seq, text in enumerate(self.messages(), 1)])

    def messages(self):
        if not os.path.exists(self.store):
            return []
        with open(self.store, encoding="utf-8") as file:
            return file.read().splitlines()

    def on_echo(self, client, rest):
        return ok(rest)

    def on_trustrealm(self, client, rest):
        return ok(rest)

    def on_addrealm(self, client, rest):
        self.linked = rest.split()[0]
        return ok("Connect realm berhasil")

    def on_checkrealm(self, client, rest):
        self.asked += 1
        state = "up" if self.asked > 2 else "down"
        return ok([{"realm": name, "state": state} for name in ("a", "b")])

    def on_third(self, client, rest):
        """The right answer only when asked for the third time."""
        self.asked += 1
        return ok("yes" if self.asked >= 3 else "not yet")

    def on_quit(self, client, rest):
        client.sendall(ok("Sampai jumpa").encode())
        self.close(client)

    def on_log(self, client, rest):
        print(f"log: {rest}", file=sys.stderr, flush=True)
        return ok("logged")

    # Misbehaviour.

    def on_silence(self, client, rest):
        return None

    def on_double(self, client, rest):
        return ok("one") + ok("two")

    def on_newline(self, client, rest):
        return '{"status":"OK","data":"x"}\n'

    def on_split(self, client, rest):
        return '{"status":"OK",\n"data":"x"}' + FRAME_END

    def on_nojson(self, client, rest):
        return "hello" + FRAME_END

    def on_order(self, client, rest):
        return '{"data":"x","status":"OK"}' + FRAME_END

    def on_binary(self, client, rest):
        return b'{"status":"OK","data":"\xff"}\r\n\r\n'

    def on_half(self, client, rest):
        client.sendall(b'{"status":"OK","da')
        self.close(client)

    def on_crash(self, client, rest):
        os.kill(os.getpid(), signal.SIGSEGV)

    def on_stubborn(self, client, rest):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return ok("never")

    def on_sour(self, client, rest):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        return ok("soon")

    def on_chatter(self, client, rest):
        print("something more", flush=True)
        return ok("said")


def listener(address):
    host, _, port = address.rpartition(":")
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((host, int(port)))
    one.listen(64)
    return one


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve", "key", "fail", "mute"])
    for option in ("--name", "--data"):
        parser.add_argument(option)
    for option in ("--clients", "--federation"):
        parser.add_argument(option, default="127.0.0.1:0")
    parser.add_argument("--lie", action="store_true")
    options = parser.parse_args()
    if options.command == "key":
        print(KEY)
    elif options.command == "fail":
        sys.exit("fake: it failed")
    elif options.lie:
        print("ready, honestly", flush=True)
    else:
        FakeRealm(options).serve()


if __name__ == "__main__":
    main()
