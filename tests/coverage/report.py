#!/usr/bin/env python3
"""How many lines of each folder of src/ the tests have reached, out of what gcov has noted."""

import argparse
import collections
import json
import pathlib
import subprocess
import sys

# Lines in these folders are to be reached almost all.
WANTED_PERCENT = {"wire": 90, "core": 90}
# The folders of the program, and the same sources as the simulator builds them with its own limits.
OBJECTS = ("CMakeFiles/realmgate*.dir/**/*.gcno", "tests/sim/CMakeFiles/sim_production.dir/**/*.gcno")


def lines_of(build, source):
    """file -> line -> how often it was run, over all objects of the libraries."""
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    for notes in sorted(path for pattern in OBJECTS for path in build.glob(pattern)):
        done = subprocess.run(["gcov", "--json-format", "--stdout", str(notes)],
                              capture_output=True, cwd=build, check=True)
        for text in done.stdout.splitlines():
            for file in json.loads(text)["files"]:
                path = pathlib.Path(file["file"])
                if source in path.parents:
                    for line in file["lines"]:
                        counts[path.relative_to(source)][line["line_number"]] += line["count"]
    return counts


def percent(reached, lines):
    return 100.0 * reached / lines if lines else 100.0


def row(name, lines, reached):
    return f"{name:<28} {lines:>7} {reached:>8} {percent(reached, lines):>7.1f} %"


def report(counts):
    """Prints the table; returns the folders that are below what is wanted."""
    folders = collections.defaultdict(lambda: [0, 0])
    for path, lines in counts.items():
        folders[path.parts[0]][0] += len(lines)
        folders[path.parts[0]][1] += sum(1 for times in lines.values() if times)
    print(f"{'folder':<28} {'lines':>7} {'reached':>8} {'share':>9}")
    for folder, (lines, reached) in sorted(folders.items()):
        print(row(folder, lines, reached))
    print(row("all", *map(sum, zip(*folders.values()))))
    return [folder for folder, wanted in WANTED_PERCENT.items()
            if percent(*reversed(folders[folder])) < wanted]


def list_missing(counts, folder):
    for path, lines in sorted(counts.items()):
        if path.parts[0] != folder:
            continue
        missing = sorted(number for number, times in lines.items() if not times)
        print(row(str(path), len(lines), len(lines) - len(missing)))
        if missing:
            print("    " + " ".join(map(str, missing)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, required=True, help="the project")
    parser.add_argument("--build", type=pathlib.Path, required=True, help="built with --coverage")
    parser.add_argument("--missing", action="append", default=[], metavar="FOLDER",
                        help="list the lines of a folder that were not reached")
    options = parser.parse_args()
    counts = lines_of(options.build.resolve(), options.source.resolve() / "src")
    if not counts:
        print("nothing was noted: is this a build with --coverage?")
        return 1
    for folder in options.missing:
        list_missing(counts, folder)
    poor = report(counts)
    for folder in poor:
        print(f"{folder} is below {WANTED_PERCENT[folder]} %")
    return 1 if poor else 0


if __name__ == "__main__":
    sys.exit(main())
