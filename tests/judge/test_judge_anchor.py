"""The comparison with the pinned session: how noise is told from a creep, what it may decide, and how often it errs.

The figures are small versions of those in ``creep_figures.py``, held to their goals with the slack of chance.
"""

from __future__ import annotations

import math

import creep_figures as figures
import numpy as np
import pytest

from pytest_aiperf.judge import Decision, MetricSamples, Policy, RunStat, judge, judge_metrics
from pytest_aiperf.judge.anchor import amount_to, anchored, since, successive_variance, with_anchor
from pytest_aiperf.judge.variance import Variance, session_variance

POLICY = Policy()
NO_RUN_NOISE = Variance(value=0.0, df=math.inf)
METRIC, SECOND = "latency", anchored("latency")


@pytest.fixture
def show(capsys):
    def say(text):
        with capsys.disabled():
            print(f"\n    {text}", end="")

    return say


def session(value, n_runs=5, *, spread=0.005):
    """Runs about a value, evenly spread."""
    return [RunStat(value * math.exp(spread * (run - (n_runs - 1) / 2)), 200, 1e-4) for run in range(n_runs)]


def sessions(values):
    return [session(value) for value in values]


def creep(steps, n):
    return sessions([100 * (1 + steps) ** i for i in range(n)])


def beside_anchor(baseline, candidate, **policy):
    samples = {METRIC: MetricSamples(baseline=baseline, candidate=candidate, policy=Policy(**policy))}
    return with_anchor(samples)


def check(show, found):
    for figure in found:
        show(figure)
    assert not [str(figure) for figure in found if not figure.holds_up_to_chance()]


def test_a_stable_history_is_not_called_a_creep(show):
    check(show, figures.stable_history(1000))


@pytest.mark.parametrize(("metrics", "n"), [(1, 1000), (3, 500)])
def test_a_creep_of_one_percent_a_session_is_called(show, metrics, n):
    check(show, figures.creep_called(n, metrics=metrics))


def test_the_anchor_costs_little_of_the_power_to_find_ten_percent(show):
    without, beside = figures.slower_at_once(1000, slower=1.1)
    check(show, [without, beside])
    assert without.count - beside.count <= 0.03 * without.n


def test_successive_differences_estimate_the_variance_of_stable_sessions_with_the_stated_freedom():
    rng = np.random.default_rng(5)
    for n in (2, 3, 6):
        histories = np.exp(rng.normal(0.0, 0.02, (3000, n))).tolist()
        found = [successive_variance([[RunStat(v, 200)] for v in h], NO_RUN_NOISE) for h in histories]
        values = np.array([one.value for one in found])
        assert values.mean() == pytest.approx(0.02**2, rel=0.08)
        assert 2 * values.mean() ** 2 / values.var() == pytest.approx(found[0].df, rel=0.15)


def test_what_the_runs_explain_is_not_counted_as_scatter_of_sessions():
    history = sessions([100, 101, 100, 101])
    seen = successive_variance(history, NO_RUN_NOISE).value
    assert seen == pytest.approx(math.log(1.01) ** 2 / 2)
    assert successive_variance(history, Variance(value=1e-4, df=9)).value == pytest.approx(seen - 1e-4 / 5)
    assert successive_variance(history, Variance(value=1.0, df=9)).value == 0.0


def test_a_creep_does_not_pass_for_scatter_of_sessions():
    history = creep(0.01, 10)
    crept = successive_variance(history, NO_RUN_NOISE).value
    assert crept == pytest.approx(math.log(1.01) ** 2 / 2)
    assert session_variance(history, NO_RUN_NOISE, POLICY).value > 6 * crept


def test_the_distance_of_the_anchor_from_the_sessions_kept_does_not_count_as_scatter():
    near, far = (sessions([anchor, 120, 121, 122, 123]) for anchor in (119, 100))
    tau_near, tau_far = (beside_anchor(history, [session(124)])[SECOND].policy.tau for history in (near, far))
    assert tau_near == pytest.approx(tau_far)


def test_sessions_that_scatter_widen_the_comparison_and_those_that_agree_narrow_it():
    calm, wild = (
        beside_anchor(sessions(values), [session(100)])[SECOND].policy
        for values in ([100] * 6, [100, 90, 110, 90, 110, 90])
    )
    prior = session_variance([session(100)], NO_RUN_NOISE, POLICY)
    assert calm.tau < math.sqrt(prior.value) < 0.05 < wild.tau
    assert calm.tau_df == wild.tau_df == pytest.approx(4 + 32 / 11)


def test_a_calibrated_scatter_takes_the_place_of_the_prior():
    calibrated = beside_anchor(creep(0.0, 4), [session(100)], tau=0.03, tau_df=40.0)[SECOND].policy
    assert calibrated.tau == pytest.approx(0.03, rel=0.05)
    assert calibrated.tau_df > 40


def test_the_anchor_is_the_first_session_alone_and_everything_else_stays():
    history = sessions([100, 101, 102])
    pair = beside_anchor(history, [session(103)], tolerance=0.07, direction="higher")
    assert pair[SECOND].baseline == history[:1]
    assert pair[METRIC].baseline == history
    assert pair[SECOND].candidate == pair[METRIC].candidate
    assert (pair[SECOND].policy.tolerance, pair[SECOND].policy.direction) == (0.07, "higher")


@pytest.mark.parametrize(
    ("baseline", "relation"),
    [(sessions([100]), "same_host"), ([], "same_host"), (sessions([100, 101]), "paired")],
    ids=["one session", "none", "paired"],
)
def test_there_is_no_second_comparison_where_there_is_nothing_but_the_anchor(baseline, relation):
    assert set(beside_anchor(baseline, [session(100)], relation=relation)) == {METRIC}


def test_two_sessions_leave_the_prior_as_it_is():
    assert beside_anchor(sessions([100, 101]), [session(100)])[SECOND].policy == POLICY


def test_sessions_without_usable_runs_are_no_end_of_the_comparison():
    history = [session(100), [RunStat(None, 0)] * 5, session(101), session(102), [RunStat(0.0, 200)] * 5]
    decisions = judge_metrics(beside_anchor(history, [session(130)]))
    assert decisions[SECOND].verdict == "regressed"
    gone = [[RunStat(None, 0)] * 5, *sessions([100, 100, 100])]
    assert judge_metrics(beside_anchor(gone, [session(130)]))[SECOND].verdict == "inconclusive"


def counts(*values):
    """Sessions of token counts: the same in every run."""
    return [[RunStat(value, 200)] * 3 for value in values]


@pytest.mark.parametrize(
    ("history", "now", "verdict"),
    [
        (tuple(range(100, 110)), 110, "regressed"),
        ((100, 100, 100, 100), 106, "regressed"),
        ((100, 100, 100, 100), 104, "pass"),
        ((100, 106, 100, 106, 100), 106, "inconclusive"),
    ],
)
def test_a_metric_without_noise_is_known_by_its_own_sessions_alone(history, now, verdict):
    """A count that goes to and fro is no creep."""
    samples = beside_anchor(counts(*history), counts(now), deterministic=True)
    assert judge_metrics(samples)[SECOND].verdict == verdict


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_only_a_creep_for_the_worse_is_red(direction):
    upwards = judge_metrics(beside_anchor(creep(0.01, 10), creep(0.01, 11)[10:], direction=direction))
    assert (upwards[SECOND].verdict == "regressed") == (direction == "lower")
    assert upwards[SECOND].improved == (direction == "higher")


def test_both_comparisons_share_the_budget_of_one_test():
    """With nothing to reject, each has half of what a single hypothesis would have."""
    samples = beside_anchor(sessions([100, 101, 100]), [session(100)])
    together = judge_metrics(samples)
    for name, one in samples.items():
        halved = judge(one.baseline, one.candidate, one.policy, alpha_share=0.5)
        assert together[name] == halved


def decided(verdict, **known):
    return Decision(verdict=verdict, reason=verdict, **known)


@pytest.mark.parametrize(
    ("plain", "anchor", "verdict", "about"),
    [
        ("pass", "pass", "pass", METRIC),
        ("pass", "inconclusive", "pass", METRIC),
        ("pass", "regressed", "regressed", SECOND),
        ("inconclusive", "pass", "inconclusive", METRIC),
        ("inconclusive", "regressed", "regressed", SECOND),
        ("regressed", "pass", "regressed", METRIC),
        ("regressed", "regressed", "regressed", METRIC),
    ],
)
def test_an_anchor_turns_a_verdict_red_and_does_nothing_else(plain, anchor, verdict, about):
    decisions = {METRIC: decided(plain), "errors": decided("pass"), SECOND: decided(anchor)}
    told = amount_to(decisions)
    assert list(told) == [METRIC, "errors"]
    assert told[METRIC].verdict == verdict
    assert told[METRIC] is decisions[about]


def test_an_anchors_reason_names_its_day():
    found = judge_metrics(beside_anchor(creep(0.01, 10), creep(0.01, 11)[10:]))[SECOND]
    assert "than the baseline" in found.reason
    crept = since(found, "2026-11-02", in_small_steps=True).reason
    assert crept.startswith("+10.5 % since the anchor of 2026-11-02, in small steps (95 % interval +")
    assert crept.endswith("worse by more than the tolerance of 5 % and by more than noise")
    assert "steps" not in since(found, "2026-11-02", in_small_steps=False).reason


def test_a_decision_without_a_change_names_the_day_too():
    nothing = decided("inconclusive")
    assert since(nothing, "2026-11-02", in_small_steps=False).reason == (
        "since the anchor of 2026-11-02: inconclusive"
    )


def test_an_unchanged_value_is_worded():
    found = judge_metrics(beside_anchor(sessions([100] * 4), [session(100)]))[SECOND]
    worded = since(found, "2026-11-02", in_small_steps=False).reason
    assert worded.startswith("+0.0 % since the anchor of 2026-11-02 (95 % interval")
