"""Each metric's formula on columns written by hand (engine.md 5, systems.md U1, U4, U10, U11)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from columns import Request, batch_of

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.metrics.base_metric import BaseRecordMetric, BaseWindowMetric
from pytest_aiperf.metrics.registry import ALIASES, STATISTICS, all_metrics, parse_judged, short_name
from pytest_aiperf.metrics.tokens import osl_source
from pytest_aiperf.plugin import plugins

NAN = math.nan


def values(name, *requests):
    return all_metrics()[ALIASES.get(name, name)].values(batch_of(*requests)).tolist()


def same(found, expected):
    np.testing.assert_array_equal(found, expected)  # NaN equals NaN here
    return True


STREAM = Request(t0=10, content=(60, 65, 71, 80), end=81, output_tokens=4)


def test_ttft_is_from_the_first_byte_sent_to_the_first_content():
    assert values("ttft", STREAM) == [50]


def test_ttst_is_from_the_first_to_the_second_content():
    assert values("ttst", STREAM) == [5]


def test_latency_ends_with_the_last_content_not_with_the_closing_messages():
    assert values("latency", STREAM) == [70]


def test_itl_is_the_decode_time_per_token_after_the_first():
    assert values("itl", STREAM) == [20 / 3]


def test_every_failed_request_has_no_value_whatever_its_stamps():
    failed = [
        Request(t0=0, content=(5, 6, 7), outcome=outcome, output_tokens=3, input_tokens=9)
        for outcome in (Outcome.ERROR, Outcome.CANCELLED, Outcome.TRUNCATED)
    ]
    for tag, metric in all_metrics().items():
        if isinstance(metric, BaseRecordMetric):
            found = metric.values(batch_of(STREAM, *failed))
            assert np.isnan(found[1:]).all(), tag
            assert tag == "input_sequence_length" or np.isfinite(found[0]), tag


def test_a_request_without_content_has_no_latency():
    empty = Request(t0=0, content=(), end=9, output_tokens=0)
    for name in ("ttft", "ttst", "latency", "itl"):
        assert same(values(name, empty, STREAM)[0], NAN)


def test_one_token_gives_a_ttft_and_no_itl_and_no_ttst():
    one = Request(t0=0, content=(50,), output_tokens=1)
    assert values("ttft", one) == values("latency", one) == [50]
    assert same(values("itl", one, STREAM), [NAN, 20 / 3])
    assert same(values("ttst", one, STREAM), [NAN, 5])


def test_several_tokens_in_one_message_give_no_itl():
    buffered = Request(t0=0, content=(50,), output_tokens=64)
    assert same(values("itl", buffered, STREAM), [NAN, 20 / 3])


def test_messages_that_share_a_read_do_not_change_the_itl():
    """Three messages came at once: gaps between messages would say 0, 0 and 30."""
    coalesced = Request(t0=0, content=(50, 80, 80, 80), output_tokens=4)
    assert values("itl", coalesced) == [10]
    assert values("ttst", coalesced) == [30]


def test_a_first_and_last_message_in_one_read_give_an_itl_of_zero_not_an_absent_one():
    assert values("itl", Request(t0=0, content=(50, 50), output_tokens=2)) == [0]


def test_itl_counts_tokens_not_messages_where_the_server_tells_them():
    pairs = Request(t0=0, content=(50, 60, 70), output_tokens=6)
    assert values("itl", pairs) == [20 / 5]


def test_itl_leaves_out_all_tokens_of_the_first_message():
    assert values("itl", Request(t0=0, content=(50, 60, 70), output_tokens=6, first_tokens=2)) == [20 / 4]


def test_itl_is_absent_where_the_first_message_holds_all_tokens():
    odd = Request(t0=0, content=(50, 60), output_tokens=4, first_tokens=4)
    assert same(values("itl", odd), [NAN])


def test_osl_is_what_the_server_tells():
    assert values("osl", STREAM, Request(content=(1, 2), output_tokens=9)) == [4, 9]
    assert osl_source(batch_of(STREAM)) == "usage"


def test_osl_is_the_number_of_content_messages_where_the_server_tells_nothing():
    silent = Request(t0=0, content=(50, 60, 70))
    assert values("osl", silent) == [3]
    assert values("itl", silent) == [10]
    assert osl_source(batch_of(silent)) == "content_messages"


def test_a_run_of_which_some_requests_tell_usage_counts_messages_throughout():
    silent = Request(t0=0, content=(50, 60, 70))
    telling = Request(t0=0, content=(50, 60, 70, 80, 90), output_tokens=10, first_tokens=4)
    assert osl_source(batch_of(silent, telling)) == "content_messages"
    assert values("osl", silent, telling) == [3, 5]
    assert values("itl", silent, telling) == [10, 10]  # 40 ms over 5 - 1 messages, not over 5 - 4


def test_a_failed_request_without_usage_does_not_change_the_source():
    failed = Request(content=(1,), outcome=Outcome.ERROR)
    assert osl_source(batch_of(STREAM, failed)) == "usage"


def test_tokens_of_a_run_without_a_good_request_are_absent():
    failed = batch_of(Request(content=(1, 2), outcome=Outcome.ERROR, output_tokens=2))
    assert osl_source(failed) == "absent"
    assert all_metrics()["output_token_throughput"].amount(failed, np.array([True])) is None


def test_whole_answers_in_one_message_each_are_not_answers_of_one_token():
    whole = [Request(t0=0, content=(50,), end=50), Request(t0=50, content=(90,), end=90)]
    assert osl_source(batch_of(*whole)) == "absent"
    assert same(values("osl", *whole), [NAN, NAN])
    assert all_metrics()["output_token_throughput"].amount(batch_of(*whole), np.array([True, True])) is None
    assert values("latency", *whole) == [50, 40]


def test_zero_tokens_told_by_the_server_are_zero_not_absent():
    assert values("osl", Request(content=(), end=5, output_tokens=0)) == [0]


def test_isl_is_what_the_server_tells_and_else_absent():
    assert same(values("isl", Request(input_tokens=17), Request()), [17, NAN])


def test_throughputs_count_the_good_requests_inside_the_window_only():
    run = batch_of(STREAM, STREAM, Request(outcome=Outcome.ERROR, output_tokens=50), STREAM)
    inside = np.array([True, True, True, False])
    assert all_metrics()["request_throughput"].amount(run, inside) == 2
    assert all_metrics()["output_token_throughput"].amount(run, inside) == 8


def test_no_good_request_is_a_count_of_zero_not_an_absent_one():
    run = batch_of(Request(outcome=Outcome.ERROR))
    assert all_metrics()["request_throughput"].amount(run, np.array([True])) == 0


def test_a_day_of_nanoseconds_loses_nothing():
    day = 86_400_000.0
    assert values("ttft", Request(t0=day, content=(day + 0.001,))) == [0.001]


def test_an_empty_run_has_empty_values():
    for metric in all_metrics().values():
        if isinstance(metric, BaseRecordMetric):
            assert metric.values(batch_of()).tolist() == []


@pytest.mark.parametrize("name", plugins.names("metric"))
def test_a_metric_is_registered_under_its_tag_and_says_what_it_is(name):
    metric = plugins.get_class("metric", name)
    assert metric.tag == name
    assert metric.direction in ("lower", "higher", "neutral")
    assert metric.unit
    assert metric.header
    assert issubclass(metric, (BaseRecordMetric, BaseWindowMetric))


def test_directions_are_those_that_people_mean():
    directions = {tag: metric.direction for tag, metric in all_metrics().items()}
    assert {t for t, d in directions.items() if d == "higher"} == {
        "request_throughput",
        "output_token_throughput",
    }
    assert {t for t, d in directions.items() if d == "neutral"} == {
        "output_sequence_length",
        "input_sequence_length",
    }


def test_metrics_come_in_display_order_and_no_two_claim_one_place():
    orders = [metric.display_order for metric in all_metrics().values()]
    assert orders == sorted(set(orders))


def test_every_alias_stands_for_a_metric_and_is_its_short_name():
    assert set(ALIASES.values()) <= all_metrics().keys()
    assert all(short_name(tag) == alias for alias, tag in ALIASES.items())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ttft", ("time_to_first_token", "p50")),
        ("ttft.p95", ("time_to_first_token", "p95")),
        ("inter_token_latency.avg", ("inter_token_latency", "avg")),
        ("throughput", ("request_throughput", "value")),
        ("request_throughput.value", ("request_throughput", "value")),
    ],
)
def test_a_judged_figure_is_named_by_metric_and_statistic(text, expected):
    assert parse_judged(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tftt", r"unknown metric 'tftt' \(did you mean 'ttft'\?\)"),
        ("ttft.p59", r"unknown statistic 'p59' in 'ttft.p59' \(did you mean 'p5'\?\); there is: avg, p1"),
        ("throughput.p50", "throughput has one value per run; write 'throughput', not 'throughput.p50'"),
    ],
)
def test_a_figure_that_is_not_there_is_refused_with_the_nearest_one(text, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_judged(text)


def test_a_figure_without_a_statistic_is_the_median():
    assert "p50" in STATISTICS
    assert parse_judged("itl") == ("inter_token_latency", "p50")
