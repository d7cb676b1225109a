"""A figure with its goal, and how a benchmark prints them: a table for people, one line of JSON for programs."""

from __future__ import annotations

import json
import math
import platform
import time
from dataclasses import dataclass
from typing import Any

MET, NOT_MET = "met", "NOT met"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured. At most one of `at_most` and `at_least` is given; with neither it is there to compare."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    aiohttp: float | None = None
    """The same figure of a plain aiohttp client in the same run, where that makes sense."""

    @property
    def goal(self) -> str:
        if self.at_most is not None:
            return f"<= {number(self.at_most)}"
        return f">= {number(self.at_least)}" if self.at_least is not None else ""

    @property
    def met(self) -> bool | None:
        """None without a goal. A figure that could not be taken (NaN) has not met its goal."""
        if self.at_most is not None:
            return bool(self.value <= self.at_most)
        return bool(self.value >= self.at_least) if self.at_least is not None else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": round(float(self.value), 6) if math.isfinite(self.value) else None,
            "unit": self.unit,
            "goal": self.goal or None,
            "met": self.met,
            "aiohttp": None if self.aiohttp is None else round(self.aiohttp, 6),
        }


def number(value: float | None) -> str:
    """Four significant digits, thousands apart; empty for None."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return "none"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def verdict(met: bool | None) -> str:
    return "" if met is None else MET if met else NOT_MET


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of the table of figures, given as `Figure.to_dict` gives them."""
    head = f"{'figure':<52} {'value':>10} {'unit':<11} {'goal':<11} {'':<8} {'aiohttp':>9}"
    lines = [head, "-" * len(head)]
    for row in rows:
        value = math.nan if row["value"] is None else row["value"]
        cells = f"{row['name']:<52} {number(value):>10} {row['unit']:<11} {row['goal'] or '':<11}"
        lines.append(f"{cells} {verdict(row['met']):<8} {number(row['aiohttp']):>9}".rstrip())
    return lines


def publish(benchmark: str, figures: list[Figure], **more: Any) -> None:
    """Print the table and, as the last line, the JSON."""
    rows = [figure.to_dict() for figure in figures]
    print("\n" + "\n".join(table(rows)) + "\n")
    where = {"at": time.strftime("%Y-%m-%dT%H:%M:%S"), "python": platform.python_version()}
    print(json.dumps({"benchmark": benchmark, **where, "figures": rows, **more}), flush=True)
