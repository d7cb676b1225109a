"""What a metric is. Tags, units and formulas are AIPerf's, so that figures can be compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.records import RecordBatch

Direction = Literal["lower", "higher", "neutral"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Window:
    """The steady part of a run: from the last warm-up completion to the first slot that could not be refilled."""

    start_ns: int
    end_ns: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9


class BaseMetric(ABC):
    """States of every metric; a subclass is a record metric or a window metric."""

    tag: ClassVar[str]
    header: ClassVar[str]
    unit: ClassVar[str]
    direction: ClassVar[Direction]
    streaming_only: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False
    """It does not vary from run to run unless the server's behaviour changes (token counts)."""
    display_order: ClassVar[int]


class BaseRecordMetric(BaseMetric):
    """One value per request."""

    @abstractmethod
    def values(self, batch: RecordBatch) -> Floats:
        """Return ``(n,)`` values in `unit`; NaN where a request has none."""


class BaseWindowMetric(BaseMetric):
    """One value per run: an amount over the window, so that value x window = amount, exactly."""

    @abstractmethod
    def amount(self, batch: RecordBatch, inside: npt.NDArray[np.bool_]) -> float | None:
        """Return the amount that the requests `inside` the window make; None when it is unknown."""
