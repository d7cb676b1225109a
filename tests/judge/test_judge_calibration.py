"""Calibrating from A/A sessions: the variances it finds, what the gate makes of them, and what they are worth."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import calibration_figures as figures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge import Policy, RunStat, calibrate, calibrated, judge, replay, run_interval
from pytest_aiperf.judge.variance import Variance, run_variance, session_variance

POLICY = Policy()
NAN, INF = math.nan, math.inf
fast = settings(max_examples=50, deadline=None, derandomize=True)


def session(*values, n_ok=200, var_within=1e-4):
    return [RunStat(value, n_ok, var_within) for value in values]


def drawn(seed, n_sessions, *, tau, run_sd=0.02, n_runs=5, var_within=1e-4):
    rng = np.random.default_rng(seed)
    log_values = rng.normal(0, run_sd, (n_sessions, n_runs)) + rng.normal(0, tau, (n_sessions, 1))
    return [session(*values, var_within=var_within) for values in (100 * np.exp(log_values)).tolist()]


def by_numpy(sessions, *, tau0, prior_df):
    """(run sd, run df, tau, tau df) as plainly as it can be said; all runs know their var_within."""
    logs = [[math.log(run.value) for run in runs] for runs in sessions]
    nu = sum(len(runs) - 1 for runs in logs)
    ss = sum(np.var(runs) * len(runs) for runs in logs)
    within = np.mean([run.var_within for runs in sessions for run in runs])
    within = min(within, ss / stats.chi2.ppf(0.10, nu))
    s2 = (4 * (within + 0.015**2) + ss) / (4 + nu)
    n = len(logs)
    hat = max(0.0, np.var([np.mean(r) for r in logs], ddof=1) - s2 * np.mean([1 / len(r) for r in logs]))
    tau2 = (prior_df * tau0**2 + (n - 1) * hat) / (prior_df + n - 1)
    return math.sqrt(s2), 4 + nu, math.sqrt(tau2), prior_df + n - 1


@pytest.mark.parametrize("tau", [0.0, 0.01, 0.05])
@pytest.mark.parametrize(("relation", "tau0"), [("same_host", 0.015), ("same_part", 0.04)])
@pytest.mark.parametrize(("n_sessions", "prior_df"), [(2, 8), (3, 4), (20, 4)])
def test_the_variances_are_those_of_the_plain_formula(tau, relation, tau0, n_sessions, prior_df):
    sessions = drawn(1, n_sessions, tau=tau)
    sessions[0] = sessions[0][:3]
    found = calibrate(sessions, Policy(relation=relation))
    expected = by_numpy(sessions, tau0=tau0, prior_df=prior_df)
    assert (found.run_sd, found.run_df, found.tau, found.tau_df) == pytest.approx(expected, rel=1e-9)


def test_a_small_case_by_hand():
    """Two sessions of two equal runs, apart by 4 % in logs: hat = 8e-4 - s²/2 with s² = 4·prior/6."""
    sessions = [session(*[math.exp(at)] * 2, var_within=None) for at in (-0.02, 0.02)]
    found = calibrate(sessions, POLICY)
    s2 = 4 * 0.015**2 / 6
    assert found.run_sd == pytest.approx(math.sqrt(s2))
    assert found.tau == pytest.approx(math.sqrt((8 * 0.015**2 + 8e-4 - s2 / 2) / 9))
    assert (found.run_df, found.tau_df) == (6, 9)
    assert (found.n_sessions, found.n_runs, found.n_requests, found.var_within) == (2, 2.0, 200.0, None)
    assert found.value == pytest.approx(1.0)


def test_means_are_over_usable_runs_and_unusable_ones_are_left_out():
    usable = [session(100.0, 102.0, n_ok=100), session(101.0, 99.0, 100.0, 103.0, n_ok=250, var_within=3e-4)]
    unusable = [
        RunStat(None, 200),
        RunStat(NAN, 200),
        RunStat(INF, 200),
        RunStat(0.0, 200),
        RunStat(-1.0, 200),
    ]
    found = calibrate([[*usable[0], *unusable], [], [RunStat(100.0, 19)], usable[1]], POLICY)
    assert found == calibrate(usable, POLICY)
    assert (found.n_sessions, found.n_runs) == (2, 3.0)
    assert found.n_requests == pytest.approx((2 * 100 + 4 * 250) / 6)
    assert found.var_within == pytest.approx((2 * 1e-4 + 4 * 3e-4) / 6)


@pytest.mark.parametrize(
    ("sessions", "message"),
    [
        ([], r"needs at least 2 sessions with usable runs, got 0 of 0: make more sessions"),
        ([session(100.0)], r"got 1 of 1: make more"),
        (
            [session(100.0), [RunStat(None, 200), RunStat(5.0, 3)], []],
            r"got 1 of 3 \(what is left out has no usable run among 2: 1 without a value, 1 with fewer than 20 req",
        ),
    ],
)
def test_fewer_than_two_usable_sessions_are_refused(sessions, message):
    with pytest.raises(ConfigurationError, match=message):
        calibrate(sessions, POLICY)


def test_paired_measuring_has_no_sessions_to_calibrate():
    with pytest.raises(ConfigurationError, match="compares none: use the relation"):
        calibrate(drawn(1, 3, tau=0.0), Policy(relation="paired"))


def test_calibrating_anew_does_not_look_at_what_was_calibrated_before():
    sessions = drawn(2, 4, tau=0.01)
    before = Policy(tau=0.5, tau_df=1000.0, run_sd=0.5)
    assert calibrate(sessions, before) == calibrate(sessions, POLICY)


def test_equal_sessions_do_not_prove_that_sessions_never_differ():
    found = calibrate([session(*[100.0] * 5) for _ in range(20)], POLICY)
    assert found.tau == pytest.approx(0.015 * math.sqrt(4 / 23))
    assert found.run_sd == pytest.approx(0.015 * math.sqrt(4 / 84))


def test_the_answer_can_be_written_as_json():
    json.dumps(asdict(calibrate(drawn(3, 3, tau=0.01), POLICY)), allow_nan=False)


any_sessions = st.lists(
    st.lists(
        st.builds(RunStat, st.floats(50, 200), st.integers(20, 500), st.none() | st.floats(0, 0.01)),
        max_size=6,
    ),
    min_size=2,
    max_size=8,
).filter(lambda sessions: sum(map(bool, sessions)) >= 2)


@fast
@given(any_sessions, st.floats(1e-3, 1e3))
def test_another_unit_changes_only_the_value(sessions, factor):
    one, other = (calibrate([figures.slowed(s, f) for s in sessions], POLICY) for f in (1.0, factor))
    assert other.value == pytest.approx(one.value * factor)
    assert (other.run_sd, other.tau) == pytest.approx((one.run_sd, one.tau), rel=1e-6)
    assert replace(other, value=one.value, run_sd=one.run_sd, tau=one.tau) == one


@fast
@given(any_sessions, st.randoms(use_true_random=False))
def test_the_order_of_sessions_and_runs_does_not_matter_to_the_last_bit(sessions, random):
    shuffled = [random.sample(runs, len(runs)) for runs in random.sample(sessions, len(sessions))]
    assert calibrate(shuffled, POLICY) == calibrate(sessions, POLICY)


@fast
@given(any_sessions, st.sampled_from(["same_host", "same_part"]))
def test_no_variance_is_ever_zero(sessions, relation):
    found = calibrate(sessions, Policy(relation=relation))
    assert found.run_sd > 0.001
    assert found.tau > 0.004


# --- what the gate makes of calibrated values ---


def test_calibrated_values_take_the_place_of_the_priors_with_their_own_weight():
    sessions = drawn(4, 3, tau=0.03)
    known = Policy(tau=0.01, tau_df=20.0, run_sd=0.03)
    logs = [[math.log(run.value) for run in runs] for runs in sessions]
    ss = sum(np.var(runs) * len(runs) for runs in logs)
    run = run_variance(sessions, known)
    assert (run.value, run.df) == pytest.approx(((4 * 0.03**2 + ss) / 16, 16))
    hat = max(0.0, np.var([np.mean(runs) for runs in logs], ddof=1) - run.value / 5)
    session_part = session_variance(sessions, run, known)
    assert (session_part.value, session_part.df) == pytest.approx(((20 * 0.01**2 + 2 * hat) / 22, 22))
    plain = session_variance(sessions, run, replace(known, tau_df=None))
    assert (plain.value, plain.df) == pytest.approx(((4 * 0.01**2 + 2 * hat) / 6, 6))


def test_a_calibrated_run_sd_is_not_cut_by_runs_that_agree_by_luck():
    equal = [session(100.0, 100.0, 100.0, var_within=0.01)]
    assert run_variance(equal, Policy(run_sd=0.05)).value == pytest.approx(4 * 0.05**2 / 6)
    assert run_variance(equal, POLICY).value == pytest.approx(4 * 0.015**2 / 6)


def test_a_calibrated_run_sd_stands_in_for_what_runs_do_not_know():
    scattered = [session(100.0, 110.0, 90.0, 105.0, var_within=None)]
    assert run_variance(scattered, POLICY).df == 3
    assert run_variance(scattered, Policy(run_sd=0.05)).df == 7


def test_runs_of_today_overrule_a_calibration_of_a_quieter_day():
    noisy = drawn(5, 3, tau=0.0, run_sd=0.06)
    assert run_variance(noisy, Policy(run_sd=0.005)).value > 0.04**2


NO_CALIBRATION = [0.0, -0.02, NAN, INF, -INF, 1e-200, 1e200]


@pytest.mark.parametrize("value", NO_CALIBRATION)
@pytest.mark.parametrize("relation", ["same_host", "same_part", "paired"])
def test_a_calibrated_value_that_cannot_be_one_counts_as_none(value, relation):
    policy, run = Policy(relation=relation), Variance(value=1e-4, df=4)
    sessions = [session(*[100.0] * 3) for _ in range(2)]
    assert run_variance(sessions, replace(policy, run_sd=value)) == run_variance(sessions, policy)
    assert session_variance(sessions, run, replace(policy, tau=value, tau_df=20.0)) == session_variance(
        sessions, run, policy
    )
    spoilt = replace(policy, tau=value, tau_df=value, run_sd=value)
    assert judge(sessions, sessions, spoilt) == judge(sessions, sessions, policy)
    assert run_interval(sessions, spoilt) == run_interval(sessions, policy)


@pytest.mark.parametrize("tau_df", [0.0, 0.5, -3.0, NAN, INF])
def test_degrees_of_freedom_that_cannot_be_weigh_as_the_prior_would(tau_df):
    run, sessions = Variance(value=1e-4, df=4), drawn(6, 3, tau=0.01)
    known = session_variance(sessions, run, Policy(tau=0.02, tau_df=tau_df))
    assert known == session_variance(sessions, run, Policy(tau=0.02))


def test_a_metric_without_noise_is_not_calibrated_to_have_some_or_none():
    counts = [session(128.0, 128.0, var_within=None) for _ in range(3)]
    policy = Policy(deterministic=True)
    found = calibrate(counts, policy)
    assert (found.run_sd, found.tau) == (0.0, 0.0)
    assert judge(counts, counts, calibrated(policy, found)) == judge(counts, counts, policy)


@fast
@given(any_sessions, st.floats(1e-6, 0.5), st.floats(1.0, 1e6), st.floats(1e-6, 0.5))
def test_no_calibrated_value_makes_the_gate_certain(sessions, tau, tau_df, run_sd):
    decision = judge(
        sessions, sessions[:1] if sessions[0] else sessions, Policy(tau=tau, tau_df=tau_df, run_sd=run_sd)
    )
    assert decision.se > 0
    json.dumps(asdict(decision), allow_nan=False)


# --- playing the gate over the sessions themselves ---


def test_each_session_is_judged_against_those_before_it():
    sessions = drawn(7, 6, tau=0.005, n_runs=3)
    decisions = replay(sessions, POLICY, baseline_sessions=2)
    assert decisions == [judge(sessions[i - 2 : i], [sessions[i]], POLICY) for i in (2, 3, 4, 5)]


def test_the_first_slow_session_is_red_and_the_earliest_are_only_compared_with():
    sessions = [session(*[100.0 * at] * 5) for at in (1.0, 1.0, 1.0, 1.0, 1.3)]
    assert [d.verdict for d in replay(sessions, Policy(tau=0.004, tau_df=50.0))] == ["pass", "regressed"]


def test_looks_go_on_while_the_session_has_runs_for_them():
    calm = [session(*[100.0] * 5) for _ in range(3)]
    doubtful = session(99.0, 106.0, 106.0, 104.0, 103.0, 102.0, 106.0, 107.0)
    policy = Policy(tau=0.004, tau_df=50.0)
    for n_runs, look in ((2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (8, 2)):
        (decision,) = replay([*calm, doubtful[:n_runs]], policy)
        assert decision == judge(calm, [doubtful[: min(n_runs, policy.looks[look])]], policy, look)
        assert n_runs not in (3, 5) or decision.more_runs_help


def test_a_settled_session_is_not_looked_at_again():
    calm = [session(*[100.0] * 5) for _ in range(4)]
    late = [*calm[0][:3], *session(*[200.0] * 5)]
    (decision,) = replay([*calm[:3], late], Policy(tau=0.004, tau_df=50.0))
    assert decision.verdict == "pass"


def test_too_few_sessions_to_replay_give_no_decisions():
    assert replay(drawn(8, 3, tau=0.0), POLICY) == []
    assert len(replay(drawn(8, 3, tau=0.0), POLICY, baseline_sessions=2)) == 1


def test_a_baseline_of_no_sessions_is_refused():
    with pytest.raises(ConfigurationError, match="at least one session to compare with, got 0"):
        replay(drawn(8, 3, tau=0.0), POLICY, baseline_sessions=0)


# --- what it is worth ---


@pytest.fixture
def show(capsys):
    """Print although the output is captured: these figures are the point."""

    def say(found):
        with capsys.disabled():
            print(*(f"\n    {figure}" for figure in found), end="", sep="")

    return say


def test_tau_is_found_without_a_trend_away_from_the_truth():
    """Unmoderated by much: with 200 sessions the prior weighs 2 %."""
    found = calibrate(drawn(9, 200, tau=0.03), POLICY)
    low, high = (0.03**2 * stats.chi2.ppf(p, 199) / 199 for p in (0.0005, 0.9995))
    assert low * 0.97 < found.tau**2 < high * 1.03
    assert found.run_sd == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(("stored", "slower"), [(1, 1.1), (3, 1.08)])
def test_where_sessions_are_alike_more_is_found_at_the_same_level(show, stored, slower):
    found = figures.worth(500, tau=0.003, stored=stored, slower=slower)
    show(found)
    _, found_by_prior, alarms, found_calibrated = found
    assert alarms.holds_up_to_chance()
    assert found_calibrated.count > found_by_prior.count


@pytest.mark.parametrize("stored", [1, 3])
def test_where_sessions_differ_more_than_the_prior_says_false_alarms_stay_rare(show, stored):
    found = figures.worth(750, tau=0.04, stored=stored)
    show(found)
    alarms_by_prior, _, alarms, _ = found
    assert alarms.holds_up_to_chance()
    assert not alarms_by_prior.holds_up_to_chance()


@pytest.mark.parametrize("tau", [0.01, 0.03])
def test_what_is_read_after_calibrating_comes_true(show, tau):
    found = figures.found_after_calibrating(750, tau=tau)
    show(found)
    assert not [str(figure) for figure in found if not figure.holds_up_to_chance()]
