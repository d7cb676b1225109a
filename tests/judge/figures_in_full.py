"""The figures of the verdict with the numbers that their goals name: ``pytest -s tests/judge/figures_in_full.py``.

Not collected by default. Takes about a minute on one core.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import verdict_figures as figures

N = 10_000


def report(found):
    for figure in found:
        print(f"\n    {figure}", end="")
    assert all(figure.share <= figure.goal for figure in found if figure.kind == "at most")
    assert all(figure.share >= figure.goal for figure in found if figure.kind == "at least")


@pytest.mark.parametrize("row", [figures.row_1, figures.row_3, figures.row_4, figures.row_6, figures.row_7])
def test_the_goal_is_met(row):
    report(row(N))


def test_row_2_and_its_runs():
    found, (runs_p50, runs_p95) = figures.row_2(N)
    report(found)
    print(f"\n    2 candidate runs on average: p50 {runs_p50:.2f}, p95 {runs_p95:.2f}; goal 3.5")
    assert (runs_p50 + runs_p95) / 2 <= 3.5


def test_row_4_without_confirmation():
    print(
        f"\n    4 A/A with incidents, without confirmation: {100 * figures.row_4_without_confirmation(N) / N:.2f} %"
    )


def test_row_5_with_its_upper_end():
    found = figures.row_5(N)
    report(found)
    assert all(figure.share <= 0.98 for figure in found)


QUIET = replace(figures.QUIET, run_sd=0.02)


@pytest.mark.parametrize(
    ("model", "alarms"), [(QUIET, 1 / 25), (figures.NOISY, 1 / 20)], ids=["quiet", "noisy"]
)
def test_row_8_against_the_rivals(model, alarms):
    same, slower = (
        figures.row_8(2 * N // 5, model=model, slower=1.0),
        figures.row_8(2 * N // 5, model=model, slower=1.1),
    )
    print(f"\n    8 A/A: {same}\n    8 +10 %: {slower}", end="")
    assert slower.ours >= 1.5 * slower.welch
    assert same.ours <= 0.01 * same.n
    assert same.ours <= alarms * same.mann_whitney


@pytest.mark.parametrize("slower", [1.0, 1.03, 1.1])
def test_ending_early_costs_runs_and_no_verdicts(slower):
    whole, early = (figures.one_stored_session(N // 4, slower=slower, curtailed=c) for c in (False, True))
    print(f"\n    one stored session, x{slower}, all looks: {whole}\n    ended early: {early}", end="")
    assert early.runs < whole.runs
    assert whole.regressed - early.regressed <= 0.01 * whole.n
    assert whole.passed - early.passed <= 0.01 * whole.n
