"""When a measurement is looked at, and how the risk of a wrong verdict is divided over the looks."""

from __future__ import annotations

import math

import pytest
from scripted_load import Server

from pytest_aiperf.config.aiperf_config import VerdictConfig
from pytest_aiperf.judge.samples import Policy
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
