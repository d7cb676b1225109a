"""The published schema of the result document: not stale, described throughout, and true of every document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from measurements import ALL, CHANGED, CREPT, NODE_ID, PAIRED
from pydantic import ValidationError
from schemas import FOLDER, assert_result

from pytest_aiperf.baseline.schema import STATS_VERSION
from pytest_aiperf.exporters.document import failed_document, measurement_document
from pytest_aiperf.exporters.document_model import ResultDocument
from pytest_aiperf.exporters.json_schema import baseline_file_schema, rendered, result_schema

PAGE = Path(__file__).parents[2] / "docs" / "result-document.md"
SESSION = {
    "endpoint": None,
    "profile": None,
    "started": "2026-11-23T00:31:00Z",
    "duration_s": 1.5,
    "pytest": "9.2.0",
    "plugin": "0.1.0",
    "workers": 0,
}
KNOWN_TO_THE_TEST = {
    "profile": "default",
    "extra": {"cost": None, "joules": 3.5},
    "artifacts": None,
    "location": {"file": "tests/perf/test_chat.py", "line": 3},
    "failure": None,
}
"""What the plugin adds to an entry."""


def whole(*entries: dict[str, Any]) -> dict[str, Any]:
    measurements = [entry | KNOWN_TO_THE_TEST for entry in entries]
    return {
        "schema": 1,
        "stats_version": STATS_VERSION,
        "session": SESSION,
        "measurements": measurements,
    }


def fields(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of every object of a schema, with its place."""
    for name, model in {"": node, **node["$defs"]}.items():
        for key, field in model["properties"].items():
            yield f"{name}.{key}", field


@pytest.mark.parametrize("name", [*ALL, "paired", "changed", "crept"])
def test_every_outcome_fits_the_schema(name):
    measurement = {**ALL, "paired": PAIRED, "changed": CHANGED, "crept": CREPT}[name]
    assert_result(whole(measurement_document(measurement, node_id=NODE_ID)))


def test_a_measurement_that_could_not_be_made_fits_too_and_has_the_same_keys():
    failed = failed_document(node_id=NODE_ID, name="long", reason="cannot reach it")
    assert_result(whole(failed))
    assert failed.keys() == measurement_document(PAIRED, node_id=NODE_ID).keys()


def test_a_session_in_which_nothing_was_measured_fits():
    assert_result(whole())


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(headlin="x"),
        lambda m: m.pop("text"),
        lambda m: m.update(verdict="red"),
        lambda m: m.update(key=None),
        lambda m: m["metrics"]["time_to_first_token"].update(p50="300"),
        lambda m: m["metrics"]["time_to_first_token"].pop("sum"),
        lambda m: m["sessions"][0]["runs"][0].pop("stalls"),
        lambda m: m["sessions"].clear(),
        lambda m: m["comparisons"][0].update(ci95=[0.1]),
        lambda m: m["comparisons"][0].update(note=""),
    ],
)
def test_what_does_not_fit_is_refused(change):
    document = json.loads(json.dumps(whole(measurement_document(ALL["regressed"], node_id=NODE_ID))))
    assert_result(document)
    change(document["measurements"][0])
    with pytest.raises((AssertionError, ValidationError)):
        assert_result(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, result_schema())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_the_model_takes_finite_numbers_only(number):
    document = whole(measurement_document(ALL["pass"], node_id=NODE_ID))
    document["measurements"][0]["duration_s"] = number
    with pytest.raises(ValidationError, match="duration_s"):
        ResultDocument.model_validate(document)


@pytest.mark.parametrize(("name", "schema"), [("result", result_schema), ("baseline", baseline_file_schema)])
def test_the_files_in_docs_are_what_the_models_say(name, schema):
    """After a change of a model: python docs/generate.py."""
    assert (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8") == rendered(schema())
    assert schema()["$id"] == f"urn:pytest-aiperf:{name}:1"


@pytest.mark.parametrize("schema", [result_schema, baseline_file_schema])
def test_every_key_is_described_and_one_that_may_be_null_says_when(schema):
    for place, field in fields(schema()):
        text = field.get("description", "")
        assert text, place
        if {"type": "null"} in field.get("anyOf", ()) or field.get("type") == "null":
            assert "null" in text.lower(), place


def test_the_page_names_every_key():
    page = PAGE.read_text(encoding="utf-8")
    words = set(re.findall(r"[\w.]+", "".join(re.findall(r"`([^`\n]+)`", page))))
    words |= set(re.findall(r"`([\w]+)(?:\[\])?`", page))
    for place, _ in fields(result_schema()):
        model, _, key = place.rpartition(".")
        if model not in (
            "Histogram",
            "Distribution",
            "SingleValue",
            "Environment",
            "BaselineKey",
            "Recorded",
        ):
            assert key in words, place


def test_the_example_of_the_page_is_a_document():
    (example,) = re.findall(r"```json\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert_result(json.loads(example))
