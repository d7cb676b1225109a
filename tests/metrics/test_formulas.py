"""Each metric's formula on columns written by hand (engine.md 5, systems.md U1, U4, U10, U11)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from columns import Request, batch_of, columns_of

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import Outcome
from pytest_aiperf.metrics.base_metric import (
    BaseLevelMetric,
    BaseListMetric,
    BaseRecordMetric,
    BaseRunMetric,
)
from pytest_aiperf.metrics.registry import ALIASES, STATISTICS, all_metrics, parse_judged, short_name
from pytest_aiperf.metrics.run_columns import RunColumns
from pytest_aiperf.metrics.tokens import osl_source
from pytest_aiperf.plugin import plugins

NAN = math.nan


def values(name, *requests):
    return columns_of(*requests).of(all_metrics()[ALIASES.get(name, name)]).tolist()


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
        Request(
            t_plan=0,
            t0=0,
            content=(5, 6, 7),
            outcome=outcome,
            output_tokens=3,
            input_tokens=9,
            reasoning_tokens=1,
            cached_tokens=4,
        )
        for outcome in (Outcome.ERROR, Outcome.CANCELLED, Outcome.TRUNCATED)
    ]
    told = replace(STREAM, t_plan=9, input_tokens=9, reasoning_tokens=1, cached_tokens=4)
    run = columns_of(told, *failed, open_loop=True, asked_osl=4)
    for tag, metric in all_metrics().items():
        if isinstance(metric, BaseRecordMetric) and not metric.counts_failed:
            assert np.isnan(run.of(metric)[1:]).all(), tag
            assert np.isfinite(run.of(metric)[0]), tag


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
    assert all_metrics()["output_token_throughput"].amount(RunColumns(failed)) is None


def test_drafts_of_an_image_are_no_tokens():
    drafts = Request(t0=0, content=(50, 60, 70))
    run = columns_of(drafts, produces_tokens=False)
    assert run.osl_source == "absent"
    assert same(run.of(all_metrics()["output_sequence_length"]), [NAN])
    assert same(run.of(all_metrics()["inter_token_latency"]), [NAN])
    counted = columns_of(replace(drafts, output_tokens=9), produces_tokens=False)
    assert counted.of(all_metrics()["output_sequence_length"]).tolist() == [9]


def test_whole_answers_in_one_message_each_are_not_answers_of_one_token():
    whole = [Request(t0=0, content=(50,), end=50), Request(t0=50, content=(90,), end=90)]
    assert osl_source(batch_of(*whole)) == "absent"
    assert same(values("osl", *whole), [NAN, NAN])
    assert all_metrics()["output_token_throughput"].amount(columns_of(*whole)) is None
    assert values("latency", *whole) == [50, 40]


def test_zero_tokens_told_by_the_server_are_zero_not_absent():
    assert values("osl", Request(content=(), end=5, output_tokens=0)) == [0]


def test_isl_is_what_the_server_tells_and_else_absent():
    assert same(values("isl", Request(input_tokens=17), Request()), [17, NAN])


def test_throughputs_count_the_good_measured_requests_only():
    requests = (STREAM, STREAM, Request(outcome=Outcome.ERROR, output_tokens=50), STREAM)
    run = columns_of(*requests, rows=slice(0, 3))
    assert all_metrics()["request_throughput"].amount(run) == 2
    assert all_metrics()["output_token_throughput"].amount(run) == 8


def test_counts_of_none_are_zero_not_absent():
    failed, good = columns_of(Request(outcome=Outcome.ERROR)), columns_of(STREAM)
    assert all_metrics()["request_throughput"].amount(failed) == 0
    assert all_metrics()["request_count"].value(failed) == 0
    for tag in ("error_request_count", "truncated_request_count", "cancelled_request_count"):
        assert all_metrics()[tag].value(good) == 0
    assert all_metrics()["request_error_rate"].value(good) == 0
    limits = columns_of(STREAM, window_ms=(0, 1), slos={"time_to_first_token": 1.0})
    for tag in ("good_request_count", "goodput", "good_request_fraction"):
        assert all_metrics()[tag].value(limits) == 0


def test_a_cancelled_request_is_neither_good_nor_failed():
    run = columns_of(STREAM, Request(outcome=Outcome.CANCELLED), Request(outcome=Outcome.TRUNCATED))
    counts = {tag: all_metrics()[tag].value(run) for tag in all_metrics() if tag.endswith("request_count")}
    assert counts == {
        "request_count": 1,
        "error_request_count": 1,
        "completed_request_count": 2,
        "truncated_request_count": 1,
        "cancelled_request_count": 1,
        "good_request_count": 1,  # no limits: every good one keeps them
    }
    assert all_metrics()["request_error_rate"].value(run) == 50


def test_adjusted_latencies_are_there_only_where_requests_failed():
    assert same(values("adj_request_latency", STREAM, STREAM), [NAN, NAN])
    cancelled, cut = (replace(STREAM, outcome=o) for o in (Outcome.CANCELLED, Outcome.TRUNCATED))
    assert same(values("adj_request_latency", STREAM, cancelled, cut), [70, NAN, math.inf])


def test_effective_latency_counts_the_wait_for_a_slot_and_leaves_out_errors():
    late = replace(STREAM, t_plan=4)
    assert same(values("effective_latency", late, replace(late, outcome=Outcome.ERROR)), [76, NAN])
    assert values("replay_send_schedule_offset", late, STREAM)[0] == 6


def test_a_total_of_which_a_part_is_not_told_is_absent():
    told, silent = replace(STREAM, input_tokens=5), STREAM
    total = all_metrics()["total_isl"]
    assert total.value(columns_of(told, told)) == 10
    assert total.value(columns_of(told, silent)) is None
    assert total.value(columns_of(told, replace(silent, outcome=Outcome.ERROR))) == 5


def test_output_without_a_told_reasoning_count_is_all_output_only_if_it_begins_so():
    thinking = replace(STREAM, t_output=71)
    assert same(values("output_token_count", STREAM, thinking), [4, NAN])
    assert values("output_token_count", replace(thinking, reasoning_tokens=3), STREAM) == [1, 4]


def test_a_length_is_a_mismatch_beyond_five_percent_or_fifty_tokens():
    def mismatches(asked, *lengths):
        run = columns_of(*(replace(STREAM, output_tokens=n) for n in lengths), asked_osl=asked)
        return all_metrics()["osl_mismatch_count"].value(run)

    assert mismatches(100, 100, 95, 105) == 0
    assert mismatches(100, 94, 106) == 2
    assert mismatches(10_000, 9_950, 10_050) == 0
    assert mismatches(10_000, 9_949, 10_051) == 2
    assert mismatches(None, 7) is None


def test_an_empty_run_has_empty_values():
    run = columns_of(open_loop=True, asked_osl=4)
    for metric in all_metrics().values():
        if isinstance(metric, BaseRecordMetric):
            assert run.of(metric).tolist() == []


@pytest.mark.parametrize("name", plugins.names("metric"))
def test_a_metric_is_registered_under_its_tag_and_says_what_it_is(name):
    metric = plugins.get_class("metric", name)
    assert metric.tag == name
    assert metric.direction in ("lower", "higher", "neutral")
    assert metric.unit
    assert metric.header
    assert issubclass(metric, (BaseRecordMetric, BaseListMetric, BaseRunMetric, BaseLevelMetric))


@pytest.mark.parametrize("name", plugins.names("metric"))
def test_a_metric_states_everything_itself(name):
    """Inherited, a direction would be wrong for somebody, sometime, in silence."""
    own = vars(plugins.get_class("metric", name))
    assert {"tag", "header", "unit", "direction", "group", "display_order", "__doc__"} <= own.keys()


HIGHER_WORDS = ("throughput", "goodput", "good_request", "accuracy")


def test_directions_are_those_that_people_mean():
    directions = {tag: metric.direction for tag, metric in all_metrics().items()}
    assert {t for t, d in directions.items() if d == "higher"} == {
        tag for tag in directions if any(word in tag for word in HIGHER_WORDS)
    }
    latencies = [t for t, m in all_metrics().items() if m.unit == "ms"]
    assert len(latencies) > 20
    assert {directions[tag] for tag in latencies} == {"lower"}
    others = {t for t, d in directions.items() if d == "lower"} - {*latencies}
    assert others == {
        "error_request_count",
        "truncated_request_count",
        "request_error_rate",
        "osl_mismatch_count",
    }


def test_baselines_keep_what_can_be_judged_and_nothing_else():
    assert {tag for tag, metric in all_metrics().items() if metric.stored} == {
        "time_to_first_token",
        "time_to_second_token",
        "request_latency",
        "effective_latency",
        "inter_token_latency",
        "output_sequence_length",
        "input_sequence_length",
        "request_throughput",
        "output_token_throughput",
        "input_token_throughput",
        "total_token_throughput",
        "goodput",
        "accuracy",
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
        ("goodput", ("goodput", "value")),
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
        (
            "decode_duration",
            r"decode_duration is not kept in baselines, so it cannot be judged; there is: ttft,",
        ),
    ],
)
def test_a_figure_that_is_not_there_is_refused_with_the_nearest_one(text, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_judged(text)


def test_a_figure_without_a_statistic_is_the_median():
    assert "p50" in STATISTICS
    assert parse_judged("itl") == ("inter_token_latency", "p50")
