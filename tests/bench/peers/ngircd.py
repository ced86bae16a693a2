"""ngIRCd: alone, and as two servers with a link between them. Nothing is kept."""

import os
import socket

from generator import Step, Talk
from server import Server, await_bytes, await_first, free_port

HELLO = Step(r"NICK u%d\r\nUSER u%d 0 * :u\r\n", ends=" 376 ")
# A burst of connections overflows its queue, and it leaves Nagle's algorithm on.
MANNERS = ("--burst", "5", "--quick-ack", "--settle", "1")
TO_SELF = Talk(r"PRIVMSG u%d :%p{160}\r\n", (HELLO,), ends=r"\r\n", options=MANNERS)
TO_PAIR = Talk(r"PRIVMSG u%o :%p{160}\r\n", (HELLO,), ends=r"\r\n", options=MANNERS)
CONFIGURATION = """[Global]
Name = {name}
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = hi
ServerUID = {uid}
ServerGID = {gid}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
MaxNickLength = 12
PingTimeout = 600
[Options]
DNS = no
Ident = no
PAM = no
SyslogFacility = local1
{extra}
"""


class Ngircd(Server):
    """A single server."""

    name = "ngircd"

    def start(self):
        self.port = free_port()
        self.serve("a.test", self.port)

    def serve(self, name, port, extra=""):
        path = os.path.join(self.folder, f"{name}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(name=name, port=port, uid=os.getuid(),
                                            gid=os.getgid(), extra=extra))
        self.spawn(["ngircd", "--nodaemon", "--config", path], port)


class NgircdLink(Ngircd):
    """Two servers, linked."""

    name = "ngircd link"

    def start(self):
        self.port, self.other_port = free_port(), free_port()
        self.serve("b.test", self.other_port, link_to("a.test", "pb", "pa", "Passive = yes"))
        self.serve("a.test", self.port,
                   link_to("b.test", "pa", "pb", f"Port = {self.other_port}"))
        self.await_link()

    def await_link(self):
        """Until one server knows a name that is logged in at the other."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as here, \
                socket.create_connection(("127.0.0.1", self.other_port), 10) as there:
            for client, name in ((here, b"here"), (there, b"there")):
                client.sendall(b"NICK %s\r\nUSER x 0 * :x\r\n" % name)
                await_bytes(client, b" 376 ")
            await_first(there, lambda: here.sendall(b"PRIVMSG there :ok\r\n"), b":ok\r\n")


def link_to(name, own, other, extra):
    return (f"[Server]\nName = {name}\nHost = 127.0.0.1\nMyPassword = {own}\n"
            f"PeerPassword = {other}\n{extra}\n")
