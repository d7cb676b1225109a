"""The verdict of a whole test."""

from __future__ import annotations

import pytest

from pytest_aiperf.judge import Decision, another_look, combine, limit_mde

REGRESSED = Decision(verdict="regressed", reason="12 % higher")
PASSED = Decision(verdict="pass", reason="the same", mde=0.08, improved=True)
NOISY = Decision(verdict="inconclusive", reason="too noisy", more_runs_help=True)
EMPTY = Decision(verdict="inconclusive", reason="the baseline has no runs")
NEW = Decision(verdict="no_baseline", reason="there is no stored baseline to compare with")
OTHER = Decision(verdict="not_comparable", reason="another accelerator")


@pytest.mark.parametrize(
    ("decisions", "verdict"),
    [
        ([PASSED, REGRESSED, NOISY, NEW, OTHER], "regressed"),
        ([PASSED, NOISY, NEW, OTHER], "not_comparable"),
        ([PASSED, NOISY, NEW], "no_baseline"),
        ([PASSED, NOISY], "inconclusive"),
        ([PASSED, PASSED], "pass"),
        ([], "inconclusive"),
    ],
)
def test_the_gravest_verdict_counts(decisions, verdict):
    assert combine({str(i): decision for i, decision in enumerate(decisions)})[0] == verdict


def test_the_reason_names_the_metrics_that_brought_the_verdict_about():
    assert combine({"ttft.p50": PASSED, "itl.p50": REGRESSED})[1] == "itl.p50: 12 % higher"
    assert combine({"a": NOISY, "b": EMPTY})[1] == "a: too noisy; b: the baseline has no runs"
    assert combine({"a": PASSED, "b": PASSED})[1] == "within tolerance: a, b"
    assert combine({})[1] == "no metric could be judged"


@pytest.mark.parametrize(
    ("decisions", "look", "worth_it"),
    [
        ([NOISY, PASSED], 0, True),
        ([NOISY], 1, True),
        ([NOISY], 2, False),
        ([PASSED], 0, False),
        ([EMPTY], 0, False),
        ([NOISY, REGRESSED], 0, False),
        ([NEW], 0, False),
        ([], 0, False),
    ],
)
def test_another_look_is_worth_it_while_something_can_still_be_settled(decisions, look, worth_it):
    assert another_look({str(i): d for i, d in enumerate(decisions)}, look, 3) is worth_it


def test_a_pass_that_proves_too_little_is_inconclusive():
    limited = limit_mde(PASSED, 0.05)
    assert (limited.verdict, limited.improved, limited.more_runs_help) == ("inconclusive", False, True)
    assert limited.reason == "the same, but 5 % was asked for"
    assert limit_mde(PASSED, 0.08) is PASSED
    assert limit_mde(REGRESSED, 0.0) is REGRESSED
