"""The limits of validity checks by name."""

from __future__ import annotations

import pytest
from hand_made import batch_of, closed_loop, config_of, run_of

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.measure.validity import SPOILT_FROM_OUTSIDE, Limits, check_run
from pytest_aiperf.measure.validity.limits import USUAL


def with_limits(**limits):
    return config_of(load={"concurrency": 2}, verdict={"validity": limits})


def answer(name, config, **loop):
    made = closed_loop(200, **loop)
    return next(c for c in check_run(run_of(batch_of(**made)), config) if c.check == name)


def test_a_given_limit_replaces_the_usual_one_whole():
    assert answer("turnaround_p99_ms", with_limits(), idle_ms=1.5).limit == pytest.approx(
        2.0
    )  # 2 % of 100 ms
    tight = answer("turnaround_p99_ms", with_limits(turnaround_p99_ms=1.2), idle_ms=1.5)
    assert (tight.limit, tight.ok) == (1.2, False)
    assert answer("littles_law", with_limits(littles_law=0.5), idle_ms=60.0).ok


def test_a_limit_of_zero_is_a_limit():
    assert not answer("littles_law", with_limits(littles_law=0), idle_ms=0.1).ok


def test_an_unknown_check_is_told_with_the_nearest_name():
    with pytest.raises(
        ConfigurationError, match=r"no check named 'eror_share' \(did you mean 'error_share'\?\)"
    ):
        Limits(with_limits(eror_share=0.1))


@pytest.mark.parametrize("limit", [-0.1, -1])
def test_a_limit_below_zero_is_refused(limit):
    with pytest.raises(ConfigurationError, match="error_share must be finite and at least 0, got -"):
        Limits(with_limits(error_share=limit))


@pytest.mark.parametrize("limit", [float("nan"), float("inf")])
def test_a_limit_that_is_no_number_is_refused(limit):
    """By the configuration, before anything else."""
    with pytest.raises(ValueError, match="finite"):
        with_limits(error_share=limit)


def test_every_check_has_a_limit_that_can_be_given():
    made = check_run(run_of(batch_of(**closed_loop(200))), with_limits())
    assert {c.check for c in made} | SPOILT_FROM_OUTSIDE <= USUAL.keys()
