"""The text of one measurement: what it holds, in 80 columns, and nothing that a terminal would obey."""

from __future__ import annotations

from dataclasses import replace

import pytest
from measurements import ALL, CHANGED, CREPT, FAILED, MEASURED, PAIRED

from pytest_aiperf.exporters.measurement_text import measurement_lines, verdict_text
from pytest_aiperf.measure.slo import Missed, Slo
from pytest_aiperf.measure.validity import Check

EVERY = {**ALL, "paired": PAIRED, "changed": CHANGED, "crept": CREPT, "measured": MEASURED}
SLO = Missed(slo=Slo(tag="time_to_first_token", statistic="p95", limit=100.0), value=412.0)


def text_of(measurement):
    return "\n".join(measurement_lines(measurement))


@pytest.mark.parametrize("name", EVERY)
def test_every_outcome_is_told_in_80_columns(name):
    lines = list(measurement_lines(EVERY[name]))
    assert max(map(len, lines)) <= 80
    assert {line.split()[0] for line in lines if line and not line.startswith(" ")} >= {
        "endpoint",
        "load",
        "runs",
        "validity",
        "verdict",
    }


def test_each_metric_has_its_figures_and_the_interval_of_its_median():
    lines = text_of(MEASURED).splitlines()
    [head] = [line.split() for line in lines if line.strip().startswith("per request")]
    assert head == ["per", "request", "avg", "p50", "p90", "p95", "p99", "95", "%", "CI", "of", "p50"]
    [ttft] = [line for line in lines if line.strip().startswith("ttft (ms)")]
    assert len(ttft.split("(ms)")[1].replace(" .. ", "..").split()) == 6


def test_a_comparison_says_both_sides_the_change_and_what_is_allowed():
    text = text_of(EVERY["regressed"])
    assert "verdict   REGRESSED: ttft p50 +37 %" in text
    [row] = [line for line in text.splitlines() if line.strip().startswith("ttft p50 ")]
    assert row.split("  ")[1:3] == ["ttft p50", "300 ms"]
    assert row.endswith("REGRESSED")
    assert "--record" in text


def test_failed_requests_checks_that_failed_and_limits_are_told():
    check = Check(
        check="loop_lag", value=9.0, limit=1.0, ok=False, fatal=False, advice="Use another machine."
    )
    text = text_of(replace(MEASURED, errors=[FAILED], validity=[check], missed=[SLO]))
    assert "12 failed requests:\n  12 x http 503: the model is overloaded" in text
    assert "0 of 1 check held\n  note    Use another machine." in text
    assert "verdict   LIMIT MISSED: ttft p95 is 412 ms, must be at most 100 ms" in text


@pytest.mark.parametrize("where", ["errors", "model", "reason", "against"])
def test_text_of_servers_is_shown_as_it_is_and_moves_no_cursor(where):
    bad = "[/INST] \x1b[2J \x9b31m"
    measurement = EVERY["regressed"]
    changed = {
        "errors": lambda: replace(measurement, errors=[replace(FAILED, message=bad)]),
        "model": lambda: replace(measurement, key=measurement.key.model_copy(update={"model": bad})),
        "reason": lambda: replace(measurement, judgement=replace(measurement.judgement, reason=f"x\n{bad}")),
        "against": lambda: replace(measurement, against=bad),
    }[where]()
    text = text_of(changed)
    assert "[/INST]" in text
    assert "\x1b" not in text
    assert "\x9b" not in text


def test_the_text_of_the_document_begins_with_the_headline_and_is_none_where_all_is_well():
    assert verdict_text(EVERY["regressed"]).startswith(
        "ttft p50 +37 % (300 -> 412 ms), allowed +5 %\n\n  metric"
    )
    assert verdict_text(MEASURED) is None
    assert verdict_text(replace(MEASURED, missed=[SLO])) == "ttft p95 is 412 ms, must be at most 100 ms"
