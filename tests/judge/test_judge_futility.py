"""A look that could not settle anything is not taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
import verdict_figures as figures
from scipy import stats

from pytest_aiperf.judge import Policy, RunStat, judge
from pytest_aiperf.judge.futility import chance_to_settle
from pytest_aiperf.judge.gate import compare

STORED = Policy(relation="same_host")
PAIRED = Policy(relation="paired")


def session(*values):
    return [RunStat(value, 200, 1e-4) for value in values]


def test_one_stored_session_and_a_change_near_the_tolerance_end_at_the_first_look():
    decision = judge([session(100, 101, 99, 100, 100)], [session(103, 104, 102)], STORED)
    assert decision.verdict == "inconclusive"
    assert not decision.more_runs_help


def test_between_interleaved_sides_more_runs_are_worth_it():
    decision = judge([session(100, 101, 99, 100, 100)], [session(103, 104, 102)], PAIRED)
    assert decision.verdict == "inconclusive"
    assert decision.more_runs_help


def test_at_the_last_look_nothing_is_left_to_settle_it():
    baseline, candidate = [session(100, 101, 99)], [session(*[103, 104, 102, 103] * 2)]
    assert chance_to_settle(compare(baseline, candidate, PAIRED), PAIRED) == 0.0


@pytest.mark.parametrize("policy", [STORED, PAIRED, replace(PAIRED, strict=True)])
@pytest.mark.parametrize("now", [98.0, 101.0, 103.0, 106.0, 112.0])
def test_the_chance_is_that_of_the_ways_on_from_here(policy, now):
    """Against playing the runs to come: the means that they change are normal about those of the runs so far."""
    in_turn = policy.relation == "paired"
    baseline = session(100, 101, 99) if in_turn else session(100, 101, 99, 100, 100)
    found = compare([baseline], [session(now, now + 1, now - 1)], policy)
    sides_that_grow = 2 if in_turn else 1
    gained = found.run_variance * (1 / 3 - 1 / 8) * sides_that_grow
    last = replace(found, se=(found.se**2 - gained) ** 0.5, df=found.df + 5 * sides_that_grow)
    steps = gained**0.5 * stats.norm.ppf([(i + 0.5) / 4000 for i in range(4000)])
    settled = 0
    for step in steps:
        here = replace(last, log_change=found.log_change + step)
        limit = here.log_tolerance if policy.strict else 0.0
        settled += here.upper(0.02) < here.log_tolerance or (
            here.lower(0.004) > limit and here.log_change > here.log_tolerance
        )
    assert chance_to_settle(found, policy) == pytest.approx(settled / 4000, abs=1e-3)


@pytest.mark.parametrize("slower", [1.0, 1.03, 1.1])
def test_ending_early_costs_runs_and_hardly_any_verdict(slower):
    whole, early = (figures.one_stored_session(300, slower=slower, curtailed=c) for c in (False, True))
    assert early.runs < whole.runs
    assert whole.regressed - early.regressed <= 0.02 * whole.n
    assert whole.passed - early.passed <= 0.02 * whole.n
