"""A figure that was edited by hand does not agree with the histogram of the values that it was taken from."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stored import N_ERR, baseline, run, session, ttft_of

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.consistency import contradictions, run_contradictions
from pytest_aiperf.baseline.schema import SMALLEST
from pytest_aiperf.common.errors import BaselineError
from pytest_aiperf.judge import histogram

PLACE = "f: at sessions.1.runs.0.metrics.time_to_first_token"


def error_about(**changes):
    """What is said about a file in which figures of one metric were edited."""
    document = json.loads(store.dump(baseline()))
    metric = document["sessions"][1]["runs"][0]["metrics"]["time_to_first_token"]
    for name, value in changes.items():
        if isinstance(value, dict):
            metric[name] |= value
        else:
            metric[name] = value
    with pytest.raises(BaselineError) as caught:
        store.parse(json.dumps(document), source="f")
    return str(caught.value).removesuffix(". Mend it, or delete it and record again.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p50": 280}, ".p50: p50 is 280, but its histogram says 299.328 to 302.321"),
        ({"p50": 305}, ".p50: p50 is 305, but its histogram says 299.328 to 302.321"),
        ({"p90": 380}, ".p90: p90 is 380, but its histogram says 391.583 to 395.499"),
        ({"p95": 420}, ".p95: p95 is 420, but its histogram says 391.583 to 395.499"),
        ({"p99": 480}, ".p99: p99 is 480, but its histogram says 393.674 to 397.611"),
        ({"avg": 340}, ".avg: avg is 340, but its histogram says 325.133 to 328.385"),
        ({"min": 120}, ".min: min is 120, but its histogram says 150.651 to 152.158"),
        ({"max": 700}, ".max: max is 700, but its histogram says 600.68 to 606.687"),
        ({"p50": None}, ".p50: p50 is null, but its histogram says 299.328 to 302.321"),
        ({"avg": None}, ".avg: avg is null, but its histogram says 325.133 to 328.385"),
        ({"p90": 290}, ".p90: p90 is 290, less than p50, 302"),
        ({"p95": 392.5}, ".p95: p95 is 392.5, less than p90, 392.6"),
        ({"p50": 140}, ".p50: p50 is 140, less than min, 151"),
        ({"max": 390}, ".max: max is 390, less than p95, 392.6"),
        ({"count": 198}, ".hist: its counts add up to 199, but count is 198"),
        ({"hist": {"count": [10, 100, 60, 28, 2]}}, ".hist: its counts add up to 200, but count is 199"),
        ({"hist": {"count": [10, 100, 60, 28, 0]}}, ".hist: its counts add up to 198, but count is 199"),
        (
            {"hist": {"count": [100, 10, 60, 28, 1]}},
            ".avg: avg is 326.888, but its histogram says 257.893 to 260.472",
        ),
        ({"hist": {"offset": 505}}, ".min: min is 151, but its histogram says 152.158 to 153.679"),
        ({"count": 0, "hist": {"index": [], "count": []}}, ".avg: avg is 326.888 of no values"),
    ],
)
def test_a_figure_that_cannot_be_is_named_with_what_it_should_be(changes, message):
    assert error_about(**changes).startswith(f"{PLACE}{message}")


def test_a_figure_is_held_against_the_failed_requests_too():
    """With so many failed the p95 lies among them: a number there was not measured."""
    some = run().model_copy(update={"n_err": 20})
    assert dict(run_contradictions(some))["metrics.time_to_first_token.p95"] == (
        "p95 is 390, but too many failed for it to be finite"
    )
    assert "metrics.time_to_first_token.p50" not in dict(run_contradictions(some))


def test_failed_requests_are_not_the_slowest_where_more_is_better():
    better = run().metrics["time_to_first_token"].model_copy(update={"direction": "higher"})
    many = run().model_copy(update={"n_err": 150, "metrics": {"x": better}})
    assert list(run_contradictions(many)) == []


def test_a_metric_without_a_histogram_is_only_held_in_order():
    bare = run().metrics["time_to_first_token"].model_copy(update={"hist": None, "p50": 301.0})
    assert list(run_contradictions(run().model_copy(update={"metrics": {"x": bare}}))) == []
    upside_down = bare.model_copy(update={"p50": 500.0})
    assert dict(run_contradictions(run().model_copy(update={"metrics": {"x": upside_down}}))) == {
        "metrics.x.p90": "p90 is 390, less than p50, 500"
    }


VALUES = st.one_of(
    st.lists(st.sampled_from([0.0, 1e-7, 1e-6, 5.0, 5.0000001, 300.0]), min_size=1, max_size=120),
    st.lists(st.floats(0, 1e9), min_size=1, max_size=120),
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40),
    st.builds(lambda value, n: [value] * n, st.floats(1e-9, 1e9), st.integers(1, 300)),
)


@settings(deadline=None, max_examples=400)
@given(VALUES, st.integers(0, 60))
@example([0.0], 0)
@example([0.0] * 20, 1)
@example([1e-6, 2e-6], 0)
@example([1.01**i for i in range(-500, 500)], 3)  # on the edges of bins
@example([-1.0, -0.5, 0.0, 3.0], 0)
@example([100.0], 1)
@example([1.0, 1e9], 0)
def test_what_was_really_measured_is_never_called_edited(values, n_err):
    values = np.array(values)
    sound = run().model_copy(
        update={"n_err": n_err, "metrics": {"time_to_first_token": ttft_of(np.abs(values), n_err=n_err)}}
    )
    signed = run().model_copy(
        update={
            "n_err": n_err,
            "metrics": {"x": ttft_of(values, n_err=n_err)},
        }
    )
    for one in (sound, signed):
        stored = baseline(session("only").model_copy(update={"runs": (one,)}))
        assert list(contradictions(stored)) == []
        text = store.dump(stored)
        assert store.dump(store.parse(text, source="f")) == text


@settings(deadline=None)
@given(
    st.lists(st.floats(1.0, 1e4), min_size=20, max_size=100),
    st.sampled_from(["p50", "p90", "p95", "avg"]),
    st.sampled_from([0.97, 1.03]),
)
def test_a_figure_that_is_off_by_three_percent_is_always_found(values, name, factor):
    """The bins are 1 % wide, so no true figure is further from an edge of what its histogram allows."""
    true = ttft_of(np.array(values), n_err=0)
    false = true.model_copy(update={name: getattr(true, name) * factor})
    edited = run().model_copy(update={"n_err": 0, "metrics": {"x": false}})
    assert list(run_contradictions(edited))


def test_the_smallest_value_with_a_bin_of_its_own_is_that_of_the_judge():
    """The two packages do not know each other; the number is part of the format."""
    assert SMALLEST == histogram.SMALLEST


def test_a_baseline_made_by_hand_for_these_tests_is_sound():
    assert list(contradictions(baseline())) == []
    assert N_ERR
    assert math.isfinite(run().metrics["time_to_first_token"].p95)
