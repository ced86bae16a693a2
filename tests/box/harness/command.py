"""`shell` and `nc` lines: runs a real command line and compares what it prints."""

import os
import re
import signal
import subprocess

from .failure import Failure, Mismatch, Mistake, shortened
from .pattern import EVERYTHING, pieces_of
from .values import unescape

FRAME_END = "\r\n\r\n"


class Command:
    """A command line with what it is fed and what is expected of it."""

    def __init__(self, line, scope):
        self.scope = scope
        self.text = scope.substitute(line.text.removeprefix("shell ").strip())
        self.stdin = b""
        self.codes = {0}
        self.wanted = {"out": None, "err": None}
        for child in line.children:
            self.take(child.text)

    def take(self, text):
        word, _, rest = text.partition(" ")
        if word == "in":
            self.stdin += self.scope.substitute(rest).encode() + b"\n"
        elif word == "in>>":
            self.stdin += unescape(self.scope.substitute(rest))
        elif word == "exit":
            self.codes = {int(code) for code in re.findall(r"\d+", rest)}
        elif word == "frame":
            self.want("out", rest, FRAME_END)
        elif word in self.wanted:
            self.want(word, rest, "\n")
        else:
            raise Mistake(f"below a command stand in, in>>, out, err, frame, exit; not {text!r}")

    def want(self, stream, text, ending):
        self.wanted[stream] = (self.wanted[stream] or []) + [(text, ending)]

    def run(self, place):
        """Runs it to its end; the captures of its output patterns."""
        process = subprocess.Popen(
            ["/bin/bash", "-c", self.text], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=place.environment, cwd=place.scratch,
            start_new_session=True)
        try:
            output, errors = process.communicate(self.stdin, place.patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            raise Failure(f"still running after {place.patience_s:g} s: {self.text}",
                          *printed(output, errors)) from None
        return self.judge(process.returncode, output, errors)

    def judge(self, code, output, errors):
        if code not in self.codes:
            wanted = " or ".join(str(one) for one in sorted(self.codes))
            raise Mismatch(f"exit code {code}, expected {wanted}: {self.text}",
                           *printed(output, errors))
        captures = {}
        for stream, came in (("out", output), ("err", errors)):
            if self.wanted[stream] is not None:
                captures.update(self.compare(stream, came.decode(errors="replace")))
        return captures

    def compare(self, stream, came):
        lines = [line for line in self.wanted[stream] if line[0]]
        expression = "".join(line_expression(text, ending, self.scope) for text, ending in lines)
        match = re.fullmatch(expression, came)
        if match:
            return match.groupdict()
        wanted = [f"expected  {text}" for text, _ in lines] or ["expected  nothing"]
        raise Mismatch(f"another {'output' if stream == 'out' else 'error output'}: {self.text}",
                       *wanted, *[f"came      {line}" for line in shown(came)])


def line_expression(text, ending, scope):
    if text == "...":
        return rf"(?:{EVERYTHING}\n)??"
    return "".join(piece.expression for piece in pieces_of(text, scope)) + re.escape(ending)


def printed(output, errors):
    return [*[f"output    {line}" for line in shown(output.decode(errors="replace"))],
            *[f"errors    {line}" for line in shown(errors.decode(errors="replace"))]]


def shown(text):
    """Lines for a report, with their carriage returns visible."""
    lines = [shortened(line) for line in text.replace("\r", "\\r").split("\n")[:20]]
    return lines[:-1] if lines and not lines[-1] else lines
