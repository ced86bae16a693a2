#!/usr/bin/env python3
"""README's option table and the sample file say what the option table of `serve` says.

In README.md the table whose first column is headed `option` has the option in backticks, then its
variable, then its default. In the sample file each key but `config` stands once, in a comment or
not, and has the default where there is one.
"""
import re
import sys

import check_tables
import tidy

TABLE = "src/app/config_table.c"
SAMPLE = "src/app/install/realmgate.conf"

ROW = re.compile(r"\[OPTION_\w+\]\s*=\s*\{(.*?)\},\n", re.S)
FIELD = re.compile(r'\.(word|variable|fallback|unset)\s*=\s*"([^"]*)"')
KEY = re.compile(r"^#?([a-z][a-z-]*)(?: = ([^#\n]*?))?[ ]*$", re.M)


def read(root, name, problems):
    path = root / name
    if not path.is_file():
        problems.append(f"{name}: is not there")
        return ""
    return tidy.read(path)


def rows_of(root, problems):
    """Word, variable, default of each row; what stands for none where there is none."""
    text = read(root, TABLE, problems)
    rows = [dict(FIELD.findall(row)) for row in ROW.findall(text)]
    if not rows:
        problems.append(f"{TABLE}: no row found")
    return rows


def readme_rows(root):
    for heading, rows in check_tables.readme_tables(root):
        if heading == "option":
            yield from (tuple(cell.strip("`") for cell in row[:3]) for row in rows)


def check(root, _build):
    problems = []
    rows = rows_of(root, problems)
    wanted = {(f"--{row['word']}", row["variable"], row.get("fallback", row.get("unset")))
              for row in rows}
    told = list(readme_rows(root))
    problems += [f"README.md: the option table lacks {' '.join(row)}" for row in sorted(wanted - set(told))]
    problems += [f"README.md: the option table has {' '.join(row)}, the code does not"
                 for row in sorted(set(told) - wanted)]
    sample = KEY.findall(read(root, SAMPLE, problems))
    keys = [key for key, _ in sample]
    problems += [f"{SAMPLE}: {key} stands there twice" for key in sorted(set(keys)) if keys.count(key) > 1]
    expected = {row["word"]: row.get("fallback") for row in rows if row["word"] != "config"}
    problems += [f"{SAMPLE}: lacks {key}" for key in sorted(expected.keys() - set(keys))]
    problems += [f"{SAMPLE}: has {key}, the code does not" for key in sorted(set(keys) - expected.keys())]
    problems += [f"{SAMPLE}: {key} = {value}, but the default is {expected[key]}"
                 for key, value in sample if expected.get(key) not in (None, value)]
    return problems


SOUND = {
    TABLE: 'rows[] = {\n    [OPTION_NAME] = {.word = "name",\n     .variable = "R_NAME", .unset = "required"},\n'
    '    [OPTION_LOG] =\n        {.word = "log", .variable = "R_LOG", .fallback = "info"},\n'
    '    [OPTION_TRUST] = {.word = "trust", .variable = "R_TRUST", .unset = "none"},\n};\n',
    "README.md": "| option | environment | default |\n| --- | --- | --- |\n"
    "| `--name` | `R_NAME` | required |\n| `--log` | `R_LOG` | `info` |\n| `--trust` | `R_TRUST` | none |\n",
    SAMPLE: "# Prose = here\nname = a\n#log = info\n#trust\n#    b = k\n",
}


def changed(name, old, new):
    return {**SOUND, name: SOUND[name].replace(old, new)}


SAMPLES = [
    (SOUND, None),
    (changed(TABLE, '"info"', '"warn"'), "lacks --log R_LOG warn"),
    (changed(TABLE, '"info"', '"warn"'), "log = info, but the default is warn"),
    (changed(TABLE, '"log"', '"lag"'), "has --log R_LOG info, the code does not"),
    (changed("README.md", "`R_LOG`", "`R_LAG`"), "lacks --log R_LOG info"),
    (changed("README.md", "| `--trust` | `R_TRUST` | none |\n", ""), "lacks --trust"),
    (changed(SAMPLE, "#log = info\n", ""), "realmgate.conf: lacks log"),
    (changed(SAMPLE, "#trust\n#    b = k\n", ""), "realmgate.conf: lacks trust"),
    (changed(SAMPLE, "name = a\n", "name = a\n#name = b\n"), "name stands there twice"),
    (changed(SAMPLE, "name = a\n", "name = a\nnmae = b\n"), "has nmae, the code does not"),
    ({**SOUND, TABLE: ""}, "no row found"),
    ({"README.md": SOUND["README.md"]}, "is not there"),
]

if __name__ == "__main__":
    sys.exit(tidy.main(check, SAMPLES))
