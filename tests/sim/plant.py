#!/usr/bin/env python3
"""Plants a bug: writes a copy of a source file with a passage of it replaced.

A .bug file is text: a line `file: PATH`, any number of lines that say what is wrong with it, and
passages, each between the lines `--- instead of`, `--- stands` and `--- end`. A passage that does
not stand in the source exactly once is an error: the source has moved on, and the bug must follow.
"""
import pathlib
import sys


def passages(text):
    """Yields (old, new) of each passage."""
    parts = text.split("--- instead of\n")[1:]
    for part in parts:
        body, end, _ = part.partition("--- end\n")
        old, middle, new = body.partition("--- stands\n")
        if not end or not middle or not old:
            raise ValueError("a passage lacks its `--- stands` or `--- end` line")
        yield old, new


def plant(source, bug):
    found = list(passages(bug))
    if not found:
        raise ValueError("no passage in it")
    for old, new in found:
        count = source.count(old)
        if count != 1:
            raise ValueError(f"this stands {count} times in the source, not once:\n{old}")
        source = source.replace(old, new)
    return source


def main(root, bug_file, out_file):
    bug = pathlib.Path(bug_file).read_text(encoding="utf-8")
    name = bug.splitlines()[0].removeprefix("file:").strip()
    source = (pathlib.Path(root) / name).read_text(encoding="utf-8")
    try:
        planted = plant(source, bug)
    except ValueError as error:
        sys.exit(f"{bug_file}: {error}")
    pathlib.Path(out_file).write_text(planted, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: plant.py ROOT BUG OUT")
    main(*sys.argv[1:])
