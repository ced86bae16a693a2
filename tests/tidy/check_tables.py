#!/usr/bin/env python3
"""README's request table says what the command table says, its error table what the code table says.

In README.md any table whose first column is headed `request` is a request table: each first cell
holds a usage in backticks. A table headed `code` is the error table: the code, then its text.
"""
import re
import sys

import tidy

COMMANDS = "src/core/commands.c"
CODES = "src/base/code.c"

DEFINE = re.compile(r'^#define\s+(\w+)\s+("(?:[^"\\\n]|\\.)*")\s*$', re.M)
STRING = r'(?:"(?:[^"\\\n]|\\.)*"|\w+)(?:\s+(?:"(?:[^"\\\n]|\\.)*"|\w+))*'
FIELD = r"(?:\.\w+\s*=\s*)?"
# A row of strings: {"A", "B" MACRO, …, with or without an index or field names before.
ROW = re.compile(r"\{\s*" + FIELD + "(" + STRING + r")\s*,\s*" + FIELD + "(" + STRING + r")\s*[,}]")


def text_of(expression, defines):
    """The text of adjacent string literals and of macros that stand for one; None for others."""
    parts = []
    for piece in re.findall(r'"(?:[^"\\\n]|\\.)*"|\w+', expression):
        literal = piece if piece[0] == '"' else defines.get(piece)
        if literal is None:
            return None
        parts.append(re.sub(r"\\(.)", r"\1", literal[1:-1]))
    return "".join(parts)


def rows_of(root, name, problems):
    """The first two texts of each row of the table in a C file."""
    path = root / name
    if not path.is_file():
        problems.append(f"{name}: is not there")
        return []
    code = tidy.code_of(tidy.read(path), literals=True)
    defines = dict(DEFINE.findall(code))
    rows = [tuple(text_of(part, defines) for part in match) for match in ROW.findall(code)]
    rows = [row for row in rows if None not in row]
    if not rows:
        problems.append(f"{name}: no row of a table found")
    if len({row[0] for row in rows}) != len(rows):
        problems.append(f"{name}: a word stands there twice")
    return rows


def cells_of(line):
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def readme_tables(root):
    """Yields (heading of the first column, rows of cells) of each table."""
    path = root / "README.md"
    table = []
    for line in [*(tidy.read(path).splitlines() if path.is_file() else []), ""]:
        if line.lstrip().startswith("|"):
            table.append(cells_of(line))
        elif table:
            yield table[0][0].strip("`").lower(), table[2:]
            table = []


def differences(what, code, readme):
    for name in sorted(code - readme):
        yield f"README.md: the {what} table lacks {name}"
    for name in sorted(readme - code):
        yield f"README.md: the {what} table has {name}, the code does not"


def check(root, _build):
    problems = []
    commands = rows_of(root, COMMANDS, problems)
    codes = rows_of(root, CODES, problems)
    for word, usage in commands:
        if usage.split(" ")[0] != word:
            problems.append(f"{COMMANDS}: {word} has the usage of another: {usage}")
    requests, errors = [], []
    for heading, rows in readme_tables(root):
        if heading == "request":
            requests += [usage for row in rows for usage in re.findall(r"`([^`]+)`", row[0])]
        elif heading == "code":
            errors += [(row[0].strip("`"), row[1].strip("`")) for row in rows if len(row) > 1]
    for name, listed in (("request", requests), ("error", errors)):
        if len(set(listed)) != len(listed):
            problems.append(f"README.md: the {name} table has a row twice")
    problems += differences("request", {usage for _, usage in commands}, set(requests))
    told = {f"{word} ({text})" for word, text in errors}
    problems += differences("error", {f"{word} ({text})" for word, text in codes}, told)
    return problems


SOUND = {
    COMMANDS: '#define PAGING "[A | B]"\nstatic const row_t rows[] = {\n    {"PING", "PING", "x", 1, f},\n'
    '    {"INBOX", "INBOX " PAGING,\n     "x", 1, f},\n};\nint a[] = {b, c};\n',
    CODES: 'static const row_t rows[2] = {\n    [CODE_BUSY] = {"BUSY", "server sibuk"},\n};\n',
    "README.md": "| request | who |\n| --- | --- |\n| `PING` | all |\n\ntext\n\n"
    "| request | who |\n|---|---|\n| `INBOX [A \\| B]` | all |\n\n"
    "| code | data |\n| --- | --- |\n| `BUSY` | server sibuk |\n",
}


def changed(name, old, new):
    return {**SOUND, name: SOUND[name].replace(old, new)}


SAMPLES = [
    (SOUND, None),
    (changed(COMMANDS, '"PING", "PING"', '.word = "PING", .usage = "PING"'), None),
    (changed(COMMANDS, '{"PING", "PING"', '{"PONG", "PONG"'), "lacks PONG"),
    (changed(COMMANDS, '{"PING", "PING"', '{"PONG", "PONG"'), "has PING, the code does not"),
    (changed(COMMANDS, '"PING", "PING"', '"PING", "PONG"'), "has the usage of another"),
    (changed(COMMANDS, "[A | B]", "[A | C]"), "lacks INBOX [A | C]"),
    (changed("README.md", "| `PING` | all |\n", ""), "lacks PING"),
    (changed("README.md", "| `PING` | all |\n", "| `PING` | all |\n| `PING` | all |\n"), "row twice"),
    (changed(CODES, "sibuk", "penuh"), "lacks BUSY (server penuh)"),
    (changed("README.md", "| `BUSY` | server sibuk |", "| `BUSY` | x |\n"), "has BUSY (x)"),
    (changed(CODES, '"BUSY", "server sibuk"', ""), "no row of a table"),
    ({"README.md": SOUND["README.md"]}, "is not there"),
]

if __name__ == "__main__":
    sys.exit(tidy.main(check, SAMPLES))
