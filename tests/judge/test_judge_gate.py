"""The gate: against an obvious implementation, and in its special cases."""

from __future__ import annotations

import math
import timeit
from dataclasses import replace

import numpy as np
import pytest
from obvious_gate import obvious_gate

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.judge import Policy, RunStat, judge

PAIRED = Policy(relation="paired")


def session(*values, n_ok=200, var_within=1e-4):
    return [RunStat(value, n_ok, var_within) for value in values]


STEADY = [session(100.0, 101.0, 99.0, 100.5, 99.5)]


def random_sides(rng):
    """A baseline and a candidate, sessions of different lengths, anything from equal to 30 % worse."""

    def side(n_sessions, slower):
        return [
            [
                RunStat(float(v), 200, float(rng.uniform(0, 0.002)))
                for v in 50 * slower * np.exp(rng.normal(0, 0.02) + rng.normal(0, 0.02, rng.integers(1, 7)))
            ]
            for _ in range(n_sessions)
        ]

    return side(rng.integers(1, 6), 1.0), side(rng.integers(1, 3), rng.choice([0.8, 1.0, 1.05, 1.1, 1.3]))


@pytest.mark.parametrize("direction", ["lower", "higher"])
@pytest.mark.parametrize("relation", ["paired", "same_host", "same_part"])
@pytest.mark.parametrize("strict", [False, True])
def test_the_gate_agrees_with_the_obvious_one(direction, relation, strict):
    rng = np.random.default_rng(1)
    verdicts = set()
    for i in range(150):
        baseline, candidate = random_sides(rng)
        tau = float(rng.uniform(0, 0.03)) if i % 3 == 0 else None
        floor = float(rng.uniform(0, 8)) if i % 4 == 0 else 0.0
        policy = Policy(direction=direction, relation=relation, strict=strict, tau=tau, floor=floor)
        look, share = i % 3, 1 / (1 + i % 4)
        verdict, d, se, df, mde = obvious_gate(baseline, candidate, policy, look, share)
        ours = judge(baseline, candidate, policy, look, alpha_share=share)
        change = math.expm1(d if direction == "lower" else -d)
        assert ours.verdict == verdict
        assert (ours.change, ours.se, ours.df, ours.mde) == pytest.approx(
            (change, se, df, mde), rel=1e-9, abs=1e-12
        )
        verdicts.add(verdict)
    assert verdicts == {"pass", "regressed", "inconclusive"}


def test_only_an_inconclusive_comparison_asks_for_more_runs():
    assert judge(STEADY, [session(104.9, 105.2, 104.6)], PAIRED).more_runs_help
    assert not judge(STEADY, [session(math.nan)], PAIRED).more_runs_help
    assert not judge(STEADY, [session(100.0, 101.0, 99.0)], PAIRED).more_runs_help


@pytest.mark.parametrize(
    ("direction", "before", "now", "verdict", "improved"),
    [
        ("lower", 0.0, 3.0, "regressed", False),
        ("lower", 3.0, 0.0, "pass", True),
        ("higher", 3.0, 0.0, "regressed", False),
        ("higher", 0.0, 3.0, "pass", True),
    ],
)
def test_zero_on_one_side_of_a_metric_without_noise_is_decided(direction, before, now, verdict, improved):
    policy = Policy(direction=direction, deterministic=True, floor=1.0)
    decision = judge([session(before, before)], [session(now)], policy)
    assert (decision.verdict, decision.improved) == (verdict, improved)


def test_zero_on_one_side_within_the_floor_passes():
    assert judge([session(0.0)], [session(0.9)], replace(PAIRED, floor=1.0)).verdict == "pass"
    assert judge([session(0.0)], [session(1.1)], replace(PAIRED, floor=1.0)).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("value", "verdict"), [(512.0, "pass"), (520.0, "pass"), (540.0, "regressed"), (400.0, "pass")]
)
def test_a_metric_without_noise_has_no_priors(value, verdict):
    decision = judge([session(512.0, 512.0)], [session(value, value)], Policy(deterministic=True))
    assert decision.verdict == verdict
    assert (decision.se, decision.df) == (0.0, None)
    assert decision.ci95 == (decision.change, decision.change)
    assert decision.improved == (value == 400.0)


def test_a_metric_declared_without_noise_that_has_some_is_not_taken_at_its_word():
    decision = judge([session(500.0, 620.0)], [session(540.0, 680.0)], Policy(deterministic=True))
    assert decision.verdict == "inconclusive"
    assert decision.df == 2.0


def test_sampling_noise_that_no_run_knows_is_not_taken_for_known():
    noisy = [session(100.0, 108.0, 93.0, var_within=None)], [session(112.0, 120.0, 104.0, var_within=None)]
    decision = judge(*noisy, PAIRED)
    logs = [np.log([run.value for run in side[0]]) for side in noisy]
    pooled = sum(((y - y.mean()) ** 2).sum() for y in logs) / 4
    assert (decision.se, decision.df) == pytest.approx((math.sqrt(pooled * 2 / 3), 4.0))
    calm = [session(100.0, 100.5, 99.8, var_within=None)], [session(112.0, 112.4, 111.8, var_within=None)]
    assert judge(*calm, PAIRED).df == pytest.approx(8.0)


def test_scatter_between_baseline_sessions_widens_the_interval():
    far_apart = [session(90.0, 91.0), session(100.0, 101.0), session(110.0, 111.0)]
    close = [session(100.0, 101.0), session(100.0, 101.0), session(100.0, 101.0)]
    candidate = [session(107.0, 107.5, 106.5)]
    assert judge(far_apart, candidate, Policy()).verdict == "inconclusive"
    assert judge(far_apart, candidate, Policy()).se > 2 * judge(close, candidate, Policy()).se


def test_the_nearer_the_relation_the_more_is_proved():
    candidate = [session(111.0, 112.0, 110.0)]
    relations = ("paired", "same_host", "same_part")
    mdes = [judge(STEADY, candidate, Policy(relation=relation)).mde for relation in relations]
    assert mdes == sorted(mdes)
    assert judge(STEADY, candidate, Policy(relation="paired")).verdict == "regressed"
    assert judge(STEADY, candidate, Policy(relation="same_part")).verdict == "inconclusive"


def test_a_calibrated_tau_replaces_the_prior():
    candidate = [session(111.0, 112.0, 110.0)]
    calm, wild = Policy(relation="same_part", tau=0.002), Policy(relation="same_host", tau=0.08)
    assert judge(STEADY, candidate, calm).verdict == "regressed"
    assert judge(STEADY, candidate, wild).verdict == "inconclusive"


def test_strict_wants_the_whole_interval_beyond_the_tolerance():
    candidate = [session(107.0, 108.0, 106.0)]
    assert judge(STEADY, candidate, PAIRED).verdict == "regressed"
    strict = judge(STEADY, candidate, replace(PAIRED, strict=True))
    assert strict.verdict == "inconclusive"
    assert "beyond the tolerance of 5 % but not beyond noise" in strict.reason
    assert strict.mde > judge(STEADY, candidate, PAIRED).mde


def test_the_larger_of_tolerance_and_floor_counts():
    candidate = [session(112.0, 113.0, 111.0)]
    assert judge(STEADY, candidate, PAIRED).verdict == "regressed"
    assert judge(STEADY, candidate, replace(PAIRED, floor=20.0)).verdict == "pass"
    assert judge(STEADY, candidate, replace(PAIRED, floor=2.0)).verdict == "regressed"


def test_throughput_is_worse_when_it_falls_and_change_is_its_own():
    throughput = replace(PAIRED, direction="higher")
    fallen = judge(STEADY, [session(84.0, 84.5, 83.5)], throughput)
    risen = judge(STEADY, [session(120.0, 121.0, 119.0)], throughput)
    assert (fallen.verdict, risen.verdict) == ("regressed", "pass")
    assert fallen.change == pytest.approx(-0.16, abs=0.001)
    assert fallen.reason.startswith("16 % lower than the baseline")
    assert fallen.ci95[0] < fallen.change < fallen.ci95[1] < 0
    assert risen.improved
    assert "better by more than the tolerance" in risen.reason


def test_improved_needs_the_tolerance_and_the_noise():
    assert judge(STEADY, [session(80.0, 81.0, 79.0)], PAIRED).improved
    assert not judge(STEADY, [session(97.0, 98.0, 96.0)], PAIRED).improved
    far_from_sure = judge(STEADY, [session(84.0, 94.0, 104.0)], PAIRED)
    assert far_from_sure.verdict == "pass"
    assert far_from_sure.change < -0.05
    assert not far_from_sure.improved


def test_a_smaller_share_of_alpha_needs_more_evidence():
    candidate = [session(105.5, 110.0, 107.5)]
    assert judge(STEADY, candidate, PAIRED).verdict == "regressed"
    assert judge(STEADY, candidate, PAIRED, alpha_share=0.001).verdict == "inconclusive"


@pytest.mark.parametrize("look", [-1, 3])
def test_a_look_that_was_not_planned_is_refused(look):
    with pytest.raises(ConfigurationError, match=f"look {look} of a policy with 3 looks; use 0 to 2"):
        judge(STEADY, STEADY, PAIRED, look)


def test_a_policy_with_an_alpha_missing_is_refused():
    with pytest.raises(ConfigurationError, match="3 looks, 1 alpha_fail, 3 alpha_pass"):
        judge(STEADY, STEADY, Policy(alpha_fail=(0.01,)))


def test_the_order_of_runs_does_not_matter_to_the_last_bit():
    rng = np.random.default_rng(3)
    for _ in range(50):
        baseline, candidate = random_sides(rng)
        backwards = [runs[::-1] for runs in baseline[::-1]]
        assert judge(backwards, candidate, Policy()) == judge(baseline, candidate, Policy())


def test_cost_of_one_judged_metric_is_printed(capsys):
    baseline, candidate = (
        [session(*[100.0 + i for i in range(8)])] * 10,
        [session(*[101.0 + i for i in range(8)])],
    )
    seconds = min(timeit.repeat(lambda: judge(baseline, candidate, Policy()), number=20, repeat=3)) / 20
    with capsys.disabled():
        print(f"\none judged metric, 10 sessions of 8 runs: {1000 * seconds:.2f} ms (goal 10 ms)")
    assert judge(baseline, candidate, Policy()).se is not None


def test_sessions_are_not_supposed_to_be_more_alike_than_their_runs_let_expect():
    """A machine with two speeds: three stored sessions agree on average, and today is a slow quarter of an hour."""
    mixed = [[RunStat(v, 200, 1e-4) for v in (45.0, 55.0, 46.0, 54.0, 45.0)] for _ in range(3)]
    slow = [RunStat(v, 200, 1e-4) for v in (57.0, 58.0, 57.0, 59.0, 58.0, 57.0)]
    quiet = [[RunStat(v, 200, 1e-4) for v in (49.0, 49.5, 48.5, 49.0, 49.2)] for _ in range(3)]
    assert judge(mixed, [slow], Policy(), 1).verdict == "inconclusive"
    assert judge(quiet, [slow], Policy(), 1).verdict == "regressed"
