"""The text of a failed test, whole and in its first line."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from measurements import (
    ALL,
    CHANGED,
    CREPT,
    ERRORS,
    FAILED,
    FAILING,
    INCONCLUSIVE,
    INVALID,
    ITL,
    NO_BASELINE,
    NODE_ID,
    NOT_COMPARABLE,
    PAIRED,
    REGRESSED,
    THROUGHPUT,
    TTFT,
    judged,
)

from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.exporters.failure_text import failure_text, headline
from pytest_aiperf.judge import Policy, RunStat, judge
from pytest_aiperf.judge.interval import run_interval


def text_of(measurement):
    return failure_text(measurement, node_id=NODE_ID)


TEXTS = ALL | {"changed": CHANGED, "crept": CREPT, "paired": PAIRED}
GOLDEN = tuple(name for name in TEXTS if name not in ("pass", "measured"))  # those fail no test


@pytest.mark.parametrize("name", GOLDEN)
def test_a_failure_reads_as_it_was_agreed_on(name):
    expected = (Path(__file__).parent / "data" / f"{name}.txt").read_text(encoding="utf-8")
    assert text_of(TEXTS[name]) + "\n" == expected


@pytest.mark.parametrize(
    ("measurement", "line"),
    [
        (REGRESSED, "ttft p50 +37 % (300 -> 412 ms), allowed +5 %"),
        (judged("regressed", ITL, THROUGHPUT), "throughput -30 % (20 -> 14 requests/s), allowed -5 %"),
        (FAILING, "errors 6 % (was 0 %)"),
        (replace(FAILING, against="http://other"), "errors 6 % (against 0 %)"),
        (CREPT, "ttft p50 since 2026-11-02 +8.1 % (300 -> 324 ms), allowed +5 %"),
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


@pytest.mark.parametrize("name", TEXTS)
def test_no_line_of_any_text_is_wider_than_a_screen(name):
    lines = text_of(TEXTS[name]).splitlines()
    # pytest sets "E   " before each.
    assert max(len(line) for line in lines if NODE_ID not in line) <= 96


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_ends_or_runs_on_in_blank_lines(name):
    lines = text_of(TEXTS[name]).split("\n")
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


def line_of(text, label):
    return next(line for line in text.splitlines() if line.split()[:1] == [label])


def test_what_changed_is_pointed_out_and_what_did_not_change_is_not_said_twice():
    text = text_of(replace(REGRESSED, changes=CHANGED.changes[:1]))
    assert line_of(text, "server") == "  server vllm 0.25.0 (was 0.24.1)  <- changed since the baseline"
    other = replace(CHANGED.changes[0], now="sglang 0.5")
    assert "sglang 0.5 (was vllm 0.24.1)" in text_of(replace(REGRESSED, changes=(other,)))


def test_a_server_that_names_itself_cannot_take_over_the_screen():
    evil = replace(CHANGED.changes[0], now="vllm\x1b[2J\n0.25", before="a\x07\nb")
    text = text_of(replace(REGRESSED, changes=(evil,)))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert line_of(text, "server").endswith("<- changed since the baseline")


def test_a_comparison_with_the_anchor_is_shown_only_when_it_regressed():
    *usual, anchor = CREPT.judgement.comparisons
    for verdict in ("pass", "inconclusive"):
        quiet = judged("inconclusive", *usual, replace(anchor, verdict=verdict))
        assert "anchor" not in text_of(quiet)
        assert "since" not in headline(quiet)
    assert "since the anchor, 2026-11-02, 1a2b3c4d:" in text_of(CREPT)


def test_what_the_comparison_with_the_baseline_tells_is_not_told_a_second_time():
    *usual, anchor = CREPT.judgement.comparisons
    at_once = [replace(row, verdict="regressed") if row.metric == anchor.metric else row for row in usual]
    assert "anchor" not in text_of(judged("regressed", *at_once, anchor))


def test_a_change_that_came_at_once_is_the_headline_and_not_the_larger_one_since_the_anchor():
    anchor = replace(CREPT.judgement.comparisons[-1], change=0.5)
    assert headline(judged("regressed", anchor, TTFT, ITL)) == headline(REGRESSED)


def test_two_servers_are_told_apart_by_the_options_that_name_them():
    text = text_of(PAIRED)
    assert line_of(text, "metric").split()[1:3] == ["against", "endpoint"]
    assert "ttft  against  |" in text
    assert "      endpoint |" in text
    assert line_of(text, "base") == "  base   http://localhost:8001, measured now, runs in turn"
    assert line_of(text, "model") == "  model  llama-b (against llama-a)  <- differs"
    assert "baseline" not in text
    assert "now" not in text.replace("measured now", "")


@pytest.mark.parametrize("verdict", ["regressed", "inconclusive", "invalid"])
def test_nobody_is_told_to_record_what_two_servers_cannot_record(verdict):
    for comparisons in ((replace(TTFT, verdict=verdict),), ()):
        text = text_of(
            replace(PAIRED, judgement=replace(PAIRED.judgement, verdict=verdict, comparisons=comparisons))
        )
        assert "--aiperf-update" not in text
        assert "session" not in text


def of_sessions(count, comparison):
    """An inconclusive measurement against so many sessions."""
    stored = REGRESSED.baseline
    sessions = [stored.sessions[0].model_copy(update={"id": str(i)}) for i in range(count)]
    many = stored.model_copy(update={"sessions": tuple(sessions), "anchor": "0"})
    return judged("inconclusive", replace(comparison, verdict="inconclusive"), baseline=many)


def test_an_inconclusive_one_says_which_of_both_kinds_of_noise_to_lower():
    """Values of 300 ms that are known to 10 and to 1; a change of 4 % that is known to 5 points."""
    wide = replace(TTFT, now=300.0, change=0.04, ci95=(-0.01, 0.09))
    runs = text_of(of_sessions(3, replace(wide, now_half=14.0)))
    assert "more runs (--aiperf-num-profile-runs), more requests a run, a quieter machine" in runs
    sessions = text_of(of_sessions(3, replace(wide, now_half=1.0)))
    assert "Most of what is uncertain is how much sessions differ" in sessions
    assert "pytest-aiperf calibrate" in sessions
    assert "The baseline has 2 sessions" in text_of(of_sessions(2, replace(wide, now_half=14.0)))


@pytest.mark.parametrize(
    ("runs", "level", "told"),
    [
        ((0.06, -0.06, 0.0), (0.0, 0.001, -0.001), "more runs (--aiperf-num-profile-runs)"),
        ((0.001, -0.001, 0.0), (0.0, 0.05, -0.05), "how much sessions differ"),
    ],
)
def test_the_noise_that_is_named_is_the_one_that_there_is(runs, level, told):
    """Through the judge: runs of a session that scatter, and sessions that do."""

    def session(shift):
        return [RunStat(300.0 * math.exp(shift + noise), 200) for noise in runs]

    baseline, now = [session(shift) for shift in level], [session(0.0)]
    decision = judge(baseline, now, Policy(), look=0)
    assert decision.verdict == "inconclusive"
    low, high = run_interval(now, Policy())
    row = replace(
        TTFT,
        now=300.0,
        now_half=(high - low) / 2,
        change=decision.change,
        ci95=decision.ci95,
        mde=decision.mde,
    )
    assert told in text_of(of_sessions(3, row))
