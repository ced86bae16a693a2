#!/usr/bin/env python3
"""No function over 70 lines, from the first line of its signature to its closing brace."""
import re
import sys

import tidy

LINES_MAX = 70
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\\\n]|\\.|\\\n)*", re.M)


def functions(text):
    """Yields (name, first line, last line) of each function definition of a C file."""
    code = DIRECTIVE.sub(lambda m: "\n" * m.group().count("\n"), tidy.code_of(text))
    depth = 0
    start = 0
    opened = None
    for position, character in enumerate(code):
        if character == "{":
            if depth == 0:
                opened = head_of(code, start, position)
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                if opened:
                    yield (*opened, code.count("\n", 0, position) + 1)
                start = position + 1
        elif character == ";" and depth == 0:
            start = position + 1
    if depth != 0:
        raise ValueError("its braces do not balance; this check cannot read it")


def head_of(code, start, brace):
    """The name and first line of the function whose body opens at this brace, or None."""
    head = code[start:brace]
    if "(" not in head or re.search(r"=\s*$|=.*\(", head, re.S):
        return None
    name = re.search(r"(\w+)\s*\(", head)
    first = start + len(head) - len(head.lstrip())
    return (name.group(1) if name else "?", code.count("\n", 0, first) + 1)


def check(root, _build):
    problems = []
    lengths = []
    for path in tidy.sources(root, "src", "include"):
        where = path.relative_to(root)
        try:
            found = list(functions(tidy.read(path)))
        except ValueError as error:
            problems.append(f"{where}: {error}")
            continue
        for name, first, last in found:
            lines = last - first + 1
            lengths.append(lines)
            if lines > LINES_MAX:
                problems.append(f"{where}:{first}: {name} has {lines} lines, {LINES_MAX} are allowed")
    if not lengths and not problems:
        return ["no functions found"]
    over_25 = sum(lines > 25 for lines in lengths)
    print(f"{len(lengths)} functions, {over_25} over 25 lines, the longest has {max(lengths, default=0)}")
    return problems


def sample(lines, head="static int\nlong_one(int a)\n{\n"):
    """A function of so many lines, dressed to deceive."""
    body = '    f("}", \'}\'); /* } */\n' * (lines - head.count("\n") - 1)
    return "#define OPEN {\nstruct s { int a; };\nstatic int t[] = {1, 2};\n" + head + body + "}\n"


SAMPLES = [
    ({"src/a/a.c": sample(70)}, None),
    ({"src/a/a.c": sample(71)}, "a.c:4: long_one has 71 lines"),
    ({"include/a/a.h": sample(71)}, "long_one has 71 lines"),
    ({"src/a/a.c": sample(71, "void long_one(void) {\n")}, "long_one has 71 lines"),
    ({"src/a/a.c": sample(5) + sample(99)}, "long_one has 99 lines"),
    ({"src/a/a.c": "struct s {\n" + "int a;\n" * 99 + "};\nvoid f(void)\n{\n}\n"}, None),
    ({"src/a/a.c": "int a;\n"}, "no functions found"),
    ({"src/a/a.c": sample(5) + "#if A\nint f(int a) {\n#else\nint f(void) {\n#endif\n}\n"}, "balance"),
]

if __name__ == "__main__":
    sys.exit(tidy.main(check, SAMPLES))
