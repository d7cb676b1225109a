"""The result document: strict JSON of builtin types, the same shape for every outcome."""

from __future__ import annotations

import enum
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measurements import ALL, MEASURED, NODE_ID, REGRESSED

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.exporters.document import failed_document, measurement_document, to_builtin, write_document

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
    assert document.keys() <= entry().keys()
    assert (document["verdict"], document["headline"]) == ("invalid", "cannot reach it")


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
    assert document["schema"] == 1
    assert document["session"] == {"endpoint": "http://h", "duration_s": None}
    assert document["measurements"] == [entry()]


def test_a_place_that_cannot_be_written_is_told_with_the_option(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"--aiperf-json: cannot write .*out\.json"):
        write_document(tmp_path / "file" / "out.json", {}, [])
