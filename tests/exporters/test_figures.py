"""Numbers for people."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aiperf.exporters.figures import number, percent, with_half


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (412, "412"),
        (412.4, "412"),
        (9.31, "9.31"),
        (9.3, "9.3"),
        (0.046, "0.046"),
        (0.04567, "0.0457"),
        (0, "0"),
        (12345.6, "12346"),
        (99.96, "100"),
        (9.996, "10"),
        (0.09996, "0.1"),
        (999.6, "1000"),
        (-9.31, "-9.31"),
        (1e-09, "1.00e-09"),
        (1e300, "1.00e+300"),
        (None, "-"),
        (math.nan, "-"),
        (math.inf, "-"),
        (100, "100"),
    ],
)
def test_a_number_has_three_significant_digits(value, shown):
    assert number(value) == shown


@settings(deadline=None)
@given(st.floats(-1e300, 1e300))
def test_a_shown_number_is_near_the_true_one_and_short(value):
    shown = number(value)
    assert float(shown) == pytest.approx(value, rel=0.006, abs=1e-320)
    assert len(shown) <= 14


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0.37, "+37 %"),
        (-0.004, "-0.4 %"),
        (0.05, "+5 %"),
        (0.0375, "+3.8 %"),
        (0.0949, "+9.5 %"),
        (0.096, "+10 %"),
        (0, "0 %"),
        (0.0001, "0 %"),
        (-0.0001, "0 %"),
        (7.5, "+750 %"),
        (None, "-"),
        (math.nan, "-"),
        (-1, "-100 %"),
    ],
)
def test_a_change_is_a_percentage_with_a_sign(fraction, shown):
    assert percent(fraction) == shown


def test_a_share_has_no_sign():
    assert percent(0.06, sign=False) == "6 %"
    assert percent(0, sign=False) == "0 %"


def test_a_change_without_bounds_stays_short():
    assert len(percent(1e300)) <= 14


@pytest.mark.parametrize(
    ("value", "half", "shown"),
    [
        (300.2, 10.1, "300 ms ± 10"),
        (9.31, 0.11, "9.3 ms ± 0.1"),
        (9.31, 0.012, "9.31 ms ± 0.01"),
        (412.4, 3.2, "412 ms ± 3"),
        (300.2, None, "300 ms"),
        (300.2, 0, "300 ms"),
        (None, None, "-"),
    ],
)
def test_a_value_has_as_many_decimals_as_its_half_width(value, half, shown):
    assert with_half(value, half, "ms") == shown
