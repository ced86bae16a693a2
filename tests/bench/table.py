"""Tables: of the goals, and of whatever else has columns."""

import os

from goals import Line

TITLES = ["row", "measured", "goal", "peer or floor", "ours", "ratio (least–most)", "verdict"]


def markdown(titles, rows):
    """A table that can be read as it stands: columns padded to their width."""
    widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]
    rule = ["-" * width for width in widths]
    lines = (" | ".join(cell.ljust(width) for cell, width in zip(row, widths))
             for row in [titles, rule, *rows])
    return "\n".join(f"| {line} |" for line in lines)


def table_of_goals(lines):
    return markdown(TITLES, [line.cells() for line in lines])


def lines_of(goals):
    return {goal.key: Line(goal) for goal in goals}


def circumstances(**facts):
    """The machine by its size, and how busy it is at this moment; other facts behind them."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2 ** 30
    words = [f"{os.cpu_count()} cores", f"{memory_gb:.0f} GB of memory",
             f"load before the run {os.getloadavg()[0]:.2f}"]
    return ", ".join([*words, *(f"{name} {value}" for name, value in facts.items())]) + "."
