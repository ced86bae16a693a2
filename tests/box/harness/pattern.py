"""Expected text: literal but for <patterns>, $variables and `...`; tells where a mismatch is."""

import re

from .failure import Mistake
from .values import REFERENCE, number_or_text

KINDS = {
    "any": r"[^\r\n]*?",
    "text": r'(?:[^"\\\r\n]|\\.)*',
    "n": r"(?:0|[1-9][0-9]*)",
    "ms": r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?",
    "id": r"[a-z0-9][a-z0-9._-]{0,63}:[1-9][0-9]*",
    "time": r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z",
    "token": r"[A-Za-z0-9_-]{16,}",
    "key": r"[A-Za-z0-9_-]{43}",
    "delivery": r"(?:delivered|queued)",
}
TOKEN = re.compile(
    r"\\(?P<literal><|\.\.\.)"
    r"|<(?P<kind>" + "|".join(KINDS) + r")(?::(?P<capture>[A-Za-z_]\w*))?>"
    r"|(?P<rest>\.\.\.)"
    r"|(?P<reference>" + REFERENCE.pattern + r")"
)
EACH = re.compile(r"<each (?P<first>[^\s:]+?)\.\.(?P<last>[^\s:]+): (?P<item>.*?) :each>",
                  re.DOTALL)
EVERYTHING = r"[\s\S]*?"


class Piece:
    """A run of the pattern: its source for people, its regular expression, literal or not."""

    def __init__(self, source, expression, literal=None):
        self.source = source
        self.expression = expression
        self.literal = literal


class Pattern:
    """One expected text. `match` returns the captures, or None."""

    def __init__(self, source, scope):
        self.source = source
        self.parts = list(parts_of(source, scope))

    def match(self, text):
        captures, position = {}, 0
        for index, pieces in enumerate(self.parts):
            last = index == len(self.parts) - 1
            found = match_pieces(pieces, text, position, last)
            if found is None:
                return None
            captures.update(found.groupdict())
            position = found.end()
        return captures

    def mismatch(self, text):
        """(offset in text, what should stand there): as far as the text was right."""
        position = 0
        for index, pieces in enumerate(self.parts):
            last = index == len(self.parts) - 1
            found = match_pieces(pieces, text, position, last)
            if found is None:
                return furthest(pieces, text, position)
            position = found.end()
        return position, "the end"


def match_pieces(pieces, text, position, whole):
    expression = re.compile("".join(piece.expression for piece in pieces))
    return expression.fullmatch(text, position) if whole else expression.match(text, position)


def furthest(pieces, text, position):
    """Binary search for the longest run of pieces that matches what stands at position."""
    low, high, reached = 0, len(pieces), position
    while low < high:
        middle = (low + high + 1) // 2
        found = match_pieces(pieces[:middle], text, position, False)
        if found is None:
            high = middle - 1
        else:
            low, reached = middle, found.end()
    if low == len(pieces):
        return reached, "the end"
    wanted = pieces[low].literal
    if wanted is None:
        return reached, pieces[low].source
    common = common_length(wanted, text[reached:])
    return reached + common, wanted[common:]


def common_length(left, right):
    length = 0
    for one, other in zip(left, right):
        if one != other:
            break
        length += 1
    return length


def parts_of(source, scope):
    """Lists of pieces to be matched one behind the other: `<each>` gives a list an item."""
    position, rest = 0, []
    for each in EACH.finditer(source):
        yield pieces_of(source[position:each.start()], scope)
        yield from items_of(each, scope)
        position = each.end()
    rest = source[position:]
    if "<each " in rest:
        raise Mistake("an <each> without its end: <each 1..500: ITEM :each>")
    yield pieces_of(rest, scope)


def items_of(each, scope):
    first, last = (bound(each[name], scope) for name in ("first", "last"))
    before = scope.texts.get("i")
    try:
        for number in range(first, last + 1):
            scope.texts["i"] = str(number)
            pieces = pieces_of(each["item"], scope)
            comma = [Piece(",", ",", ",")] if number < last else []
            yield pieces + comma
    finally:
        scope.texts.pop("i")
        if before is not None:
            scope.texts["i"] = before


def bound(text, scope):
    value = number_or_text(scope.substitute(text))
    if not isinstance(value, int):
        raise Mistake(f"<each {text}: wants numbers, like <each 1..500: ITEM :each>")
    return value


def pieces_of(source, scope):
    pieces, position, captured = [], 0, set()
    for token in TOKEN.finditer(source):
        add_literal(pieces, source[position:token.start()])
        position = token.end()
        if token["literal"]:
            add_literal(pieces, token["literal"])
        elif token["kind"]:
            pieces.append(Piece(token[0], kind_expression(token, captured)))
        elif token["rest"]:
            pieces.append(Piece("...", EVERYTHING))
        else:
            add_literal(pieces, scope.substitute(token["reference"]))
    add_literal(pieces, source[position:])
    return pieces


def kind_expression(token, captured):
    name, expression = token["capture"], KINDS[token["kind"]]
    if not name:
        return expression
    if name in captured:
        return f"(?P={name})"
    captured.add(name)
    return f"(?P<{name}>{expression})"


def add_literal(pieces, text):
    if text and pieces and pieces[-1].literal is not None:
        last = pieces.pop()
        text = last.literal + text
    if text:
        pieces.append(Piece(text, re.escape(text), text))


def explain(pattern, text):
    """Lines that show what was expected, what came, and where they part."""
    offset, wanted = pattern.mismatch(text)
    lines = [f"expected  {clip(pattern.source, 0)}", f"came      {clip(text, 0)}"]
    came = text[offset:offset + 40] or "the end"
    lines.append(f"they part at character {offset + 1}: expected {wanted[:40]!r}, came {came!r}")
    return lines


def clip(text, start, length_max=1200):
    return text if len(text) <= length_max else f"{text[start:start + length_max]} <- and so on"
