"""The promises about false alarms and detection, in versions small enough for every run of the tests.

Each prints its figure beside the goal. The bound is the goal with the slack of chance: a verdict that just meets the
goal would fail here in one of a thousand seeds. The full numbers: ``tox -e stats``.
"""

from __future__ import annotations

import drift_figures as drifts
import pytest
import rival_figures as rivals
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
    check(show, *(figure for figure in figures.row_2(1000) if figure.judged))


def test_row_3_a_stored_baseline_holds_the_level_and_finds_ten_percent(show):
    check(show, *figures.row_3(1000))


def test_row_4_an_incident_is_not_a_regression(show):
    check(show, *figures.row_4(1500))


def test_row_4_without_a_second_session_it_would_be(show):
    (figure,) = figures.row_4_without_confirmation(1500)
    show(figure)
    assert figure.count >= stats.binom.ppf(0.001, figure.n, 0.02)


def test_row_5_the_interval_covers_what_it_says(show):
    check(show, *figures.row_5(400))


def test_row_6_four_metrics_raise_no_more_alarms_than_one(show):
    check(show, *figures.row_6(1500))


def test_row_7_stalls_are_found(show):
    check(show, *figures.row_7(1500))


@pytest.mark.parametrize("endpoint", rivals.MODELS)
def test_row_8_fewer_alarms_than_mann_whitney_and_more_power_than_welch(show, endpoint):
    found = [*rivals.alarms(1000, endpoint=endpoint), *rivals.power(300, endpoint=endpoint)]
    check(show, *(figure for figure in found if figure.judged and figure.met is not None))


def test_in_turn_ten_percent_is_found_on_a_noisy_endpoint(show):
    """Both servers get the runs of the looks to come: the chance that they settle it must count them."""
    name = f"8 noisy +10 %, regressed: {rivals.WAYS['in turn']}"
    (figure,) = [one for one in rivals.power(500, endpoint="noisy") if one.name == name]
    show(figure)
    assert figure.count >= stats.binom.ppf(0.001, figure.n, 0.94)


def test_a_drift_does_not_turn_identical_servers_red_when_they_are_measured_in_turn(show):
    check(show, *drifts.abba_order(500))


@pytest.mark.parametrize(("pairs", "apart"), [(3, 1 / 3), (5, 1 / 5), (8, 0.0)])
def test_a_steady_drift_meets_servers_that_are_measured_in_turn_alike(pairs, apart):
    """How many runs later the second server is measured, on average; in the order AB AB it is one."""
    in_turn, *_ = (later[:pairs].mean() - earlier[:pairs].mean() for earlier, later in drifts.ORDERS.values())
    assert in_turn == pytest.approx(apart)


def test_in_another_order_it_would(show):
    *_, steep = drifts.other_orders(150)
    show(steep)
    assert steep.name.endswith("all of A, then all of B")
    assert steep.count >= stats.binom.ppf(0.001, steep.n, 0.7)
