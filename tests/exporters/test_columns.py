"""Columns of the summary, by the names that people type."""

from __future__ import annotations

from dataclasses import replace

import pytest
from measurements import FAILING, ITL, MEASURED, NODE_ID, PASSED, TTFT, judged

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.exporters.columns import parse_columns
from pytest_aiperf.exporters.document import failed_document, measurement_document


def cells(text, measurement=PASSED):
    document = measurement_document(measurement, node_id=NODE_ID)
    return [column.cell(document) for column in parse_columns(text)]


def test_a_column_is_label_value_unit_and_the_change_of_this_very_figure():
    assert cells("ttft") == ["ttft 400 ms +1 %"]
    assert cells("ttft.p50, time_to_first_token.p50") == ["ttft 400 ms +1 %"] * 2
    assert cells("ttft.p99,ttft.avg,ttft.max") == ["ttft p99 459 ms", "ttft avg 400 ms", "ttft max 460 ms"]


def test_without_a_statistic_it_is_the_one_that_is_judged():
    tail = replace(TTFT, metric="time_to_first_token.p95", label="ttft p95")
    assert cells("ttft", judged("regressed", tail)) == ["ttft p95 454 ms +37 %"]
    assert cells("ttft.p50", judged("regressed", tail)) == ["ttft 400 ms"]


def test_a_metric_with_one_value_a_run_has_no_statistic():
    assert cells("throughput,throughput.value,request_throughput.avg") == ["20 req/s"] * 3
    assert cells("throughput.min") == ["throughput min 20 req/s"]


def test_errors_are_the_share_of_all_runs():
    run = MEASURED.sessions[0][0].model_copy(update={"n_ok": 150, "n_err": 50})
    assert cells("errors") == ["errors 0 %"]
    assert cells("errors", replace(FAILING, sessions=((run, run),))) == ["errors 25 %"]


def test_what_was_not_measured_is_left_out():
    assert cells("goodput,itl,errors", judged("pass", ITL)) == ["", "", "errors 0 %"]
    failed = failed_document(node_id=NODE_ID, name=None, reason="down")
    assert [column.cell(failed) for column in parse_columns("ttft,errors")] == ["", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ttft,itll.p99", r"unknown metric 'itll' \(did you mean 'itl'\?\)"),
        ("error", r"unknown metric 'error' \(did you mean 'errors'\?\)"),
        ("ttft.p59", r"unknown statistic 'p59' in 'ttft.p59' \(did you mean 'p5\d?'\?\); there is: avg, min"),
        ("ttft.", r"unknown statistic ''"),
        ("ttft.value", r"unknown statistic 'value'"),
        ("errors.p50", r"errors is one share; write 'errors'"),
        (" , ", r"names no metric; write e.g. ttft.p50"),
    ],
)
def test_a_wrong_name_is_an_error_with_the_nearest_right_one(text, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_columns(text)
