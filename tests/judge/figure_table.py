"""Figures with their goals, how sure they are, and how they are printed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy import stats

Kind = Literal["at most", "at least"]
SIGN = {"at most": "<=", "at least": ">="}


class Row(Protocol):
    """What the table needs of a figure."""

    @property
    def name(self) -> str: ...
    @property
    def judged(self) -> bool:
        """False: there to compare, whether or not it has a goal."""

    @property
    def found(self) -> str: ...
    @property
    def interval(self) -> str:
        """95 %."""

    @property
    def goal_text(self) -> str: ...
    @property
    def met(self) -> bool | None:
        """None without a goal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share that was counted, and what it should be."""

    name: str
    count: int
    n: int
    kind: Kind | None = None
    goal: float | None = None
    no_more_than: float | None = None
    """Upper end of the goal, for shares that can be too large as well as too small."""
    judged: bool = True

    @property
    def share(self) -> float:
        return self.count / self.n

    @property
    def found(self) -> str:
        return f"{100 * self.share:.2f} %"

    @property
    def interval(self) -> str:
        low, high = stats.binomtest(self.count, self.n).proportion_ci(0.95)
        return f"{100 * low:.2f} to {100 * high:.2f}"

    @property
    def goal_text(self) -> str:
        if self.kind is None:
            return ""
        upper = "" if self.no_more_than is None else f", <= {100 * self.no_more_than:g}"
        return f"{SIGN[self.kind]} {100 * self.goal:g}{upper} %"

    @property
    def met(self) -> bool | None:
        if self.kind is None:
            return None
        if self.kind == "at most":
            return self.share <= self.goal
        return self.goal <= self.share <= (1.0 if self.no_more_than is None else self.no_more_than)

    def holds_up_to_chance(self, risk: float = 0.001) -> bool:
        """Not refuted: were the goal just met, counts as bad as this would come up at least as often as `risk`."""
        if self.kind is None:
            return True
        if self.kind == "at most":
            return self.count <= stats.binom.ppf(1 - risk, self.n, self.goal)
        most = self.n if self.no_more_than is None else stats.binom.ppf(1 - risk, self.n, self.no_more_than)
        return stats.binom.ppf(risk, self.n, self.goal) <= self.count <= most

    def __str__(self) -> str:
        return line(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of a number that was seen in each of many comparisons, and what it should be at most."""

    name: str
    mean: float
    se: float
    unit: str
    goal: float | None = None
    judged: bool = True

    @classmethod
    def of(
        cls, values: Sequence[float], *, name: str, unit: str, goal: float | None = None, judged: bool = True
    ) -> Mean:
        se = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return cls(name=name, mean=float(np.mean(values)), se=se, unit=unit, goal=goal, judged=judged)

    @property
    def found(self) -> str:
        return f"{self.mean:.2f} {self.unit}"

    @property
    def interval(self) -> str:
        return f"{self.mean - 1.96 * self.se:.2f} to {self.mean + 1.96 * self.se:.2f}"

    @property
    def goal_text(self) -> str:
        return "" if self.goal is None else f"<= {self.goal:g} {self.unit}"

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.mean <= self.goal

    def holds_up_to_chance(self, risk: float = 0.001) -> bool:
        return self.goal is None or self.mean <= self.goal + stats.norm.isf(risk) * self.se

    def __str__(self) -> str:
        return line(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times as often one count came up as another, on the same `n` draws; `both`: how often together."""

    name: str
    count: int
    other: int
    both: int
    n: int
    kind: Kind
    goal: float
    judged: bool = True

    @property
    def value(self) -> float:
        return self.count / self.other

    @property
    def ends(self) -> tuple[float, float]:
        """95 %: normal on the log of the ratio of two shares of the same draws (delta method)."""
        ours, theirs, both = (max(k, 0.5) / self.n for k in (self.count, self.other, self.both))
        variance = ((1 / ours - 1) + (1 / theirs - 1) - 2 * (both / (ours * theirs) - 1)) / self.n
        spread = 1.96 * math.sqrt(max(variance, 0.0))
        return ours / theirs * math.exp(-spread), ours / theirs * math.exp(spread)

    @property
    def found(self) -> str:
        return _times(self.value)

    @property
    def interval(self) -> str:
        return " to ".join(_times(end) for end in self.ends)

    @property
    def goal_text(self) -> str:
        return f"{SIGN[self.kind]} {_times(self.goal)}"

    @property
    def met(self) -> bool:
        return self.value <= self.goal if self.kind == "at most" else self.value >= self.goal

    def holds_up_to_chance(self) -> bool:
        """The goal is not beyond the 99.9 % interval on the bad side."""
        low, high = self.ends
        wider = math.exp(math.log(high / low) / 2 * (stats.norm.isf(0.001) / 1.96 - 1))
        return low / wider <= self.goal if self.kind == "at most" else high * wider >= self.goal

    def __str__(self) -> str:
        return line(self)


def _times(ratio: float) -> str:
    """1/40 for small ratios, x1.5 for others."""
    if ratio == 0.0:
        return "none"
    return f"1/{1 / ratio:.3g}" if ratio < 0.5 else f"x{ratio:.2f}"


def verdict(row: Row) -> str:
    if row.met is None:
        return ""
    if not row.judged:
        return "(would meet)" if row.met else "(would miss)"
    return "met" if row.met else "MISSED"


def line(row: Row) -> str:
    """Without the verdict: of few comparisons it would mostly be chance."""
    return f"{row.name:<72} {row.found:>12}  {f'[{row.interval}]':<20} {row.goal_text:<16}".rstrip()


def table(rows: Iterable[Row]) -> list[str]:
    """The lines of a table, with the verdicts."""
    head = f"{'row and setting':<72} {'figure':>12}  {'[95 % interval]':<20} {'goal':<16}"
    return [head.rstrip(), "-" * 137, *(f"{line(row):<124} {verdict(row)}".rstrip() for row in rows)]
