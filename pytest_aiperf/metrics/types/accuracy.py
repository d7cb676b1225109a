"""Whether answers are right. What is fast and wrong is no improvement."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pytest_aiperf.common.records import ABSENT
from pytest_aiperf.metrics.base_metric import BaseRunMetric, Direction, Group
from pytest_aiperf.metrics.run_columns import RunColumns


class Accuracy(BaseRunMetric):
    """Right answers over graded ones: those of good requests of which the data says what is expected."""

    tag = "accuracy"
    header = "Accuracy"
    description = "Share of the graded answers that are right"
    unit = "ratio"
    direction: ClassVar[Direction] = "higher"
    group: ClassVar[Group] = "requests"
    display_order = 1085
    graded_only = True
    deterministic = True
    """The prompts are the same in every run, so that only the answers differ: the judge goes by how much they do."""
    stored = True

    def value(self, run: RunColumns) -> float | None:
        """Return the ratio; None where nothing was graded."""
        correct = run.column("correct")
        graded = np.count_nonzero(correct != ABSENT)
        return float(np.count_nonzero(correct == 1) / graded) if graded else None
