"""ejabberd: between users who are here, to users who are away, between two servers.

Messages for users who are away go to its database, which does not flush before it goes on."""

import glob
import os

from bench import Failure
from generator import Step, Talk
from server import Server, free_port

LISTENERS_S2S = '  - {{port: {port}, ip: "{address}", module: ejabberd_s2s_in, shaper: none}}'
CONFIGURATION = """hosts: [{domain}]
loglevel: error
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144,
     shaper: none, access: all, starttls: false}}
{s2s}
auth_method: external
extauth_program: "{folder}/auth"
extauth_pool_size: 1
auth_use_cache: true
s2s_use_starttls: false
s2s_dns_timeout: 1
outgoing_s2s_port: {s2s_port}
shaper_rules: {{max_user_offline_messages: 100000000}}
modules:
  mod_ping: {{}}
  mod_s2s_dialback: {{}}
  mod_offline: {{access_max_user_messages: max_user_offline_messages}}
"""
# Every user exists and every password is right.
AUTHORITY = """#!/usr/bin/python3
import struct
import sys

while len(head := sys.stdin.buffer.read(2)) == 2:
    sys.stdin.buffer.read(struct.unpack(">H", head)[0])
    sys.stdout.buffer.write(struct.pack(">HH", 2, 1))
    sys.stdout.buffer.flush()
"""
# Names come from this file only; further look-ups end at a closed port of this machine.
NAMES = """{lookup,[file]}.
{host,{127,0,0,2},["a.test"]}.
{host,{127,0,0,3},["b.test"]}.
{clear_ns}.
{nameserver,{127,0,0,1}}.
"""


def stream(domain):
    return (f"<?xml version='1.0'?><stream:stream to='{domain}' xmlns='jabber:client' "
            "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>")


def login(domain):
    features = "</stream:features>"
    return (Step(stream(domain), features),
            Step("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%B</auth>",
                 "<success"),
            Step(stream(domain), features),
            Step("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                 "<resource>r</resource></bind></iq>", "</iq>"),
            Step("<presence/>", count=0))


MANNERS = ("--burst", "5", "--settle", "1")
TO_SELF = Talk("<message to='u%d@a.test' type='chat'><body>%p{160}</body></message>",
               login("a.test"), ends="</message>", options=MANNERS)
TO_PAIR = Talk("<message to='u%o@%H.test' type='chat'><body>%p{160}</body></message>",
               login("%h.test"), ends="</message>", options=MANNERS)
# A ping behind each message is answered once that has been handled.
TO_AWAY = Talk("<message to='u5%r@a.test' type='chat'><body>%p{160}</body></message>"
               "<iq type='get' id='p' to='a.test'><ping xmlns='urn:xmpp:ping'/></iq>",
               login("a.test"), ends="type='result'", options=MANNERS)


class Ejabberd(Server):
    """A single server of the domain a.test."""

    name = "ejabberd"

    def start(self):
        self.port = free_port()
        self.serve("a.test", self.port)

    def serve(self, domain, port, s2s_address=None, s2s_port=0):
        folder = os.path.join(self.folder, domain)
        os.mkdir(folder)
        s2s = LISTENERS_S2S.format(port=s2s_port, address=s2s_address) if s2s_address else ""
        write(f"{folder}/ejabberd.yml", CONFIGURATION.format(
            domain=domain, port=port, folder=folder, s2s=s2s, s2s_port=s2s_port or 5269))
        write(f"{folder}/auth", AUTHORITY)
        os.chmod(f"{folder}/auth", 0o755)
        write(f"{folder}/inetrc", NAMES)
        self.spawn(["erl", "-noinput", "-noshell", "+K", "true", "+P", "250000",
                    "-kernel", "inetrc", f'"{folder}/inetrc"', "-pa", beams(),
                    "-mnesia", "dir", f'"{folder}/mnesia"', "-s", "ejabberd"], port, folder,
                   EJABBERD_CONFIG_PATH=f"{folder}/ejabberd.yml",
                   EJABBERD_LOG_PATH=f"{folder}/log")


class EjabberdPair(Ejabberd):
    """Two servers, each at an address of its own with the same port, as domains are."""

    name = "ejabberd s2s"

    def start(self):
        self.port, self.other_port = free_port(), free_port()
        s2s_port = free_port()
        self.serve("a.test", self.port, "127.0.0.2", s2s_port)
        self.serve("b.test", self.other_port, "127.0.0.3", s2s_port)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def beams():
    """Where its compiled code lies."""
    for folder in sorted(glob.glob("/usr/lib/*/ejabberd-*/ebin")):
        if os.path.exists(f"{folder}/ejabberd.beam"):
            return folder
    raise Failure("ejabberd is not installed (docker/packages bench)")
