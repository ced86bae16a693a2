#!/usr/bin/env python3
"""clang-tidy finds nothing in the C sources, by the rules of .clang-tidy."""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

import tidy

FINDING = re.compile(r"^\S+:\d+:\d+: (?:error|warning): .*", re.M)


def run(root, build, path):
    """The findings of one file; those in headers are told again by each file that includes them."""
    done = subprocess.run(
        # The build's record is of a compiler that knows more warnings and optimises otherwise.
        ["clang-tidy", "--quiet", "--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-ignored-optimization-argument", "-p", str(build), str(path)],
        cwd=root, capture_output=True, text=True, check=False,
    )
    found = FINDING.findall(done.stdout + done.stderr)
    if done.returncode != 0 and not found:
        found = [f"{path}: clang-tidy failed: {done.stdout}{done.stderr}"]
    return found


def check(root, build):
    entries = json.loads(tidy.read(build / "compile_commands.json"))
    paths = sorted({pathlib.Path(entry["directory"], entry["file"]) for entry in entries})
    paths = [path for path in paths if (root / "src") in path.parents]
    if not paths:
        return ["no sources found"]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(lambda path: run(root, build, path), paths)
        problems = {line.replace(f"{root}/", "") for lines in found for line in lines}
    return sorted(problems)


def check_sample(root, build):
    """A sample gets the project's rules and the build's record of how its files are compiled."""
    (root / ".clang-tidy").write_text(
        tidy.read(pathlib.Path(__file__).parents[2] / ".clang-tidy"), encoding="utf-8"
    )
    entries = [
        {"directory": str(root), "file": str(path), "command": f"cc -std=c17 -Wall -c {path}"}
        for path in tidy.sources(root, "src", suffixes=(".c",))
    ]
    (build / "compile_commands.json").write_text(json.dumps(entries), encoding="utf-8")
    return check(root, build)


SAMPLES = [
    ({"src/a/a.c": "int a_twice(int a);\nint a_twice(int a)\n{\n    return a * 2;\n}\n"}, None),
    ({"src/a/a.c": "int f(int *a);\nint f(int *a)\n{\n    a = 0;\n    return *a;\n}\n"}, "NullDereference"),
    ({"src/a/a.c": "int f(int a);\nint f(int a)\n{\n    if (a = 1) {\n        return 2;\n    }\n"
      "    return 3;\n}\n"}, "diagnostic-parentheses"),
    ({"src/a/a.c": "#include <string.h>\nint f(char *a);\nint f(char *a)\n{\n"
      "    memset(a, sizeof(a), 0);\n    return 0;\n}\n"}, "bugprone"),
    ({"src/a/a.c": "int f(void)\n{\n"}, "error"),
    ({"tests/a.c": "int a;\n"}, "no sources found"),
]

if __name__ == "__main__":
    sys.exit(tidy.main(check_sample if "--selftest" in sys.argv else check, SAMPLES))
