"""The terminal summary, as lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from measurements import (
    ALL,
    CREPT,
    ERRORS,
    INCONCLUSIVE,
    ITL,
    MEASURED,
    NODE_ID,
    PAIRED,
    PASSED,
    REGRESSED,
    TTFT,
    judged,
)

from pytest_aiperf.exporters.columns import parse_columns
from pytest_aiperf.exporters.document import failed_document, measurement_document
from pytest_aiperf.exporters.states import counts_line
from pytest_aiperf.exporters.summary import summary_lines
from pytest_aiperf.measure.slo import Missed, Slo


def document(measurement, node_id=NODE_ID):
    return measurement_document(measurement, node_id=node_id)


EVERY = [document(measurement, f"tests/test_a.py::test_{name}") for name, measurement in ALL.items()]
FAILED = failed_document(
    node_id="tests/test_a.py::test_down", name=None, reason="cannot reach http://h: refused"
)


def lines(measurements, verbosity=0, **options):
    return list(summary_lines(measurements, verbosity=verbosity, **options))


def test_a_measurement_has_one_line_with_its_verdict_and_figures():
    assert lines([document(PASSED)]) == [
        "test_chat.py::test_chat[8]  ok            ttft 400 ms +1 %",
        "1 measured, 1 ok",
    ]


@pytest.mark.parametrize(
    "columns", [None, parse_columns("ttft.p50,itl.p99,latency.max,errors,throughput,osl")]
)
@pytest.mark.parametrize(("width", "longest"), [(200, 100), (100, 100), (80, 80), (60, 60)])
@pytest.mark.parametrize("verbosity", [0, 1])
def test_no_line_is_longer_than_the_terminal_or_100_columns(verbosity, width, longest, columns):
    figures = {
        tag: np.array([123456.0]) for tag in ("time_to_first_token", "inter_token_latency", "request_latency")
    }
    full = [replace(m, pooled=figures) for m in ALL.values()]
    wide = [document(m, f"tests/{'very_' * 30}long.py::test[{'x' * 50}]") for m in full]
    talkative = FAILED | {"headline": "x" * 300}
    shown = lines([*EVERY, *wide, FAILED, talkative], verbosity, width=width, columns=columns)
    counts = [line for line in shown if "measured, " in line]
    assert max(len(line) for line in shown if line not in counts) <= longest
    assert any("ttft 123456 ms" in line for line in shown)
    assert len(counts) == 1


def test_the_order_is_that_of_the_tests_and_under_v_the_worst_come_first():
    shown = [line.split()[0].rpartition("_")[2] for line in lines(EVERY) if line.startswith("test_a.py")]
    assert shown == [name.rpartition("_")[2] for name in ALL]
    worst = [line.split()[0] for line in lines(EVERY, 1) if line.startswith("test_a.py")]
    assert worst[0] == "test_a.py::test_regressed"
    assert worst[-1] == "test_a.py::test_pass"
    assert worst.index("test_a.py::test_invalid") < worst.index("test_a.py::test_inconclusive")


def test_quietly_only_the_counts_are_shown():
    assert lines(EVERY, -1) == [f"aiperf: {counts_line(EVERY)}"]


def test_the_counts_add_up():
    stored = document(replace(MEASURED, stored_as="recorded"))
    assert counts_line([*EVERY, stored, FAILED]) == (
        "10 measured, 1 ok, 1 inconclusive, 1 no baseline, 1 not comparable, 2 invalid, 2 regressed, 1 recorded"
    )
    assert counts_line([]) == "0 measured"


def test_an_inconclusive_measurement_says_what_it_would_have_found():
    note = lines([document(ALL["inconclusive"])])[1]
    assert (
        note
        == "  inconclusive: ttft p50 +4 % (-2.1 % .. +11 %), allowed +5 %; would have found a change of 4.1 %"
    )


def test_a_measurement_that_could_not_be_made_says_why():
    assert lines([FAILED])[:2] == ["test_a.py::test_down  INVALID", "  cannot reach http://h: refused"]


def test_a_change_stands_beside_the_figure_that_changed():
    """A p95 that rose by a third is not shown beside an unchanged median."""
    tail = replace(TTFT, metric="time_to_first_token.p95", label="ttft p95")
    line = lines([document(judged("regressed", tail))])[0]
    assert "ttft p95 454 ms +37 %" in line


def test_a_change_is_not_taken_from_a_metric_whose_name_begins_alike():
    second = replace(ITL, metric="time_to_second_token.p50")
    line = lines([document(judged("pass", second))])[0]
    assert "ttft 400 ms" in line
    assert "%" not in line


def test_named_measurements_of_one_test_are_told_apart():
    assert lines([document(replace(REGRESSED, name="long"))])[0].startswith(
        "test_chat.py::test_chat[8]#long "
    )


def test_what_was_stored_is_called_recorded():
    assert "  recorded" in lines([document(replace(MEASURED, stored_as="recorded"))])[0]


def test_a_creep_says_what_it_is_beside_a_change_that_is_allowed():
    line, note, _ = lines([document(CREPT)])
    assert "REGRESSED     ttft 400 ms +1.3 %" in line
    assert note == "  ttft p50 since 2026-11-02 +8.1 % (300 -> 324 ms), allowed +5 %"
    assert len(lines([document(REGRESSED)])) == 2


def test_what_an_inconclusive_one_would_have_found_is_that_of_the_whole_baseline():
    anchor = replace(CREPT.judgement.comparisons[-1], verdict="inconclusive", mde=0.5)
    both = replace(
        INCONCLUSIVE,
        judgement=replace(INCONCLUSIVE.judgement, comparisons=(anchor, *INCONCLUSIVE.judgement.comparisons)),
    )
    assert "would have found a change of 4.1 %" in lines([document(both)])[1]


def test_two_servers_have_no_sessions_to_record():
    paired = replace(PAIRED, judgement=INCONCLUSIVE.judgement)
    assert not any(
        "session" in line for line in lines([document(paired) | {"against": "http://localhost:8001"}])
    )
    assert any("1 of 3 sessions" in line for line in lines([document(INCONCLUSIVE)]))


def test_every_column_that_was_asked_for_is_shown_in_its_order_on_further_lines_where_one_is_full():
    columns = parse_columns("errors,throughput,ttft.p99,ttft.max,ttft.min,ttft.std")
    *shown, _ = lines([document(PASSED)], columns=columns, width=80)
    cells = " ".join(" ".join(shown).split()[2:])
    assert cells == "errors 0 % 20 req/s ttft p99 459 ms ttft max 460 ms ttft min 340 ms ttft std 35.5 ms"
    assert [line.startswith("    ") for line in shown] == [False, True]


def test_a_test_id_with_a_slash_in_its_parameters_is_shown_whole():
    (line, _) = lines([document(PASSED, "tests/perf/test_chat.py::test_chat[meta/llama-3]")])
    assert line.startswith("test_chat.py::test_chat[meta/llama-3]  ok ")


def test_a_test_that_failed_by_a_limit_or_by_itself_is_not_called_ok():
    missed = replace(
        PASSED, missed=(Missed(slo=Slo(tag="request_latency", statistic="p95", limit=9), value=12.5),)
    )
    own = document(PASSED) | {"failure": "assert 612.3 < 400"}
    shown = lines([document(missed), own], 1)
    assert "  LIMIT MISSED  " in shown[0]
    assert shown[1] == "  latency p95 is 12.5 ms, must be at most 9 ms"
    assert "  TEST FAILED   " in shown[2]
    assert shown[3] == "  assert 612.3 < 400"
    assert shown[4] == "2 measured, 1 test failed, 1 limit missed"


def test_what_is_wrong_with_an_invalid_one_comes_with_what_to_do():
    invalid = failed_document(
        node_id="t.py::t", name=None, reason="error_share is 0.3\nLook at the errors first."
    )
    assert lines([invalid])[1:3] == ["  error_share is 0.3", "  Look at the errors first."]


def test_a_page_from_a_server_is_cut():
    invalid = failed_document(node_id="t.py::t", name=None, reason="word " * 2000 + "\nmore" * 50)
    assert len(lines([invalid])) < 12


def test_what_a_server_says_cannot_move_the_cursor_or_make_lines():
    evil = failed_document(node_id="t.py::t[\x1b[2J]", name="a\nb", reason="busy\x1b[31m\u202e")
    text = "\n".join(lines([evil | {"failure": "x"}]))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert len(text.splitlines()) == 3


def test_a_regression_of_what_the_line_does_not_show_is_told_below_it():
    worse = replace(ERRORS, verdict="regressed", now=0.06)
    shown = lines([document(judged("regressed", replace(TTFT, verdict="pass", change=0.01), worse))])
    assert shown[1] == "  errors 6 % (was 0 %)"
    assert lines([document(REGRESSED)], columns=parse_columns("ttft.p50"))[1] == "1 measured, 1 regressed"
    assert lines([document(REGRESSED)], columns=parse_columns("ttft.p99"))[1].startswith("  ttft p50 +37 %")
