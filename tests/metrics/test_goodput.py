"""Limits that a good request keeps: how they are written, and who keeps them (systems.md U10, U12)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from columns import Request, columns_of

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.metrics.goodput import parse_slos
from pytest_aiperf.metrics.registry import all_metrics
from pytest_aiperf.metrics.types.goodput import kept

STREAM = Request(t0=10, content=(60, 65, 71, 80), end=81, output_tokens=4)
TTFT, ITL = "time_to_first_token", "inter_token_latency"


@pytest.mark.parametrize(
    "given",
    [
        "ttft:400 itl:20",
        "ttft:400,itl:20",
        " time_to_first_token:4e2,  itl:20.0 ",
        {"ttft": 400, ITL: "20"},
    ],
)
def test_limits_are_read_from_text_or_a_mapping(given):
    assert parse_slos(given) == {TTFT: 400.0, ITL: 20.0}


@pytest.mark.parametrize("given", [None, {}])
def test_no_limits_are_none(given):
    assert parse_slos(given) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("tftt:400", r"goodput: unknown metric 'tftt' \(did you mean 'ttft'\?\)"),
        ("ttft", r"goodput: 'ttft' in 'ttft' is not metric:limit; write goodput='ttft:400 itl:20'"),
        ("ttft:", "is not metric:limit"),
        (":400", "is not metric:limit"),
        ("", "is not metric:limit"),
        ("ttft:400ms", "goodput: the limit of ttft is a number of ms, got '400ms'"),
        ("ttft:nan", "is a number of ms, got 'nan'"),
        ("ttft:inf", "is a number of ms, got 'inf'"),
        ("ttft:-1", "is a number of ms, got '-1'"),
        ({"ttft": True}, "is a number of ms, got True"),
        ({"ttft": None}, "is a number of ms, got None"),
        ("throughput:5", "goodput: throughput has one value per run, not one per request"),
        ("effective_concurrency:5", "has one value per run"),
        ("osl:5", "goodput: neither more nor less osl is better, so it has no limit"),
        ("ttft:4 time_to_first_token:5", "goodput: time_to_first_token has two limits; give one"),
    ],
)
def test_what_is_no_limit_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_slos(given)


def test_a_limit_that_the_load_cannot_keep_is_refused_before_it_runs():
    with pytest.raises(ConfigurationError, match="goodput: ttft needs streaming=True"):
        parse_slos("ttft:4", streaming=False)
    with pytest.raises(ConfigurationError, match="goodput: effective_latency needs due times"):
        parse_slos("effective_latency:4", open_loop=False)
    assert parse_slos("latency:4", streaming=False, open_loop=False) == {"request_latency": 4.0}


def keeps(slos, *requests):
    return kept(columns_of(*requests, slos=parse_slos(slos))).tolist()


@pytest.mark.parametrize(
    ("slos", "expected"),
    [
        ("ttft:50", True),
        ("ttft:49.9", False),
        ("ttft:50 latency:70", True),
        ("ttft:50 latency:69", False),
        ("output_token_throughput_per_user:150", True),
        ("output_token_throughput_per_user:150.1", False),
        ("icl:9", True),
        ("icl:8.9", False),
    ],
)
def test_less_is_at_most_the_limit_and_more_at_least_and_all_must_hold(slos, expected):
    assert keeps(slos, STREAM) == [expected]


def test_a_request_without_the_metric_does_not_keep_its_limit():
    one_token = Request(t0=0, content=(50,), output_tokens=1)
    assert keeps("itl:1000", one_token, STREAM) == [False, True]
    assert keeps("icl:1000", one_token, STREAM) == [False, True]
    assert keeps("ttft:1000", Request(t0=0, output_tokens=0), STREAM) == [False, True]


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.CANCELLED, Outcome.TRUNCATED])
def test_a_request_that_did_not_end_well_is_not_good(outcome):
    assert keeps("ttft:1000 icl:1000", replace(STREAM, outcome=outcome), STREAM) == [False, True]


def test_two_runs_in_one_process_do_not_share_their_limits():
    strict = columns_of(STREAM, slos={TTFT: 1.0}, window_ms=(0, 1000))
    lenient = columns_of(STREAM, slos={TTFT: 1000.0}, window_ms=(0, 1000))
    goodput = all_metrics()["goodput"]
    assert (goodput.value(strict), goodput.value(lenient), goodput.value(strict)) == (0, 1, 0)


def test_without_limits_there_is_no_goodput():
    for tag in ("goodput", "good_request_count", "good_request_fraction"):
        assert not all_metrics()[tag].applies_to(columns_of(STREAM).context)
        assert all_metrics()[tag].applies_to(columns_of(STREAM, slos={TTFT: 1.0}).context)
