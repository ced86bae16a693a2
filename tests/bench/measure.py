"""All rows of goals in one run: rounds, the tables, the raw figures, the pictures."""

import os
import subprocess
import sys

import curves
from bench import Failure, Mistake, bench_of, parser_of
from picture import picture
from rows import federation, logins, memory, reading, single, size
from table import circumstances, lines_of, table_of_goals

# Rows by the module that measures them.
SCENES = {single: (1, 2, 3), reading: (4,), federation: (5,), memory: (6,), logins: (7,),
          size: (8,)}
PANELS = (("requests a second", "per_s", "/s"), ("p99 of their times", "p99_us", "µs"))
AXES = {"pipeline": f"requests under way on each of {curves.CONNECTIONS} connections",
        "connections": "connections, with one request under way on each"}


def options_of(arguments):
    parser = parser_of("Measures every goal beside its peer or floor, in rounds.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N",
                        help="medians are of so many (default: 5)")
    parser.add_argument("--rows", default="1,2,3,4,5,6,7,8", metavar="N,N",
                        help="only these rows of goals")
    parser.add_argument("--curves", type=int, default=3, metavar="N",
                        help="rounds of the curves that the pictures show (default: 3); 0: none")
    parser.add_argument("--big", type=int, default=10_000_000, metavar="N",
                        help="messages of row 8 (default: 10 million)")
    parser.add_argument("--slow", type=float, default=4.0, metavar="F",
                        help="multiplies every bound of time in which a realm must answer")
    options = parser.parse_args(arguments)
    options.rows = {int(row) for row in options.rows.split(",") if row}
    return options


def scenes_of(options):
    return [scene for scene, rows in SCENES.items() if options.rows.intersection(rows)]


def try_to(what, measure):
    """What cannot be measured is told, and does not stop the others. True if it could."""
    try:
        measure()
        return True
    except (Failure, Mistake, OSError, subprocess.SubprocessError) as failure:
        say(f"{what}: {failure}", *getattr(failure, "details", []))
        return False


def run_scene(bench, scene, round_number, lines):
    for key, theirs, ours in scene.measure(bench, round_number):
        line = lines[key]
        line.add(theirs, ours)
        bench.note(round=round_number, key=key, theirs=theirs, ours=ours)
        say(f"round {round_number + 1}: {line.goal.what}: {ours:.6g}, "
            f"{line.goal.beside or 'goal'} {line.theirs[-1]:.6g}")


def run_rounds(bench, scenes, lines):
    whole = [try_to(f"round {number + 1}", lambda: run_scene(bench, scene, number, lines))
             for number in range(bench.options.rounds) for scene in scenes]
    return all(whole)


def run_curves(bench, points):
    for number in range(bench.options.curves):
        for curve in curves.CURVES:
            say(f"curves, round {number + 1}: {curve.label}")
            try_to(curve.label, lambda: curves.measure_curve(bench, curve, points))


def write(options, name, text):
    path = os.path.join(options.out, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    say(f"written: {path}")


def write_pictures(options, points):
    for axis, title in AXES.items():
        panels = [(name, title, [(curve.label, curve.style, points.line(axis, curve.label, field))
                                 for curve in curves.CURVES], unit)
                  for name, field, unit in PANELS]
        write(options, f"{axis}.svg", picture(panels))


def tables_of_curves(points):
    for axis, title in AXES.items():
        for name, field, unit in PANELS:
            yield f"{name[0].upper()}{name[1:]}, by {title}:"
            yield curves.table_of(points, axis, field, unit)


def say(*lines):
    print("\n  ".join(lines), file=sys.stderr, flush=True)


def main(arguments=None):
    options = options_of(arguments)
    scenes = scenes_of(options)
    lines = lines_of(goal for scene in scenes for goal in scene.goals(options)
                     if goal.row in options.rows)
    points = curves.Points()
    around = circumstances(rounds=options.rounds, seconds=options.seconds)
    with bench_of(options) as bench:
        whole = run_rounds(bench, scenes, lines)
        run_curves(bench, points)
    parts = [around, *([table_of_goals(lines.values())] if lines else [])]
    if points.figures:
        write_pictures(options, points)
        parts += tables_of_curves(points)
    write(options, "table.md", "\n\n".join(parts) + "\n")
    print("\n\n".join(parts))
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
