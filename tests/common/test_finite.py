"""What counts as a finite number, and what becomes of the rest (systems.md I1 to I4)."""

from __future__ import annotations

import json
import math
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Mapping
from statistics import mean, stdev
from types import MappingProxyType
from typing import Annotated

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from pytest_aiperf.common.finite import (
    FiniteFloat,
    is_finite_value,
    nan_safe_mean,
    nan_safe_std,
    scrub_non_finite,
)

NAN, INF = math.nan, math.inf
NOT_FINITE = (NAN, INF, -INF)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        10**400,
        0.0,
        -0.0,
        5e-324,
        1.7e308,
        np.float64(1.5),
        np.float32(2.5),
        np.float16(0),
        np.int8(-1),
        np.uint64(2**64 - 1),
        np.int64(0),
    ],
)
def test_finite_ints_floats_and_numpy_numbers_are_finite_values(value):
    """I1."""
    assert is_finite_value(value) is True


@pytest.mark.parametrize(
    "value",
    [
        *NOT_FINITE,
        np.float64(NAN),
        np.float32(INF),
        np.float16(-INF),
        None,
        True,
        False,
        np.bool_(True),
        np.bool_(False),
        "1",
        b"1",
        1j,
        np.complex128(1),
        [],
        [1],
        (1,),
        {},
        {1},
        np.array([1.0]),
        np.array([]),
        object(),
        np.datetime64(1, "s"),
    ],
)
def test_nothing_else_is_a_finite_value(value):
    """I1."""
    assert is_finite_value(value) is False


class Reading(BaseModel):
    value: FiniteFloat
    share: Annotated[FiniteFloat, Field(ge=0, le=1)] = 0.0


@pytest.mark.parametrize(("given_", "shown"), [(NAN, "nan"), (INF, "inf"), (-INF, "-inf")])
def test_a_finite_float_refuses_what_python_json_and_yaml_call_a_number(given_, shown):
    """I2."""
    in_json = {"nan": "NaN", "inf": "1e999", "-inf": "-1e999"}[shown]
    in_yaml = {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[shown]
    message = f"must be finite, got {shown}"
    with pytest.raises(ValidationError, match=message):
        Reading(value=given_)
    with pytest.raises(ValidationError, match=message):
        Reading.model_validate_json('{"value": %s}' % in_json)  # noqa: UP031 (braces)
    with pytest.raises(ValidationError, match=message):
        Reading.model_validate(yaml.safe_load(f"value: {in_yaml}"))
    with pytest.raises(ValidationError, match=message):
        Reading(value=str(given_))


@pytest.mark.parametrize("given_", NOT_FINITE)
def test_a_bounded_field_says_that_it_must_be_finite_before_it_speaks_of_its_bounds(given_):
    with pytest.raises(ValidationError, match="must be finite"):
        Reading(value=0, share=given_)


def test_a_finite_float_takes_an_integer_and_leaves_its_bounds_in_force():
    assert Reading(value=3).value == 3.0
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Reading(value=0, share=2)
    with pytest.raises(ValidationError, match="valid number"):
        Reading(value="a lot")


def test_a_finite_float_refuses_an_integer_that_no_float_can_hold():
    with pytest.raises(ValidationError, match="must be finite"):
        Reading(value=10**400)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.floats(width=32).map(np.float32)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
)


@settings(deadline=None)
@given(TREES)
def test_scrubbing_leaves_no_non_finite_number_and_changes_nothing_else(tree):
    """I3."""
    before = repr(tree)
    scrubbed = scrub_non_finite(tree)
    assert repr(tree) == before
    assert _same_but_for_none(tree, scrubbed)


def _same_but_for_none(old, new):
    if isinstance(old, Mapping):
        return list(old) == list(new) and all(_same_but_for_none(old[key], new[key]) for key in old)
    if isinstance(old, (list, tuple)):
        return type(old) is type(new) and all(map(_same_but_for_none, old, new)) and len(old) == len(new)
    if isinstance(old, (float, np.floating)) and not math.isfinite(old):
        return new is None
    return type(old) is type(new) and old == new


def test_scrubbing_keeps_ints_ints_and_bools_bools():
    """I3."""
    values = [1, True, np.int32(1), np.bool_(True), np.float32(1.0)]
    assert [type(v) for v in scrub_non_finite(values)] == [type(v) for v in values]


def test_scrubbing_keeps_the_types_of_containers():
    """I3."""
    point = namedtuple("point", "x y")
    counts = defaultdict(list, {"a": NAN})
    assert scrub_non_finite(point(1, NAN)) == point(1, None)
    assert type(scrub_non_finite(OrderedDict(a=NAN))) is OrderedDict
    scrubbed = scrub_non_finite(counts)
    assert type(scrubbed) is defaultdict
    assert scrubbed["missing"] == []
    assert scrubbed["a"] is None
    assert math.isnan(counts["a"])
    assert scrub_non_finite(frozenset({NAN, 1})) == frozenset({None, 1})
    assert scrub_non_finite(MappingProxyType({"a": INF})) == {"a": None}


def test_scrubbing_reaches_into_numpy_arrays():
    """I3."""
    matrix = np.array([[1.0, NAN], [INF, 2.0]])
    assert scrub_non_finite({"m": matrix}) == {"m": [[1.0, None], [None, 2.0]]}
    assert np.isnan(matrix[0, 1])
    assert scrub_non_finite(np.array(NAN)) is None
    assert scrub_non_finite(np.array([1, NAN, None], dtype=object)) == [1, None, None]
    whole = np.array([1, 2])
    assert scrub_non_finite(whole) is whole


def test_what_was_scrubbed_is_strict_json():
    """I5."""
    document = {"a": [NAN, 1.5, {"b": INF}], "c": np.array([NAN, 1.0])}
    text = json.dumps(scrub_non_finite(document), allow_nan=False)
    assert json.loads(text) == {"a": [None, 1.5, {"b": None}], "c": [None, 1.0]}


@settings(deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=20))
def test_a_mean_of_finite_values_is_finite_and_lies_among_them(values):
    found = nan_safe_mean(values)
    assert found is not None
    assert min(values) <= found <= max(values)


@settings(deadline=None)
@given(st.lists(FINITE, max_size=20))
def test_a_deviation_of_finite_values_is_finite_or_none(values):
    found = nan_safe_std(values)
    assert found is None or (math.isfinite(found) and found >= 0)


MODERATE = st.floats(min_value=-1e6, max_value=1e6)


@settings(deadline=None)
@given(st.lists(MODERATE, min_size=2, max_size=20))
def test_mean_and_deviation_are_those_of_the_standard_library(values):
    assert nan_safe_mean(values) == pytest.approx(mean(values), rel=1e-12, abs=1e-9)
    assert nan_safe_std(values) == pytest.approx(stdev(values), rel=1e-9, abs=1e-6)


def test_values_that_are_not_finite_are_left_out_of_mean_and_deviation():
    values = [NAN, 2.0, None, INF, 4.0, True, "5"]
    assert nan_safe_mean(values) == 3.0
    assert nan_safe_std(values, ddof=0) == 1.0


def test_what_is_undefined_is_none():
    """I4."""
    assert nan_safe_mean([]) is None
    assert nan_safe_mean([NAN, None]) is None
    assert nan_safe_std([1.0]) is None
    assert nan_safe_std([1.0], ddof=0) == 0.0
    assert nan_safe_mean([10**400]) is None
    assert nan_safe_std([10**400, 1]) is None


def test_a_mean_near_the_largest_float_does_not_overflow():
    """I4."""
    assert nan_safe_mean([1.7e308, 1.7e308]) == 1.7e308
    assert nan_safe_mean([5.1] * 53) == 5.1
