"""What a goal is, and what the rounds say of it."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Goal:
    """A line of the table. `bound` is of the ratio ours / beside; without one it is only told.

    Where nothing but a figure is the goal, `fixed` is that figure and stands where a peer would.
    """

    key: str
    row: int
    what: str
    beside: str
    bound: float = None
    at_most: bool = False
    unit: str = "/s"
    fixed: float = None

    def wanted(self):
        if self.bound is None:
            return "told"
        sign = "≤" if self.at_most else "≥"
        if self.fixed is not None:
            return f"{sign} {shown(self.fixed, self.unit)}"
        return f"{sign} {self.bound:g} ×"


class Line:
    """A goal with the figures of all rounds."""

    def __init__(self, goal):
        self.goal = goal
        self.theirs, self.ours, self.ratios = [], [], []

    def add(self, theirs, ours):
        theirs = self.goal.fixed if self.goal.fixed is not None else theirs
        self.theirs.append(theirs)
        self.ours.append(ours)
        self.ratios.append(ours / theirs if theirs else float("inf"))

    @property
    def ratio(self):
        return statistics.median(self.ratios)

    def holds(self):
        """None where nothing was asked or measured."""
        if self.goal.bound is None or not self.ratios:
            return None
        if self.goal.at_most:
            return self.ratio <= self.goal.bound
        return self.ratio >= self.goal.bound

    def cells(self):
        goal = self.goal
        if not self.ratios:
            return [str(goal.row), goal.what, goal.wanted(), goal.beside, "not measured", "",
                    "" if goal.bound is None else "misses"]
        beside = goal.beside if goal.fixed is not None \
            else f"{goal.beside} {spread(self.theirs, goal.unit)}"
        verdict = {None: "", True: "holds", False: "misses"}[self.holds()]
        return [str(goal.row), goal.what, goal.wanted(), beside, spread(self.ours, goal.unit),
                f"{self.ratio:.2f} ({min(self.ratios):.2f}–{max(self.ratios):.2f})", verdict]


def spread(values, unit):
    return shown(statistics.median(values), unit)


def shown(value, unit):
    """`183k/s`, `1.24M/s`, `177 µs`, `512 B`."""
    if unit != "/s":
        return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}/s"
    return f"{value:.3g}/s"
