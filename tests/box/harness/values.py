"""Variables of a transcript, what `$name` and `${...}` stand for, escapes, durations."""

import ast
import re

from .failure import Mistake

REFERENCE = re.compile(r"\$(?:(\$)|\{([^}]*)\}|([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?)?")
ESCAPE = re.compile(rb"\\(?:([nrt0\\])|x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)
ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
TEXT_MAX = 64 * 1024 * 1024


class Scope:
    """Texts by name (`$i`, captures) and things with attributes (`$a.port`)."""

    def __init__(self):
        self.texts = {}
        self.things = {}

    def look_up(self, name, attribute=None):
        if name in self.things:
            if attribute is None:
                raise Mistake(f"${name} is a thing: say ${name}.port, ${name}.key ...")
            return self.things[name].value(attribute)
        if name not in self.texts:
            known = ", ".join(sorted([*self.texts, *self.things])) or "none"
            raise Mistake(f"there is no ${name} (known here: {known}; a dollar itself is $$)")
        return self.texts[name]

    def substitute(self, text):
        """The text with every reference replaced by its value."""
        return REFERENCE.sub(self.replacement, text) if "$" in text else text

    def replacement(self, match):
        dollar, expression, name, attribute = match.groups()
        if dollar:
            return "$"
        if expression is not None:
            return evaluate(expression, self)
        if name is None:
            raise Mistake("a lone $ (a dollar itself is $$)")
        if attribute is None or name in self.things:
            return self.look_up(name, attribute)
        return f"{self.look_up(name)}.{attribute}"


def evaluate(expression, scope):
    """`i - 1`, `a.port + 1`, `"x" * 4096`: sums and products of numbers, repeats of texts."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError:
        raise Mistake(f"cannot read ${{{expression}}}") from None
    return str(calculate(tree.body, scope))


def calculate(node, scope):
    if isinstance(node, ast.Constant) and type(node.value) in (int, str):
        return node.value
    if isinstance(node, ast.Name):
        return number_or_text(scope.look_up(node.id))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return number_or_text(scope.look_up(node.value.id, node.attr))
    if isinstance(node, ast.BinOp):
        left, right = calculate(node.left, scope), calculate(node.right, scope)
        return combine(node.op, left, right)
    raise Mistake("in ${...} only names, numbers, \"texts\" and + - * are allowed")


def combine(operation, left, right):
    if isinstance(operation, ast.Add) and isinstance(left, str) | isinstance(right, str):
        return f"{left}{right}"
    if isinstance(operation, ast.Add):
        return left + right
    if isinstance(operation, ast.Sub) and isinstance(left, int) and isinstance(right, int):
        return left - right
    if isinstance(operation, ast.Mult) and isinstance(right, int):
        if isinstance(left, str) and len(left) * right > TEXT_MAX:
            raise Mistake(f"a text of more than {TEXT_MAX} characters")
        return left * right
    raise Mistake("in ${...}: numbers with + - *, a text with + and `text * number`")


def number_or_text(value):
    return int(value) if re.fullmatch(r"-?\d+", value) else value


def unescape(text):
    """The bytes of a text with \\n \\r \\t \\0 \\\\ and \\xHH in it."""

    def byte(match):
        if match[1]:
            return ESCAPED[match[1]]
        if match[2]:
            return bytes([int(match[2], 16)])
        raise Mistake(f"unknown escape \\{match[3].decode(errors='replace')}"
                      " (known: \\n \\r \\t \\0 \\\\ \\xHH)")

    return ESCAPE.sub(byte, text.encode())


def seconds(text):
    """Seconds of `300ms` or `5s`."""
    match = DURATION.fullmatch(text)
    if not match:
        raise Mistake(f"{text!r} is no duration: say 5s or 300ms")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)
