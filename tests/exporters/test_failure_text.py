"""The text of a failed test, whole and in its first line."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from measurements import (
    ALL,
    ERRORS,
    FAILED,
    FAILING,
    INCONCLUSIVE,
    INVALID,
    ITL,
    NO_BASELINE,
    NODE_ID,
    NOT_COMPARABLE,
    REGRESSED,
    THROUGHPUT,
    TTFT,
    judged,
)

from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.exporters.failure_text import failure_text, headline


def text_of(measurement):
    return failure_text(measurement, node_id=NODE_ID)


GOLDEN = ("regressed", "no_baseline", "not_comparable", "inconclusive", "errors", "invalid")


@pytest.mark.parametrize("name", GOLDEN)
def test_a_failure_reads_as_it_was_agreed_on(name):
    expected = (Path(__file__).parent / "data" / f"{name}.txt").read_text(encoding="utf-8")
    assert text_of(ALL[name]) + "\n" == expected


@pytest.mark.parametrize(
    ("measurement", "line"),
    [
        (REGRESSED, "ttft p50 +37 % (300 -> 412 ms), allowed +5 %"),
        (judged("regressed", ITL, THROUGHPUT), "throughput -30 % (20 -> 14 requests/s), allowed -5 %"),
        (FAILING, "errors 6 % (was 0 %)"),
        (INCONCLUSIVE, "inconclusive: ttft p50 +4 % (-2.1 % .. +11 %), allowed +5 %"),
        (
            judged("inconclusive", replace(ERRORS, verdict="inconclusive", now=0.02)),
            "inconclusive: errors 2 % (was 0 %)",
        ),
        (
            judged(
                "inconclusive", replace(TTFT, verdict="inconclusive", change=None, reason="no usable run")
            ),
            "ttft p50: no usable run",
        ),
        (NO_BASELINE, f"no baseline yet for {NODE_ID}"),
        (replace(NO_BASELINE, name="long"), f"no baseline yet for {NODE_ID}#long"),
        (NOT_COMPARABLE, "the baseline is not comparable: concurrency was 4, is 8"),
        (INVALID, INVALID.judgement.reason),
    ],
)
def test_the_first_line_alone_says_what_happened(measurement, line):
    assert headline(measurement) == line
    assert text_of(measurement).startswith(f"{line}\n\n")


def test_the_worst_figure_comes_first_whatever_the_order():
    worse = replace(ITL, verdict="regressed", change=0.9, now=17.7)
    assert headline(judged("regressed", TTFT, worse)).startswith("itl p50 +90 %")
    assert headline(judged("regressed", worse, TTFT)).startswith("itl p50 +90 %")


def test_an_improvement_is_called_so():
    assert "faster" in text_of(judged("regressed", TTFT, replace(ITL, improved=True, change=-0.2)))


def test_what_is_allowed_of_a_throughput_is_a_loss():
    row = next(
        line for line in text_of(judged("regressed", THROUGHPUT)).splitlines() if line.startswith("  through")
    )
    assert "-5 %" in row


def test_the_command_names_this_test_in_quotes():
    assert f"pytest '{NODE_ID}' --aiperf-update=regressed" in text_of(REGRESSED)
    assert f"pytest '{NODE_ID}' --aiperf-update=missing" in text_of(NO_BASELINE)
    assert f"pytest '{NODE_ID}' --aiperf-update=all" in text_of(NOT_COMPARABLE)


@pytest.mark.parametrize("name", ALL)
def test_no_line_of_any_text_is_wider_than_a_screen(name):
    lines = text_of(ALL[name]).splitlines()
    assert max(len(line) for line in lines if NODE_ID not in line) <= 100


@pytest.mark.parametrize("name", ALL)
def test_no_text_ends_or_runs_on_in_blank_lines(name):
    lines = text_of(ALL[name]).split("\n")
    assert lines[-1]
    assert not any(a == b == "" for a, b in pairwise(lines[1:]))


def test_the_words_of_a_server_cannot_take_over_the_screen():
    evil = replace(FAILED, message="busy\x1b[2J\x07\nE   fake line\r\x9b31m" + "x" * 500)
    text = text_of(judged("regressed", replace(ERRORS, verdict="regressed", now=0.06), errors=(evil,)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\x9b" not in text
    line = next(line for line in text.splitlines() if "busy" in line)
    assert "fake line" in line
    assert len(line) < 240


def test_at_most_five_kinds_of_errors_are_shown_the_most_frequent_first():
    groups = tuple(replace(FAILED, message=f"kind {i}", count=i) for i in range(1, 9))
    lines = [
        line for line in text_of(judged("regressed", TTFT, errors=groups)).splitlines() if "kind" in line
    ]
    assert [line.split()[0] for line in lines] == ["8", "7", "6", "5", "4"]


def test_warnings_are_noted_once():
    text = text_of(replace(INVALID, validity=INVALID.validity * 3))
    assert text.count("The output is short.") == 1


def test_equal_values_are_drawn_without_an_error():
    """One bin in the baseline, and now its very centre throughout."""
    stored = REGRESSED.baseline.model_dump(by_alias=True)
    for run in stored["sessions"][0]["runs"]:
        run["metrics"]["time_to_first_token"]["hist"] |= {"index": [0], "count": [200]}
    flat = replace(
        REGRESSED,
        baseline=Baseline.model_validate(stored),
        pooled={"time_to_first_token": np.full(50, np.exp(560.5 * np.log1p(0.01)))},
    )
    drawn = [line for line in text_of(flat).splitlines() if "|" in line]
    assert [line.count("█") for line in drawn] == [1, 1]


def test_zeros_are_drawn_without_an_error():
    assert "now      |" in text_of(replace(REGRESSED, pooled={"time_to_first_token": np.zeros(50)}))


def test_a_baseline_without_histograms_is_not_drawn():
    bare = REGRESSED.baseline.sessions[0].runs[0].model_copy(update={"metrics": {}})
    session = REGRESSED.baseline.sessions[0].model_copy(update={"runs": (bare,)})
    measurement = replace(REGRESSED, baseline=REGRESSED.baseline.model_copy(update={"sessions": (session,)}))
    assert "now      |" not in text_of(measurement)
