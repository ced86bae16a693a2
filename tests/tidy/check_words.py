#!/usr/bin/env python3
"""Nothing unfinished and nothing of one person's machine stands in the project's files."""
import re
import subprocess
import sys

import tidy

SUFFIXES_SKIPPED = {".png", ".ico", ".bin"}
FOLDERS_SKIPPED = {".git", "build", "realmgate-data", "__pycache__"}
# Bytes that a fuzzer made.
INPUTS = {("tests", "fuzz", "corpus"), ("tests", "fuzz", "crashes")}

# Written so that this file passes its own check.
RULES = [
    ("an unfinished place", re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")),
    ("a leftover of a merge", re.compile(r"^(?:<{7}|>{7}|={7})(?: |$)", re.M)),
    ("a path of one machine", re.compile(r"(?<![\w.$}*-])/(?:work|root|home/\w+|tmp/brief)/")),
    (
        "the host of a mirror or registry",
        re.compile(
            r"\b(?:deb|security|snapshot|archive|ftp\.\w+)\.debian\.org\b|\bsnapshot\.debian\b"
            r"|\bregistry[\w-]*\.[\w-]+\.\w+|\bmirrors?[\w-]*\.[\w-]+\.\w+|\bproxy\.[\w-]+\.\w+|\bpypi\.\w+",
            re.I,
        ),
    ),
    ("trailing space", re.compile(r"[ \t]+$", re.M)),
    ("a tab", re.compile(r"\t")),
    ("a carriage return", re.compile(r"\r")),
    ("no end of line at the end", re.compile(r"[^\n]\Z")),
]
# Trailing spaces and carriage returns can be what a transcript is about.
LAYOUT = {"trailing space", "a tab", "a carriage return"}


def files_of(root):
    """What git would commit; without git, all but what is known as made."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True, check=True, text=True,
        )
        paths = [root / name for name in done.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [
            path for path in root.rglob("*") if not FOLDERS_SKIPPED & set(path.relative_to(root).parts)
        ]
    return sorted(
        path
        for path in paths
        if path.is_file()
        and path.suffix not in SUFFIXES_SKIPPED
        and path.relative_to(root).parts[:3] not in INPUTS
    )


def check(root, _build):
    problems = []
    files = files_of(root)
    for path in files:
        where = path.relative_to(root)
        try:
            text = tidy.read(path)
        except UnicodeDecodeError:
            problems.append(f"{where}: not UTF-8")
            continue
        for name, pattern in RULES:
            if name in LAYOUT and path.suffix not in {".c", ".h", ".py", ".txt", ""}:
                continue
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{where}:{line}: {name}: {match.group().strip()}")
    return problems or ([] if files else ["no files found"])


SAMPLES = [
    ({"a.c": "int a; /* todo lists of users are fine, so is GET /homework/ */\n"}, None),
    ({"a.c": "/* TO" "DO: rest */\n"}, "a.c:1: an unfinished place"),
    ({"a.md": "\nXX" "X\n"}, "a.md:2: an unfinished place"),
    ({"a.sh": "cd /wo" "rk/main\n"}, "a.sh:1: a path of one machine"),
    ({"a.sh": "cd /home/" "me/src\n"}, "a path of one machine"),
    ({"Dockerfile": "RUN curl https://deb." "debian.org/x\n"}, "the host of a mirror"),
    ({"a.json": '"https://registry.' 'npmjs.org/x"\n'}, "the host of a mirror"),
    ({"a.c": "int a; \n"}, "trailing space"),
    ({"a.c": "\tint a;\n"}, "a tab"),
    ({"a.c": "int a;"}, "no end of line"),
    ({"tests/fuzz/corpus/a": "\t", "b.c": "int b;\n"}, None),
    ({"build/a.c": "/* TO" "DO */\n", "b.c": "int b;\n"}, None),
    ({}, "no files found"),
]

if __name__ == "__main__":
    sys.exit(tidy.main(check, SAMPLES))
