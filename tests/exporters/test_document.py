"""The result document: strict JSON of builtin types, the same shape for every outcome."""

from __future__ import annotations

import enum
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measurements import ALL, BASELINE, MEASURED, NODE_ID, REGRESSED, run

from pytest_aiperf.baseline.history import append
from pytest_aiperf.baseline.schema import STATS_VERSION, Environment, Recorded, Session
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.tolerance import Tolerance
from pytest_aiperf.exporters.document import failed_document, measurement_document, to_builtin, write_document
from pytest_aiperf.measure.judged import JudgedMetric
from pytest_aiperf.measure.measurement import Change
from pytest_aiperf.measure.terms import Terms

BUILTIN = (dict, list, str, int, float, bool, type(None))


def entry(measurement=REGRESSED):
    return measurement_document(measurement, node_id=NODE_ID)


def assert_builtin(value):
    assert type(value) in BUILTIN, value
    if type(value) is dict:
        assert all(type(key) is str for key in value)
    for item in value.values() if type(value) is dict else value if type(value) is list else ():
        assert_builtin(item)
    assert type(value) is not float or math.isfinite(value)


@pytest.mark.parametrize("name", ALL)
def test_an_entry_is_strict_json_of_builtin_types(name):
    document = entry(ALL[name])
    assert_builtin(document)
    assert json.loads(json.dumps(document, allow_nan=False)) == document


@pytest.mark.parametrize("name", ALL)
def test_every_outcome_has_the_same_keys(name):
    assert entry(ALL[name]).keys() == entry(MEASURED).keys()


def test_a_measurement_that_could_not_be_made_has_an_entry_too():
    document = failed_document(node_id=NODE_ID, name=None, reason="cannot reach it\nmore")
    assert_builtin(document)
    assert document.keys() == entry().keys()
    assert (document["verdict"], document["headline"]) == ("invalid", "cannot reach it")


def test_a_measurement_that_could_not_be_made_judged_nothing():
    document = failed_document(node_id=NODE_ID, name=None, reason="cannot reach it")
    assert (document["terms"], document["against"]) == (None, None)
    empty = ("sessions", "judged", "comparisons", "against_sessions", "changes")
    assert [document[field] for field in empty] == [[]] * 5


def test_sessions_are_whole_as_in_a_baseline_file():
    document = entry()
    sessions = [Session.model_validate(session) for session in document["sessions"]]
    assert [session.runs for session in sessions] == [tuple(runs) for runs in REGRESSED.sessions]
    assert {session.environment for session in sessions} == {REGRESSED.environment}
    assert {session.recorded for session in sessions} == {Recorded(at=REGRESSED.started_at)}
    assert len({session.id for session in sessions}) == 2


def test_a_session_has_the_same_id_each_time_and_no_other_measurement_has_it():
    def ids(measurement):
        return [session["id"] for session in entry(measurement)["sessions"]]

    assert ids(REGRESSED) == ids(REGRESSED)
    later = replace(REGRESSED, started_at="2026-11-23T00:32:00Z")
    named = replace(REGRESSED, name="long")
    slower = replace(REGRESSED, sessions=((run().model_copy(update={"window_s": 10.5}),),))
    assert set(ids(REGRESSED)).isdisjoint([*ids(later), *ids(named), *ids(slower)])


def test_a_session_that_is_stored_has_the_id_and_the_commit_that_it_is_stored_with():
    stored = Session(
        id="b",
        runs=(run(),),
        environment=Environment(client="pytest-aiperf 0.1.0"),
        recorded=Recorded(at="2026-11-23T00:31:09Z", commit="1a2b3c4d", dirty=True),
    )
    recorded = replace(MEASURED, baseline=BASELINE, to_store=append(BASELINE, stored), stored_as="appended")
    (session,) = entry(recorded)["sessions"]
    assert (session["id"], session["recorded"]["commit"]) == ("b", "1a2b3c4d")
    accepted = replace(REGRESSED, to_store=append(BASELINE, stored), stored_as="accepted")
    first, second = entry(accepted)["sessions"]
    assert (first["id"], second["recorded"]["commit"]) == ("b", None)


def test_writing_an_entry_starts_no_process(monkeypatch):
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a process was started"))
    entry()


def test_an_entry_holds_on_what_terms_it_was_judged():
    metric = JudgedMetric(
        tag="time_to_first_token", statistic="p50", tolerance=Tolerance(relative=0.1, floor=5.0)
    )
    terms = Terms(strict=True, max_mde=0.2)
    document = entry(replace(REGRESSED, judged=(metric,), terms=terms))
    assert document["judged"] == [{"metric": "time_to_first_token.p50", "tolerance": 0.1, "floor": 5.0}]
    assert document["terms"] == {
        "looks": [3, 5, 8],
        "alpha_fail": [0.003, 0.003, 0.004],
        "alpha_pass": [0.015, 0.015, 0.02],
        "strict": True,
        "max_mde": 0.2,
        "paired": False,
    }


def test_a_comparison_says_what_it_was_with():
    rows = (REGRESSED.judgement.comparisons[0], replace(REGRESSED.judgement.comparisons[0], against="anchor"))
    judgement = replace(REGRESSED.judgement, comparisons=rows)
    document = entry(replace(REGRESSED, judgement=judgement))
    assert [row["against"] for row in document["comparisons"]] == ["baseline", "anchor"]


def test_the_runs_of_the_other_server_are_in_the_entry_of_a_paired_measurement():
    paired = replace(REGRESSED, against="http://other", baseline_path=None)
    document = entry(paired)
    assert document["against"] == "http://other"
    assert [Session.model_validate(s) for s in document["against_sessions"]] == list(BASELINE.sessions)
    assert entry()["against_sessions"] == []


def test_an_entry_holds_what_has_changed_since():
    changes = (Change(name="server", before="vllm 0.24", now="vllm 0.25"),)
    assert entry(replace(REGRESSED, changes=changes))["changes"] == [
        {"name": "server", "before": "vllm 0.24", "now": "vllm 0.25"}
    ]


def test_an_entry_holds_what_the_schema_names():
    document = entry()
    assert (document["test"], document["verdict"], document["model"]) == (NODE_ID, "regressed", "m")
    assert document["key"]["test"] == NODE_ID
    assert document["load"]["concurrency"] == 8
    assert [len(session["runs"]) for session in document["sessions"]] == [3, 3]
    assert document["sessions"][0]["runs"][0]["metrics"]["request_throughput"]["value"] == 20
    assert document["metrics"]["time_to_first_token"]["p95"] == pytest.approx(454)
    assert document["comparisons"][0]["metric"] == "time_to_first_token.p50"
    assert document["comparisons"][0]["ci95"] == [0.32, 0.43]
    assert document["baseline"] == REGRESSED.baseline_path
    assert document["headline"].startswith("ttft p50 +37 %")


def test_a_baseline_that_does_not_exist_is_none():
    assert entry(ALL["no_baseline"])["baseline"] is None


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(1.5), 1.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([1, 2]), [1, 2]),
        (np.array([[1.5]]), [[1.5]]),
        (np.array(2.0), 2.0),
        (np.str_("a"), "a"),
        ((1, (2,)), [1, [2]]),
        (
            {
                1: {
                    2,
                }
            },
            {"1": [2]},
        ),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Path("a/b"), "a/b"),
        ("\ud800", "?"),
        (None, None),
    ],
)
def test_anything_becomes_a_builtin_value(value, plain):
    assert_builtin(to_builtin(value))
    assert to_builtin(value) == plain


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_builtin_values_stay_as_they_are(value):
    assert to_builtin(value) == value


def test_a_document_is_written_with_its_directories_and_reads_strictly(tmp_path):
    path = tmp_path / "new" / "out.json"
    write_document(path, {"endpoint": "http://h", "duration_s": math.nan}, [entry()])
    document = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert (document["schema"], document["stats_version"]) == (1, STATS_VERSION)
    assert document["session"] == {"endpoint": "http://h", "duration_s": None}
    assert document["measurements"] == [entry()]


def test_a_place_that_cannot_be_written_is_told_with_the_option(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"--aiperf-json: cannot write .*out\.json"):
        write_document(tmp_path / "file" / "out.json", {}, [])
