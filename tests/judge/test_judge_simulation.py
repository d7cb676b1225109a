"""The promises about false alarms and detection, in versions small enough for every run of the tests.

Each prints its figure beside the goal. The bound is the goal with the slack of chance: a verdict that just meets the
goal would fail here in one of a thousand seeds. The full numbers: ``pytest -s tests/judge/figures_in_full.py``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import verdict_figures as figures
from scipy import stats


@pytest.fixture
def show(capsys):
    """Print although the output is captured: these figures are the point."""

    def say(text):
        with capsys.disabled():
            print(f"\n    {text}", end="")

    return say


def check(show, *found):
    for figure in found:
        show(figure)
    assert not [str(figure) for figure in found if not figure.holds_up_to_chance()]


def test_row_1_identical_servers_are_not_called_slower(show):
    check(show, *figures.row_1(2000))


def test_the_level_holds_where_runs_do_not_know_their_own_scatter(show):
    alarms = figures.without_own_scatter(11, 1000, model=figures.NOISY)
    name = "A/A paired mean, noisy, var_within unknown, regressed"
    check(show, figures.Figure(name=name, count=alarms, n=1000, kind="at most", goal=0.01))


def test_row_2_ten_percent_is_found_with_few_runs(show):
    found, mean_runs = figures.row_2(1000)
    check(show, *found)
    show(f"2 candidate runs on average: p50 {mean_runs[0]:.2f}, p95 {mean_runs[1]:.2f}; goal 3.5")
    assert mean_runs[0] < 3.2
    assert mean_runs[1] < 3.7


def test_row_3_a_stored_baseline_holds_the_level_and_finds_ten_percent(show):
    check(show, *figures.row_3(1000))


def test_row_4_an_incident_is_not_a_regression(show):
    check(show, *figures.row_4(1500))


def test_row_4_without_a_second_session_it_would_be(show):
    alarms = figures.row_4_without_confirmation(1500)
    show(f"4 A/A with incidents, without confirmation: {100 * alarms / 1500:.2f} %")
    assert alarms >= stats.binom.ppf(0.001, 1500, 0.02)


def test_row_5_the_interval_covers_what_it_says(show):
    found = figures.row_5(400)
    check(show, *found)
    assert all(figure.count <= stats.binom.ppf(0.999, figure.n, 0.98) for figure in found)


def test_row_6_four_metrics_raise_no_more_alarms_than_one(show):
    check(show, *figures.row_6(1500))


def test_row_7_stalls_are_found(show):
    check(show, *figures.row_7(1500))


QUIET = replace(figures.QUIET, run_sd=0.02)


@pytest.mark.parametrize(
    ("model", "alarms"), [(QUIET, 1 / 25), (figures.NOISY, 1 / 20)], ids=["quiet", "noisy"]
)
def test_row_8_fewer_alarms_than_mann_whitney_and_more_power_than_welch(show, model, alarms):
    same, slower = figures.row_8(600, model=model, slower=1.0), figures.row_8(600, model=model, slower=1.1)
    show(f"8 A/A: {same}")
    show(f"8 +10 %: {slower}")
    assert same.ours <= stats.binom.ppf(0.999, same.n, alarms * same.mann_whitney / same.n)
    assert slower.ours >= stats.binom.ppf(0.001, slower.n, 1.5 * slower.welch / slower.n)
