"""When a measurement is looked at, and how the risk of a wrong verdict is divided over the looks."""

from __future__ import annotations

import math

import pytest
from scripted_load import Server

from pytest_aiperf.baseline.schema import Variance
from pytest_aiperf.config.aiperf_config import VerdictConfig
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.converter import to_aiperf_config
from pytest_aiperf.judge.samples import Policy
from pytest_aiperf.measure.judged import judged_metrics, policy_of
from pytest_aiperf.measure.terms import Terms, looks_of, terms_of


def test_the_usual_terms_are_those_of_the_policy():
    assert terms_of(VerdictConfig()) == Terms()
    assert (Terms().looks, Terms().alpha_fail) == (Policy().looks, Policy().alpha_fail)


@pytest.mark.parametrize(
    ("runs", "looks"), [(3, (3,)), (4, (3, 4)), (5, (3, 4, 5)), (8, (3, 5, 8)), (20, (3, 11, 20))]
)
def test_looks_are_after_three_half_and_all(runs, looks):
    assert looks_of(runs) == looks


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.05])
@pytest.mark.parametrize("runs", [3, 4, 5, 8, 50])
def test_the_looks_together_spend_what_was_given(runs, alpha):
    terms = terms_of(VerdictConfig(runs=runs, alpha=alpha))
    assert len(terms.looks) == len(terms.alpha_fail) == len(terms.alpha_pass)
    assert math.fsum(terms.alpha_fail) == pytest.approx(alpha, abs=1e-12)
    assert math.fsum(terms.alpha_pass) == pytest.approx(0.05, abs=1e-12)
    assert min(terms.alpha_fail) > 0


def test_fewer_runs_end_a_measurement_earlier(bench):
    bench.record()
    measurement = bench.measure(Server(), tolerance={"ttft.p50": "5%"}, num_profile_runs=4)
    assert [len(session) for session in measurement.sessions] == [4]
    assert bench.record(num_profile_runs=3).runs.__len__() == 3


def test_a_smaller_alpha_takes_more_to_be_red(bench):
    bench.record()
    slower = Server().slower(1.29)

    def verdict(alpha):
        measurement = bench.measure(slower, alpha=alpha, num_profile_runs=3)
        return next(
            c.verdict for c in measurement.judgement.comparisons if c.metric == "time_to_first_token.p50"
        )

    assert verdict(0.05) == "regressed"
    assert verdict(1e-9) != "regressed"


def test_a_recording_has_as_many_runs_as_the_second_look():
    assert [terms_of(VerdictConfig(runs=runs)).recorded_runs for runs in (3, 4, 8, 20)] == [3, 4, 5, 11]


@pytest.mark.parametrize(("relation", "tau"), [("same_host", 0.03), ("same_part", None)])
def test_how_much_sessions_differ_was_calibrated_on_one_host_and_holds_for_no_other(relation, tau):
    (metric, *_) = judged_metrics(to_aiperf_config(CLIConfig(), url="http://127.0.0.1:9"))
    calibrated = Variance(run_sd=0.02, tau=0.03, df=20)
    policy = policy_of(metric, Terms(), relation=relation, calibrated=calibrated)
    assert (policy.tau, policy.tau_df, policy.run_sd) == (tau, tau and 20, 0.02)
