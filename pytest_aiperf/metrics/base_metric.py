"""What a metric is. Tags, units and formulas are AIPerf's, so that figures can be compared.

A metric has one unit: its figures, its tolerance and its limits in ``goodput`` are all given in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import Int64

if TYPE_CHECKING:
    from pytest_aiperf.metrics.run_columns import RunColumns

Direction = Literal["lower", "higher", "neutral"]
Group = Literal["latency", "tokens", "throughput", "requests", "goodput", "schedule", "http", "concurrency"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """The steady part of a run, as offsets from its start."""

    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricContext:
    """What a metric must know of a load beside its records."""

    streaming: bool = True
    open_loop: bool = False
    """Requests have due times: a request rate, or a schedule."""
    asked_osl: int | None = None
    """Output tokens that each request asks for; None where they differ or are not asked for."""
    produces_tokens: bool = True
    """Messages with content are tokens, where the server counts none; else they may be drafts of an image."""
    slos: Mapping[str, float] = field(default_factory=dict)
    """Limits by tag that a good request keeps (`pytest_aiperf.metrics.goodput.parse_slos`)."""
    graded: bool = False
    """The data says which answers are expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """How long something stood at which level: a step function of time, its order forgotten."""

    level: Floats
    seconds: Floats
    """``(k,)``: time spent at each of the levels; a level may occur more than once."""
    busy: npt.NDArray[np.bool_]
    """``(k,)``: whether anything made the level, be it 0."""

    def while_busy(self) -> Levels | None:
        """Return the levels at which anything was there; None where nothing ever was."""
        if not self.busy.any():
            return None
        return Levels(level=self.level[self.busy], seconds=self.seconds[self.busy], busy=self.busy[self.busy])


class BaseMetric(ABC):
    """States of every metric. A subclass has a value per request, several per request, one per run, or levels."""

    tag: ClassVar[str]
    header: ClassVar[str]
    description: ClassVar[str] = ""
    """One line, of the metrics of this package: their entries in `plugins.yaml` are written from it."""
    unit: ClassVar[str]
    direction: ClassVar[Direction]
    group: ClassVar[Group]
    display_order: ClassVar[int]
    streaming_only: ClassVar[bool] = False
    open_loop_only: ClassVar[bool] = False
    slos_only: ClassVar[bool] = False
    """It says something only where ``goodput`` limits are given."""
    graded_only: ClassVar[bool] = False
    """It says something only where the data holds expected answers."""
    deterministic: ClassVar[bool] = False
    """It does not vary from run to run unless the server's behaviour changes (token counts)."""
    stored: ClassVar[bool] = False
    """Baselines keep it, so that it can be judged."""
    hidden: ClassVar[bool] = False
    """Tables, texts and JUnit leave it out; the result and its document have it."""

    def applies_to(self, context: MetricContext) -> bool:
        """Return whether a load of this kind can have the metric at all."""
        return (
            (context.streaming or not self.streaming_only)
            and (context.open_loop or not self.open_loop_only)
            and (bool(context.slos) or not self.slos_only)
            and (context.graded or not self.graded_only)
        )


class BaseRecordMetric(BaseMetric):
    """One value per request."""

    counts_failed: ClassVar[bool] = False
    """Failed requests have the value +inf; percentiles are nearest-rank, which never lie between a value and inf."""

    @abstractmethod
    def values(self, run: RunColumns) -> Floats:
        """Return ``(n,)`` values in `unit`; NaN where a request has none."""


class BaseListMetric(BaseMetric):
    """Any number of values per request."""

    @abstractmethod
    def lists(self, run: RunColumns) -> tuple[Floats, Int64]:
        """Return ``(m,)`` values in `unit`, request after request, and ``(n,)`` how many each request has."""


class BaseRunMetric(BaseMetric):
    """One value per run."""

    @abstractmethod
    def value(self, run: RunColumns) -> float | None:
        """Return the value in `unit`; None where it was not measured."""


class BaseWindowMetric(BaseRunMetric):
    """An amount over the window, so that value x window = amount, exactly."""

    @abstractmethod
    def amount(self, run: RunColumns) -> float | None:
        """Return the amount that the measured requests make; None when it is unknown."""

    def value(self, run: RunColumns) -> float | None:
        """Return the amount per second; None where the window has no length."""
        amount = self.amount(run)
        return amount / run.window.seconds if amount is not None and run.window.seconds > 0 else None


class BaseLevelMetric(BaseMetric):
    """A level over the time of the window."""

    @abstractmethod
    def levels(self, run: RunColumns) -> Levels | None:
        """Return the time that the window spends at each level in `unit`; None where it was not measured."""
