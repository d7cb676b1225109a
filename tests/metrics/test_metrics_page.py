"""docs/metrics.md is generated from the metrics, and says of each what a reader must know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from pytest_aiperf.metrics.base_metric import Group
from pytest_aiperf.metrics.reference import GROUPS, LEFT_OUT, render_markdown
from pytest_aiperf.metrics.registry import all_metrics

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
ROWS = {
    match[1]: line for line in render_markdown().splitlines() if (match := re.match(r"\| \**`(\w+)`", line))
}


def test_the_page_of_metrics_holds_what_the_metrics_say():
    """Stale? ``python docs/generate.py``."""
    assert PAGE.read_text(encoding="utf-8") == render_markdown()


def test_the_page_has_one_row_for_every_metric():
    left_out = {name for row in LEFT_OUT for name in re.findall(r"`(\w+)`", row)}
    assert set(ROWS) - left_out == set(all_metrics())
    assert left_out.isdisjoint(all_metrics())


def test_a_row_has_its_cells():
    for tag, metric in all_metrics().items():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", ROWS[tag])[1:-1]]
        assert len(cells) == 6, ROWS[tag]
        assert cells[0].startswith("**") == metric.stored
        assert len(cells[1]) > 10
        assert cells[2] == metric.unit
        assert cells[3] in ("request", "gap", "run", "time")
        assert cells[4] == metric.direction.replace("neutral", "")
        assert ("streaming" in cells[5]) == metric.streaming_only
        assert ("due times" in cells[5]) == metric.open_loop_only


def test_every_group_has_a_heading():
    assert tuple(GROUPS) == get_args(Group)
    assert {metric.group for metric in all_metrics().values()} == set(GROUPS)
