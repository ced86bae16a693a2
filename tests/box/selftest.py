#!/usr/bin/env python3
"""Proves the harness itself against a fake realm: right transcripts pass, and each kind of wrong
one fails with a report that tells where and why. `--binary` is taken and not used."""

import os
import sys
import textwrap

from harness.failure import Failure, Mistake
from harness.play import Play
from harness.runner import play_out, run_checks

FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "selftest", "fake_realm.py")

PASS_PATIENCE_S = 15
FAIL_PATIENCE_S = 2
JOBS = 4

PASSES = {
    "a request and its reply": """
        realm a
        x@a> PING
        x@a< {"status":"OK","data":"PONG"}
    """,
    "patterns, captures and their values": """
        realm a
        x@a> AUTH alice rahasia
        x@a< {"status":"OK","data":"<token:key>"}
        x@a> ECHO $key ${3 * 4} $$ $a.name
        x@a< {"status":"OK","data":"$key 12 $$ a"}
        x@a> SEND bob halo
        x@a< {"status":"OK","data":"Message sent","id":"<id:first>"}
        x@a> ECHO $first
        x@a< {"status":"OK","data":"a:1"}
    """,
    "a pattern's sign can be said literally": """
        realm a
        x@a> ECHO LIMIT <n> <user> ...
        x@a< {"status":"OK","data":"LIMIT \\<n> <user> \\..."}
    """,
    "the rest of a list, and each item of one": """
        realm a
        40 times:
            x@a> SEND pesan $i
            x@a< {"status":"OK","data":"Message sent","id":"a:$i"}
        x@a> INBOX
        x@a< {"status":"OK","data":[{"seq":1,...}]}
        x@a> INBOX
        x@a< {"status":"OK","data":[
            | <each 1..40: {"seq":$i,"id":"a:<n>","time":"<time>","message":"pesan $i"} :each>]}
    """,
    "loops inside loops": """
        realm a
        2 times as k:
            for word in PING ECHO:
                x@a> ECHO $k $word
                x@a< {"status":"OK","data":"$k $word"}
    """,
    "raw bytes, half-close, closing": """
        realm a
        x@a>> PI
        x@a>> NG\\r\\n${"PING\\\\n" * 3}PING
        half-close x@a
        5 times:
            x@a< {"status":"OK","data":"PONG"}
        x@a closes
    """,
    "pipelining far beyond the socket's buffers": """
        realm a
        x@a>> ${"ECHO 0123456789012345678901234567890123456789\\n" * 20000}
        20000 times:
            x@a< {"status":"OK","data":"0123456789012345678901234567890123456789"}
    """,
    "kill and start keep ports and data": """
        realm a
        set port = $a.port
        x@a> SEND one
        x@a< {"status":"OK","data":"Message sent","id":"a:1"}
        kill a
        shell nc -z 127.0.0.1 $port
          exit 1
        start a
        x@a> ECHO $a.port
        x@a< {"status":"OK","data":"$port"}
        restart a
        x@a> INBOX
        x@a< {"status":"OK","data":[{"seq":1,...,"message":"one"}]}
        pause a
        resume a
        stop a
    """,
    "eventually asks again, and reads away what it did not want": """
        realm a
        eventually 5s:
            x@a> PING
            x@a> THIRD
            x@a> PING
            x@a< {"status":"OK","data":"PONG"}
            x@a< {"status":"OK","data":"yes"}
            x@a< {"status":"OK","data":"PONG"}
        x@a> ECHO still in step
        x@a< {"status":"OK","data":"still in step"}
    """,
    "commands, their output and their exit code": """
        realm a
        shell printf 'eins\\nzwei\\ndrei\\n'
          out eins
          out ...
          out drei
        shell cat; echo oops >&2; exit 3
          in hello
          in>> raw\\x21\\n
          out <any>
          out raw!
          err oops
          exit 2 or 3
        shell true
          out
        shell realmgate key --data $a.data
          out <key:key>
        shell test $key = $a.key
    """,
    "real netcat gets exactly its frames": """
        realm a
        nc -N 127.0.0.1 $a.port
          in PING
          in ECHO x
          frame {"status":"OK","data":"PONG"}
          frame {"status":"OK","data":"x"}
        shell printf 'PING\\nPING\\n' | nc -N 127.0.0.1 $a.port
          frame {"status":"OK","data":"PONG"}
          frame {"status":"OK","data":"PONG"}
    """,
    "users, trust, links, log, impostor, a realm that is not started": """
        realm a
        realm b --federation 127.0.0.1:0
        realm z name=b started=no
        user alice rahasia @a operator
        link a b
        a sees b up
        x@a> LOG something odd 17
        x@a< {"status":"OK","data":"logged"}
        a logs something odd <n>
        shell test -d $z.data
        start z
        x@z> ECHO $z.name
        x@z< {"status":"OK","data":"b"}
        connect root@a via admin
        root@a> PING
        root@a< {"status":"OK","data":"PONG"}
    """,
    "relays, dead and silent ports": """
        realm a
        dead-port nobody
        silent-port mute
        shell nc -z 127.0.0.1 $nobody.port
          exit 1
        shell nc -z 127.0.0.1 $mute.port
        relay way a
        shell nc -z 127.0.0.1 $way.port
        cut way
        shell nc -z 127.0.0.1 $way.port
          exit 1
        mend way
        shell nc -z 127.0.0.1 $way.port
        stall way
        shell nc -z 127.0.0.1 $way.port
    """,
    "signals, and an end whose last words can be read": """
        realm a
        x@a> PING
        x@a< {"status":"OK","data":"PONG"}
        x@a> ECHO last words
        y@a> PING
        y@a< {"status":"OK","data":"PONG"}
        signal a TERM
        a ends
        y@a closes
        x@a< {"status":"OK","data":"last words"}
        x@a closes
        close x@a
        start a
        x@a> SOUR
        x@a< {"status":"OK","data":"soon"}
        signal a TERM
        a ends with 7
    """,
    "connections named by a loop": """
        realm a
        for who in alice bob:
            connect $who@a
            $who@a> ECHO $who
        for who in alice bob:
            $who@a< {"status":"OK","data":"$who"}
            close $who@a
    """,
    "closing from the realm's side": """
        realm a
        x@a> QUIT
        x@a< {"status":"OK","data":"Sampai jumpa"}
        x@a closes
        close x@a
        x@a> PING
        x@a< {"status":"OK","data":"PONG"}
        reset x@a
    """,
}

# Each with words that its report must have.
FAILS = {
    "another text": ("""
        realm a
        x@a> PING
        x@a< {"status":"OK","data":"PING"}
    """, ["test:4", "another reply than expected", 'expected  {"status":"OK","data":"PING"}',
          'came      {"status":"OK","data":"PONG"}', "they part at character 25",
          "last said PING (line 3)", "log of realm a:", "log: serving"]),
    "a number that is none": ("""
        realm a
        x@a> ECHO 1x
        x@a< {"status":"OK","data":"<n>"}
    """, ["test:4", "they part at character", "expected '\"}'"]),
    "a key too much": ("""
        realm a
        x@a> SEND hello
        x@a< {"status":"OK","data":"Message sent"}
    """, ["test:4", "expected '}'", "came ',\"id\""]),
    "a capture that does not repeat": ("""
        realm a
        x@a> ECHO 1 2
        x@a< {"status":"OK","data":"<n:x> <n:x>"}
    """, ["test:4", "another reply"]),
    "an item missing from a list": ("""
        realm a
        3 times:
            x@a> SEND pesan $i
            x@a< {"status":"OK",...}
        x@a> INBOX
        x@a< {"status":"OK","data":[<each 1..4: {"seq":$i,...,"message":"pesan $i"} :each>]}
    """, ["test:7", "expected ',', came ']"]),
    "an item twice in a list": ("""
        realm a
        for k in 1 2 2:
            x@a> SEND pesan $k
            x@a< {"status":"OK",...}
        x@a> INBOX
        x@a< {"status":"OK","data":[<each 1..3: {"seq":$i,"id":"a:<n>","time":"<time>","message":"pesan $i"} :each>]}
    """, ["test:7", "expected '3\"}', came '2\"}"]),
    "no reply": ("""
        realm a
        x@a> SILENCE
        x@a< {"status":"OK","data":"x"}
    """, ["test:4", "x@a: no reply within"]),
    "a reply that nobody expected": ("""
        realm a
        x@a> DOUBLE
        x@a< {"status":"OK","data":"one"}
    """, ["at the end of the transcript", "said something before", "two"]),
    "a reply that the transcript forgot": ("""
        realm a
        x@a> PING
    """, ["at the end of the transcript", "PONG", "last said PING (line 3)"]),
    "a frame with another ending": ("""
        realm a
        x@a> NEWLINE
        x@a< {"status":"OK","data":"x"}
    """, ["test:4", "no reply within", "half a frame came", "\\n"]),
    "a frame of two lines": ("""
        realm a
        x@a> SPLIT
        x@a< ...
    """, ["test:4", "more than one line"]),
    "no JSON": ("""
        realm a
        x@a> NOJSON
        x@a< ...
    """, ["test:4", "no JSON object", "hello"]),
    "keys in another order": ("""
        realm a
        x@a> ORDER
        x@a< ...
    """, ["test:4", "do not begin with status, data"]),
    "no UTF-8": ("""
        realm a
        x@a> BINARY
        x@a< ...
    """, ["test:4", "not UTF-8"]),
    "half a frame, then closed": ("""
        realm a
        x@a> HALF
        x@a< ...
    """, ["test:4", "closed by the realm", "half a frame came"]),
    "not closed": ("""
        realm a
        x@a> PING
        x@a< {"status":"OK","data":"PONG"}
        x@a closes
    """, ["test:5", "not closed within"]),
    "a realm that crashes": ("""
        realm a
        x@a> CRASH
        x@a< {"status":"OK","data":"x"}
    """, ["test:4", "realm a ended by itself: ended by signal 11"]),
    "a crash after the last reply": ("""
        realm a
        realm b
        x@a> PING
        x@a< ...
        connect y@a
        y@a> CRASH
        y@a closes
    """, ["realm a", "ended by signal 11"]),
    "a realm that does not stop": ("""
        realm a
        x@a> STUBBORN
        x@a< ...
    """, ["still runs", "after SIGTERM"]),
    "a realm that stops with another exit code": ("""
        realm a
        x@a> SOUR
        x@a< ...
        stop a
    """, ["test:5", "exit code 7, expected exit code 0"]),
    "another end than expected": ("""
        realm a
        signal a TERM
        a ends with 3
    """, ["test:4", "exit code 0, expected exit code 3"]),
    "a realm that does not end": ("""
        realm a
        a ends
    """, ["test:3", "still runs"]),
    "a realm that is not seen": ("""
        realm a
        a sees nobody up
    """, ["test:3", "there is no realm nobody"]),
    "more than a ready line on standard output": ("""
        realm a
        x@a> CHATTER
        x@a< ...
    """, ["printed more than its ready line", "something more"]),
    "no ready line": ("""
        realm a --lie
    """, ["test:2", "no ready line", "ready, honestly"]),
    "a realm that does not start": ("""
        realm a --unknown-option
    """, ["test:2", "did not start: exit code 2", "unrecognized arguments"]),
    "a sanitizer's report": ("""
        realm a
        x@a> LOG ERROR: AddressSanitizer: heap-use-after-free
        x@a< ...
    """, ["realm a reports a defect", "heap-use-after-free"]),
    "eventually never": ("""
        realm a
        eventually 300ms:
            x@a> PING
            x@a< {"status":"OK","data":"PANG"}
    """, ["test:5", "not even after 300ms", "PANG"]),
    "a loop tells its round": ("""
        realm a
        5 times:
            x@a> ECHO $i
            x@a< {"status":"OK","data":"${i + i - 3}"}
    """, ["test:5", "(with $i = 1)"]),
    "another exit code": ("""
        shell echo to whom; exit 4
          exit 0
    """, ["test:2", "exit code 4, expected 0", "output    to whom"]),
    "another output": ("""
        shell printf 'eins\\nzwei\\n'
          out eins
    """, ["test:2", "another output", "expected  eins", "came      zwei"]),
    "output where none is expected": ("""
        shell echo x
          out
    """, ["test:2", "expected  nothing"]),
    "output without its last newline": ("""
        shell printf x
          out x
    """, ["test:2", "another output"]),
    "netcat prints one frame too few": ("""
        realm a
        nc -N 127.0.0.1 $a.port
          in PING
          frame {"status":"OK","data":"PONG"}
          frame {"status":"OK","data":"PONG"}
    """, ["test:3", "another output"]),
    "a command that hangs": ("""
        shell sleep 60
    """, ["test:2", "still running after"]),
    "a log line that never comes": ("""
        realm a
        a logs no such thing
    """, ["test:3", "logs no line with 'no such thing'"]),
    "connecting to a realm that is down": ("""
        realm a
        kill a
        x@a> PING
    """, ["test:4", "realm a is not running"]),
    "an unknown statement": ("realm a\nfrobnicate a", ["line 2", "I do not understand"]),
    "an unknown variable": ("""
        realm a
        x@a> ECHO $nobody
    """, ["test:3", "there is no $nobody"]),
    "an unknown realm": ("x@nowhere> PING", ["test:1", "there is no realm nowhere"]),
    "blanks at the end of a line": ("realm a ", ["line 1", "cannot be seen"]),
    "a block without lines": ("eventually 5s:", ["line 1", "wants indented lines"]),
    "lines below what takes none": ("realm a\n  x@a> PING", ["line 1", "nothing can be indented"]),
    "an <each> without end": ("""
        realm a
        x@a> PING
        x@a< <each 1..4: x
    """, ["test:4", "without its end"]),
}


def played(text, options, patience_s):
    """The lines of the report; none if the transcript passed."""
    try:
        play = Play(textwrap.dedent(text), FAKE, options.slow)
    except Mistake as mistake:
        return [f"test: {mistake}"]
    play.place.patience_s = patience_s * options.slow
    return play_out(play, "test", keep=False)


def passes(text):
    def check(options):
        report = played(text, options, PASS_PATIENCE_S)
        if report:
            raise Failure("a right transcript failed", *report)
    return check


def fails(text, words):
    def check(options):
        report = "\n".join(played(text, options, FAIL_PATIENCE_S))
        if not report:
            raise Failure("a wrong transcript passed")
        missing = [word for word in words if word not in report]
        if missing:
            raise Failure(f"the report lacks {missing}", *report.split("\n"))
    return check


def main():
    checks = [(f"passes: {name}", passes(text)) for name, text in PASSES.items()]
    checks += [(f"fails: {name}", fails(text, words)) for name, (text, words) in FAILS.items()]
    return run_checks(__doc__, checks, JOBS)


if __name__ == "__main__":
    sys.exit(main())
