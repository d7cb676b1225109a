"""Absolute limits on a result: ``slo={"ttft.p95": 400}``. They need no baseline and know no noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.common.finite import is_finite_value
from pytest_aiperf.metrics.registry import ALIASES, STATISTICS, all_metrics, short_name

if TYPE_CHECKING:
    from pytest_aiperf.measure.result import Result

_FIGURES: Final = ("avg", "min", "max", "std", *STATISTICS, "p99_9")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """A figure and what it must keep: at most the limit, at least where more is better."""

    tag: str
    statistic: str
    limit: float

    @property
    def label(self) -> str:
        """Name for people: ``ttft p95``."""
        return short_name(self.tag) if _one_per_run(self.tag) else f"{short_name(self.tag)} {self.statistic}"

    @property
    def at_least(self) -> bool:
        """The limit is a lower one."""
        return all_metrics()[self.tag].direction == "higher"

    def kept_by(self, value: float) -> bool:
        """Tell whether a value keeps it."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """An SLO that a result does not keep, in the metric's unit."""

    slo: Slo
    value: float | None
    """None: the metric has no value."""

    def __str__(self) -> str:
        unit = all_metrics()[self.slo.tag].unit
        word = "at least" if self.slo.at_least else "at most"
        seen = "has no value" if self.value is None else f"is {self.value:.4g} {unit}"
        return f"{self.slo.label} {seen}, must be {word} {self.slo.limit:g} {unit}"


def parse_slo(limits: object) -> Sequence[Slo]:
    """Read limits by metric, ``ttft.p95`` or ``request_throughput``; without a statistic it is the p50.

    Raises:
        ConfigurationError: no mapping, an unknown metric or statistic, a limit that is no number, or a metric of
            which neither more nor less is better.
    """
    if not isinstance(limits, Mapping):
        raise ConfigurationError(f"slo={limits!r}: write a mapping such as {{'ttft.p95': 400}}")
    return [_parsed(str(name), limit) for name, limit in limits.items()]


def missed(result: Result, slos: Sequence[Slo]) -> Sequence[Missed]:
    """Return the SLOs that the result does not keep; one whose metric has no value is not kept."""
    found = []
    for slo in slos:
        value = getattr(result[slo.tag], slo.statistic) if slo.tag in result else None
        if value is None or not slo.kept_by(value):
            found.append(Missed(slo=slo, value=value))
    return found


def _parsed(name: str, limit: object) -> Slo:
    alias, _, statistic = name.partition(".")
    tag, known = ALIASES.get(alias, alias), all_metrics()
    if tag not in known:
        raise ConfigurationError(f"slo: unknown metric {alias!r}{did_you_mean(alias, [*ALIASES, *known])}")
    if known[tag].direction == "neutral":
        raise ConfigurationError(f"slo: {alias} has no limit to keep: neither more nor less of it is better")
    if not is_finite_value(limit):
        raise ConfigurationError(f"slo: {name}={limit!r} is not a number; give it in {known[tag].unit}")
    statistic = statistic or ("avg" if _one_per_run(tag) else "p50")
    if statistic not in _FIGURES:
        raise ConfigurationError(
            f"slo: unknown statistic {statistic!r} in {name!r}{did_you_mean(statistic, _FIGURES)}; "
            f"there is: {', '.join(_FIGURES)}"
        )
    return Slo(tag=tag, statistic=statistic, limit=float(limit))  # type: ignore[arg-type]  # finite


def _one_per_run(tag: str) -> bool:
    from pytest_aiperf.metrics.base_metric import BaseRunMetric

    return isinstance(all_metrics()[tag], BaseRunMetric)
