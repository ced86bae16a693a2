"""Reads a transcript: lines, their continuation lines and the blocks made by indentation."""

import re

from .failure import Mistake

COMMENT = re.compile(r"\s*#")
CONTINUED = re.compile(r"\s*\|(?: (.*))?$")
TALK = re.compile(r"[\w$-]+@[\w$-]+(?:>>|>|<)|shell |nc |in |out |err |frame |set ")


class Line:
    """One statement with the lines indented below it."""

    def __init__(self, number, indent, text):
        self.number = number
        self.indent = indent
        self.text = text
        self.children = []


def read_script(text):
    """The statements of a transcript, as a tree."""
    root = Line(0, -1, "")
    open_lines = [root]
    for line in statements(text):
        while open_lines[-1].indent >= line.indent:
            open_lines.pop()
        siblings = open_lines[-1].children
        if siblings and siblings[0].indent != line.indent:
            raise Mistake(f"line {line.number}: indented by {line.indent}, its neighbours by "
                          f"{siblings[0].indent}")
        siblings.append(line)
        open_lines.append(line)
    return root.children


def statements(text):
    """Lines that say something, with their continuation lines joined to them."""
    current = None
    for number, raw in enumerate(text.split("\n"), 1):
        if not raw.strip() or COMMENT.match(raw):
            continue
        if "\t" in raw or raw != raw.rstrip():
            raise Mistake(f"line {number}: tabs and spaces at the end cannot be seen: "
                          "use >> with \\t or \\x20 to send them")
        continued = CONTINUED.match(raw)
        if continued and current is None:
            raise Mistake(f"line {number}: continues nothing")
        if continued:
            current.text += continued[1] or ""
            continue
        if current:
            yield current
        current = Line(number, len(raw) - len(raw.lstrip()), without_comment(raw.strip()))
    if current:
        yield current


def without_comment(text):
    """Talk is literal to its end; behind anything else ` # ` begins a comment."""
    return text if TALK.match(text) else re.split(r"\s+# ", text)[0]
