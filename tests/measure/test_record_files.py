"""The requests of a run as JSON Lines: what a line says, where files lie, and which runs are kept."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made import batch_of, closed_loop, open_loop, run_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_load import Server

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.records import ABSENT, ErrorGroup, Outcome
from pytest_aiperf.exporters import records
from pytest_aiperf.exporters.records import RecordFiles, write_records
from pytest_aiperf.measure.runs import MadeRun

PAGE = Path(__file__).parents[2] / "docs" / "result-document.md"
SAME, SLOW = Server(), Server().slower(1.5)
BUSY = Server(facts={"cpu_share": 0.99})


def lines_of(data) -> list[dict]:
    file = io.BytesIO()
    write_records(file, data)
    text = file.getvalue().decode()
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


def made(**fields):
    usual = {"phase": "run", "number": 1, "attempt": 1, "against": False, "data": run_of(batch_of([0.0], 50))}
    return MadeRun(**(usual | fields))


def test_a_line_says_when_each_thing_came():
    (line,) = lines_of(run_of(batch_of([250.0], 100, messages=5, t_hdr=[251_500_000])))
    assert line == {
        "index": 0,
        "measured": True,
        "outcome": "ok",
        "error": None,
        "start_ns": 1_700_000_000_250_000_000,
        "start_ms": 250.0,
        "due_ms": None,
        "connect_ms": 0.0,
        "sent_ms": 0.0,
        "headers_ms": 1.5,
        "ttft_ms": 50.0,
        "latency_ms": 100.0,
        "end_ms": 100.0,
        "itl_ms": 12.5,
        "longest_gap_ms": 12.5,
        "messages": 5,
        "input_tokens": 8,
        "output_tokens": 5,
        "reasoning_tokens": None,
        "cached_tokens": None,
        "slot": 0,
        "conversation": None,
        "status": 200,
        "coalesced": 0,
        "sent_bytes": 100,
        "received_bytes": 100,
        "correct": None,
    }


def test_a_line_says_whether_a_graded_answer_is_right():
    lines = lines_of(run_of(batch_of([0.0, 10.0, 20.0], 5, correct=[1, 0, ABSENT])))
    assert [line["correct"] for line in lines] == [True, False, None]


def test_a_failed_request_has_its_class_and_null_for_what_never_came():
    batch = batch_of(
        [0.0, 10.0],
        20,
        t_hdr=ABSENT,
        status=ABSENT,
        error=[ABSENT, 0],
        outcome=[Outcome.CANCELLED, Outcome.ERROR],
    )
    batch = replace(
        batch,
        errors=(ErrorGroup(type="reset", code=None, message="by peer", count=1),),
        content_offsets=np.zeros(3, dtype=np.int64),
        content_ns=np.empty(0, dtype=np.int64),
    )
    cancelled, failed = lines_of(run_of(batch))
    assert (cancelled["outcome"], cancelled["error"]) == ("cancelled", None)
    assert (failed["outcome"], failed["error"], failed["end_ms"]) == ("error", "reset", 20.0)
    never = ("headers_ms", "ttft_ms", "latency_ms", "itl_ms", "longest_gap_ms", "status")
    assert [failed[key] for key in never] == [None] * 6


def test_warm_up_is_there_and_marked():
    lines = lines_of(run_of(batch_of(**closed_loop(10)), warm_up=4))
    assert [line["measured"] for line in lines] == [False] * 4 + [True] * 6


def test_a_schedule_says_when_requests_were_due():
    lines = lines_of(run_of(batch_of(**open_loop(3, gap_ms=10, late_ms=2))))
    assert [line["due_ms"] for line in lines] == [0.0, 10.0, 20.0]
    assert [line["start_ms"] for line in lines] == [2.0, 12.0, 22.0]


def test_the_figures_of_the_metrics_come_out_of_the_lines(monkeypatch):
    monkeypatch.setattr(records, "BLOCK", 7)
    run = run_of(batch_of(**closed_loop(30), messages=6), warm_up=4)
    measured = [line for line in lines_of(run) if line["measured"] and line["outcome"] == "ok"]
    for key, tag in (
        ("ttft_ms", "time_to_first_token"),
        ("latency_ms", "request_latency"),
        ("itl_ms", "inter_token_latency"),
    ):
        assert [line[key] for line in measured] == pytest.approx(list(run.values[tag])), key


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(0, 10**6), max_size=5), min_size=1, max_size=12), st.integers(1, 5))
def test_blocks_do_not_mix_the_messages_of_requests(gaps, block):
    stamps = [np.cumsum(np.array(one, dtype=np.int64)) + 5 for one in gaps]
    batch = replace(
        batch_of(np.arange(len(gaps)), 100),
        content_offsets=np.cumsum([0, *map(len, gaps)]).astype(np.int64),
        content_ns=np.concatenate(stamps).astype(np.int64),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "BLOCK", block)
        lines = lines_of(run_of(batch))
    assert [line["messages"] for line in lines] == list(map(len, gaps))
    for line, one in zip(lines, gaps, strict=True):
        assert line["longest_gap_ms"] == (max(one[1:]) / 1e6 if len(one) > 1 else None)


def test_the_page_names_every_key_in_its_order():
    table = (
        PAGE.read_text(encoding="utf-8").partition("## Every request")[2].partition("\n\n`ttft_ms` and")[0]
    )
    named = [key for line in table.splitlines() for key in re.findall(r"`(\w+)`", line.partition(" | ")[0])]
    (line,) = lines_of(run_of(batch_of([0.0], 50)))
    assert [key for key in named if key in line] == list(line)


def test_no_id_leads_out_of_the_directory(tmp_path):
    root = tmp_path / "artifacts"
    for test in ("../../x.py::../../y", "/etc/p.py::a", f"t.py::{'é🚀' * 300}\n", "t.py::..", "t.py::\ud800"):
        files = RecordFiles(root, test=test, name="../z")
        files(made())
        (path,) = files.written
        assert (root / path).resolve().is_relative_to(root / "requests")
        assert (root / path).is_file()
    assert list(tmp_path.iterdir()) == [root]


def test_a_new_measurement_replaces_its_own_files_only(tmp_path):
    def measure(name, runs):
        files = RecordFiles(tmp_path, test="t.py::t", name=name)
        for number in range(1, runs + 1):
            files(made(number=number))
        return files.written

    other, first = measure("other", 2), measure(None, 3)
    own = tmp_path / first[0]
    own.with_name("notes.txt").write_text("mine")
    assert measure(None, 1) == first[:1]
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    columns = {path.removesuffix(".jsonl") + ".npz" for path in (*other, first[0])}
    assert left - columns == {*other, first[0], own.with_name("notes.txt").relative_to(tmp_path).as_posix()}
    assert columns <= left


def test_what_cannot_be_written_is_told_with_option_and_path(tmp_path):
    (tmp_path / "requests").write_text("")
    with pytest.raises(ConfigurationError, match=r"--aiperf-artifacts: cannot write .*run-1\.jsonl: "):
        RecordFiles(tmp_path, test="t.py::t", name=None)(made())


def kept(bench, **options) -> list[str]:
    """The files of a measurement, in the order in which they were written."""
    files = RecordFiles(bench.path.parent / "artifacts", test="t.py::t", name=None)
    bench.measure(**options, on_run=files)
    return [Path(path).stem for path in files.written]


def test_runs_of_both_sessions_are_kept_and_no_rehearsal(bench):
    bench.record()
    sessions = [f"run-{n}" for n in (1, 2, 3)], [f"confirmation-{n}" for n in (1, 2, 3)]
    assert kept(bench, server=SLOW) == [*sessions[0], *sessions[1]]
    assert kept(bench, mode="quick") == ["quick-1"]


def test_a_run_that_is_made_again_is_kept_with_the_one_that_takes_its_place(bench):
    titles = kept(bench, server=lambda i: BUSY if i == 1 else SAME)
    assert titles == ["run-1", "run-1-attempt-2", "run-2", "run-3"]


def test_an_invalid_measurement_keeps_its_runs(bench):
    assert kept(bench, server=Server(facts={"clock_shift_ns": 10**9}))[0] == "run-1"


def test_the_runs_of_both_servers_are_kept_apart(bench):
    titles = kept(bench, against=SAME, server=SAME)
    assert titles[:4] == ["against-run-1", "run-1", "run-2", "against-run-2"]
