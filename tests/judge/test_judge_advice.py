"""Which plan finds which change: against scipy.stats, by hand, and by playing the plans."""

from __future__ import annotations

import math
from dataclasses import replace

import calibration_figures as figures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge import Calibration, Policy, advise, calibrated, judge, planned_mde
from pytest_aiperf.judge.samples import RunStat

POLICY = Policy()
KNOWN = Calibration(
    run_sd=0.02,
    run_df=84.0,
    tau=0.01,
    tau_df=23.0,
    n_sessions=20,
    n_runs=5.0,
    n_requests=200.0,
    value=100.0,
    var_within=2e-4,
)
fast = settings(max_examples=100, deadline=None, derandomize=True)


def known(**different):
    return replace(KNOWN, **different)


def by_scipy(*, run_variance, tau, tau_df, baseline, runs, alpha):
    """The formula in plain words; `baseline` is sessions and their runs."""
    sessions, their_runs = baseline
    a = run_variance * (1 / (sessions * their_runs) + 1 / runs)
    w = tau**2 * (1 + 1 / sessions)
    run_df, session_df = 4 + sessions * (their_runs - 1) + runs - 1, tau_df + sessions - 1
    df = (a + w) ** 2 / (a**2 / run_df + w**2 / session_df)
    se = math.sqrt(a + w)
    t_fail, t_luck = stats.t.isf(alpha, df), stats.t.isf(0.05, df)
    return math.expm1(max((t_fail + t_luck) * se, math.log(1.05) + t_luck * se))


@pytest.mark.parametrize("sessions", [1, 3, 10])
def test_a_stored_plan_is_that_of_the_formula(sessions):
    expected = by_scipy(run_variance=4e-4, tau=0.01, tau_df=23, baseline=(sessions, 5), runs=8, alpha=0.004)
    assert planned_mde(KNOWN, POLICY, runs=8, sessions=sessions) == pytest.approx(expected, rel=1e-9)


def test_a_paired_plan_has_as_many_runs_on_both_sides_and_no_sessions():
    expected = by_scipy(run_variance=4e-4, tau=0.0, tau_df=23, baseline=(1, 8), runs=8, alpha=0.004)
    assert planned_mde(KNOWN, POLICY, runs=8, sessions=0, paired=True) == pytest.approx(expected, rel=1e-9)


def test_a_plan_of_one_look_may_spend_the_whole_risk_at_it():
    wild = {"tau": 0.03, "tau_df": 23}
    expected = by_scipy(run_variance=4e-4, **wild, baseline=(3, 5), runs=3, alpha=0.010)
    assert planned_mde(known(**wild), POLICY, runs=3, sessions=3) == pytest.approx(expected, rel=1e-9)


def test_requests_average_out_only_what_runs_know_of_their_sampling():
    expected = by_scipy(
        run_variance=2e-4 / 4 + 2e-4, tau=0.01, tau_df=23, baseline=(3, 5), runs=8, alpha=0.004
    )
    got = planned_mde(KNOWN, POLICY, runs=8, sessions=3, n_requests=800)
    assert got == pytest.approx(expected, rel=1e-9)


def test_sampling_that_is_larger_than_the_run_variance_is_all_of_it():
    overstated = known(var_within=1.0)
    assert planned_mde(overstated, POLICY, runs=8, sessions=3) == planned_mde(
        KNOWN, POLICY, runs=8, sessions=3
    )
    expected = by_scipy(run_variance=1e-4, tau=0.01, tau_df=23, baseline=(3, 5), runs=8, alpha=0.004)
    got = planned_mde(overstated, POLICY, runs=8, sessions=3, n_requests=800)
    assert got == pytest.approx(expected, rel=1e-9)


def test_it_is_what_the_gate_says_of_such_a_measurement():
    """Sides whose sums of squares and session means are exactly as calibrated."""
    step = KNOWN.run_sd * math.sqrt(
        4 / 10
    )  # the squares of -2 to 2 add up to 10, those of five runs should to 4
    runs_now = [RunStat(100 * math.exp(step * i), 200, 2e-4) for i in (-2, -1, 0, 1, 2)]
    policy = calibrated(POLICY, KNOWN)
    decision = judge([runs_now], [runs_now], policy, look=2)
    assert decision.mde == pytest.approx(planned_mde(KNOWN, POLICY, runs=5, sessions=1), rel=1e-9)


def test_the_floor_counts_where_it_is_more_than_the_tolerance():
    quiet = known(run_sd=0.0, tau=0.0, var_within=None)
    assert planned_mde(quiet, POLICY, runs=3, sessions=1) == pytest.approx(0.05)
    assert planned_mde(quiet, Policy(floor=20.0), runs=3, sessions=1) == pytest.approx(0.20)


def test_strict_needs_a_larger_change():
    strict = planned_mde(KNOWN, Policy(strict=True), runs=8, sessions=3)
    assert strict > planned_mde(KNOWN, POLICY, runs=8, sessions=3)


calibrations = st.builds(
    Calibration,
    run_sd=st.floats(0.003, 0.2),
    run_df=st.just(20.0),
    tau=st.floats(0.003, 0.2),
    tau_df=st.floats(5.0, 100.0),
    n_sessions=st.just(5),
    n_runs=st.floats(1.0, 10.0),
    n_requests=st.floats(50.0, 5000.0),
    value=st.floats(1e-6, 1e6),
    var_within=st.one_of(st.none(), st.floats(1e-8, 0.1)),
)


@fast
@given(calibrations, st.integers(3, 30), st.integers(1, 9), st.integers(1, 10))
def test_more_sessions_never_raise_the_mde(calibration, runs, sessions, more):
    one = planned_mde(calibration, POLICY, runs=runs, sessions=sessions)
    other = planned_mde(calibration, POLICY, runs=runs, sessions=sessions + more)
    assert other <= one * (1 + 1e-12)


@fast
@given(calibrations, st.floats(1.0, 100.0), st.booleans())
def test_more_requests_never_raise_the_mde_of_a_paired_plan(calibration, times, strict):
    policy = Policy(strict=strict)
    plans = {"runs": 8, "sessions": 0, "paired": True}
    more = planned_mde(calibration, policy, **plans, n_requests=calibration.n_requests * times)
    assert more <= planned_mde(calibration, policy, **plans) * (1 + 1e-12)


@fast
@given(calibrations, st.floats(1.001, 2.0))
def test_advice_is_sorted_reaches_the_change_or_says_why_not(calibration, times):
    wanted = 0.05 * times
    options = advise(calibration, wanted=wanted, policy=POLICY)
    assert 1 <= len(options) <= 5
    assert all(option.mde > POLICY.tolerance for option in options)
    if any(option.mde <= wanted for option in options):
        assert all(option.mde <= wanted for option in options)
        assert [o.cost for o in options] == sorted(o.cost for o in options)
        assert all(option.note for option in options) == all(option.paired for option in options)
    else:
        assert [option.paired for option in options] in ([True, False], [False, True])
        assert all(option.note for option in options)
        assert options[0].mde <= options[1].mde


def test_the_plans_for_a_quiet_server_are_few_and_their_cost_is_what_they_send():
    options = advise(KNOWN, wanted=0.08, policy=POLICY)
    assert [(o.sessions, o.paired) for o in options] == [(5, False), (3, False), (0, True), (1, False)]
    for option in options:
        assert option.cost == option.n_requests * (option.runs + 1) * (2 if option.paired else 1)
        same = planned_mde(
            KNOWN,
            POLICY,
            runs=option.runs,
            sessions=option.sessions,
            paired=option.paired,
            n_requests=option.n_requests,
        )
        assert option.mde == same <= 0.08


def test_more_sessions_are_advised_only_where_they_make_a_check_cheaper():
    options = advise(known(tau=0.003), wanted=0.2, policy=POLICY)
    assert [(o.sessions, o.runs) for o in options] == [(1, 3), (0, 3)]


def test_the_limit_that_sessions_set_is_named_when_only_a_paired_measurement_finds_the_change():
    (option,) = advise(known(tau=0.03), wanted=0.08, policy=POLICY)
    assert option.paired
    assert option.mde <= 0.08
    assert "sessions differ by 3 % (sd, from 20 of them)" in option.note
    assert "no number of runs or requests moves that" in option.note


def test_that_limit_is_below_all_plans_and_reached_by_silent_runs():
    silent = known(run_sd=1e-9, var_within=None, tau=0.03)
    least = min(planned_mde(silent, POLICY, runs=runs, sessions=10) for runs in (3, 5, 8, 12, 20))
    (option,) = advise(known(tau=0.03), wanted=0.08, policy=POLICY)
    assert f"shows from {100 * least:.1f} % on at best" in option.note


def test_noise_between_runs_is_named_when_it_is_the_reason():
    options = advise(known(run_sd=0.2, tau=0.002), wanted=0.08, policy=POLICY)
    assert {option.paired for option in options} == {True, False}
    assert all("runs of one session differ by 20 % (sd)" in option.note for option in options)


def test_a_change_within_the_tolerance_is_never_found_and_that_is_said():
    options = advise(KNOWN, wanted=0.05, policy=POLICY)
    assert all(option.mde > 0.05 for option in options)
    assert all(
        "5 % lies within the tolerance of 5 %" in option.note and "set a tolerance below 5 %" in option.note
        for option in options
    )


def test_no_plan_has_fewer_requests_than_the_statistic_needs():
    options = advise(KNOWN, wanted=0.2, policy=Policy(min_requests=200))
    assert min(option.n_requests for option in options) == 200
    assert min(option.n_requests for option in advise(KNOWN, wanted=0.2, policy=POLICY)) == 100


def test_requests_are_left_alone_where_runs_do_not_know_their_sampling():
    options = advise(known(var_within=None), wanted=0.2, policy=POLICY)
    assert {option.n_requests for option in options} == {200}


@pytest.mark.parametrize("wanted", [0.0, -0.1, math.nan, math.inf])
def test_a_change_that_is_none_is_refused(wanted):
    with pytest.raises(ConfigurationError, match="above zero"):
        advise(KNOWN, wanted=wanted, policy=POLICY)


@pytest.mark.parametrize(("tau", "wanted"), [(0.003, 0.08), (0.01, 0.08), (0.04, 0.25)])
def test_a_change_of_exactly_the_mde_is_found_in_95_of_100(capsys, tau, wanted):
    found = figures.advice_comes_true(1000, tau=tau, wanted=wanted)
    with capsys.disabled():
        print(*(f"\n    {figure}" for figure in found), end="", sep="")
    assert not [str(figure) for figure in found if not figure.holds_up_to_chance()]
