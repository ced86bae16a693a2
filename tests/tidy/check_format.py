#!/usr/bin/env python3
"""The C files are laid out as .clang-format says."""
import re
import subprocess
import sys

import tidy


def check(root, _build):
    files = tidy.sources(root, "src", "include", "tests")
    if not files:
        return ["no sources found"]
    done = subprocess.run(
        ["clang-format", "--dry-run", "-Werror", *(str(path.relative_to(root)) for path in files)],
        cwd=root, capture_output=True, text=True, check=False,
    )
    problems = re.findall(r"^\S+:\d+:\d+: error: .*", done.stderr, re.M)
    if done.returncode != 0 and not problems:
        problems = [f"clang-format failed: {done.stderr}"]
    return problems


STYLE = {".clang-format": "BasedOnStyle: LLVM\nIndentWidth: 4\n"}
SAMPLES = [
    ({**STYLE, "src/a/a.c": "int a;\n"}, None),
    ({**STYLE, "src/a/a.c": "int f(int a);\nint  g(void);\n"}, "src/a/a.c:2:"),
    ({**STYLE, "tests/unit/a.c": "int  a;\n"}, "tests/unit/a.c:1:"),
    ({".clang-format": "NoSuchOption: 1\n", "src/a/a.c": "int a;\n"}, "NoSuchOption"),
    (STYLE, "no sources found"),
]

if __name__ == "__main__":
    sys.exit(tidy.main(check, SAMPLES))
