"""Documents and baseline files of real measurements fit their published schemas, whatever the verdict."""

from __future__ import annotations

import json

import pytest
from schemas import assert_baseline, assert_result
from scripted_load import Server

from pytest_aiperf.exporters.document import measurement_document, write_document

SAME = Server()
SESSION = {
    "endpoint": "http://127.0.0.1:9",
    "profile": "default",
    "started": "2026-11-23T00:31:00Z",
    "duration_s": 1.5,
    "pytest": "9.2.0",
    "plugin": "0.1.0",
    "workers": 0,
}
OF_THE_TEST = {
    "profile": "default",
    "extra": {},
    "artifacts": None,
    "location": {"file": "test_chat.py", "line": None},
    "failure": None,
}
UNEXPECTED = {
    "pass": {},
    "regressed": {"server": SAME.slower(1.5)},
    "inconclusive": {"max_mde": 0.001},
    "not_comparable": {"isl": 16},
    "invalid": {"server": Server(facts={"clock_shift_ns": 10**9})},
    "measured": {"mode": "quick"},
}


@pytest.mark.parametrize("verdict", UNEXPECTED)
def test_every_verdict_against_a_stored_baseline(bench, tmp_path, verdict):
    bench.record()
    measurement = bench.measure(**UNEXPECTED[verdict])
    assert measurement.verdict == verdict
    assert_written(measurement, tmp_path)
    assert_baseline(json.loads(bench.path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "options",
    [
        {"against": SAME.slower(0.8)},
        {"update": ("all",)},
        {"server": Server(failed=0.1)},
        {"server": Server(usage=False)},
        {"streaming": False},
        {"request_rate": 100.0, "concurrency": None, "goodput": "ttft:10"},
        {"request_count": None, "benchmark_duration": 5.0},
    ],
)
def test_every_kind_of_measurement(bench, tmp_path, options):
    measurement = bench.measure(**options)
    assert_written(measurement, tmp_path)
    if measurement.to_store:
        assert_baseline(json.loads(bench.path.read_text(encoding="utf-8")))


def assert_written(measurement, folder):
    path = folder / "out.json"
    write_document(
        path, SESSION, [measurement_document(measurement, node_id="test_chat.py::t") | OF_THE_TEST]
    )
    assert_result(json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail))
