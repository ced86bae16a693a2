"""What the checks of this folder share: reading sources, reporting, proving that a check can fail.

A check is a program with a function `check(source, build)` that returns its problems as lines of
text, and a list of samples for its self-test: files, and a piece of the problem that the check must
find in them, or None where it must find none.
"""
import argparse
import pathlib
import re
import sys
import tempfile

COMMENT_OR_LITERAL = re.compile(
    r"//(?:[^\\\n]|\\.|\\\n)*|/\*.*?\*/|\"(?:[^\"\\\n]|\\.|\\\n)*\"|'(?:[^'\\\n]|\\.|\\\n)*'", re.S
)


def blank(match):
    """As many lines as the text had, and a space, so that words on both sides stay apart."""
    text = match.group()
    kept = '""' if text[0] == '"' else "0" if text[0] == "'" else " "
    return kept + "\n" * text.count("\n")


def code_of(text, literals=False):
    """C source without comments (and without literals, unless asked for), line numbers kept."""
    if literals:
        return COMMENT_OR_LITERAL.sub(lambda m: m.group() if m.group()[0] in "\"'" else blank(m), text)
    return COMMENT_OR_LITERAL.sub(blank, text)


def read(path):
    return path.read_text(encoding="utf-8")


def sources(root, *folders, suffixes=(".c", ".h")):
    """The C files below some folders of the project, in order."""
    found = [
        path
        for folder in folders
        for path in (root / folder).rglob("*")
        if path.suffix in suffixes and path.is_file()
    ]
    return sorted(found)


def selftest(check, samples):
    """Runs the check on each sample in a folder of its own; returns what was not as it must be."""
    problems = []
    for number, (files, needle) in enumerate(samples, 1):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            found = check(root, root)
        if needle is None and found:
            problems.append(f"sample {number}: sound, but found: {found}")
        if needle is not None and not any(needle in line for line in found):
            problems.append(f"sample {number}: expected a problem with '{needle}', found: {found}")
    return problems


def main(check, samples):
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=pathlib.Path, default=pathlib.Path.cwd())
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--selftest", action="store_true", help="prove that the check can fail")
    arguments = parser.parse_args()
    if arguments.selftest:
        problems = selftest(check, samples)
    else:
        problems = check(arguments.source.resolve(), arguments.build.resolve())
    for line in problems:
        print(line)
    print(f"{len(problems)} problems")
    sys.exit(1 if problems else 0)
