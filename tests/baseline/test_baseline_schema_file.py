"""The published schema of baseline files accepts what the reader accepts and refuses what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from schemas import assert_baseline
from stored import baseline

from pytest_aiperf.baseline import store
from pytest_aiperf.common.errors import BaselineError
from pytest_aiperf.exporters.json_schema import baseline_file_schema

GOLDEN = Path(__file__).parent / "data" / "golden_baseline.json"


def written() -> dict:
    return json.loads(store.dump(baseline()))


def ttft(document: dict) -> dict:
    return document["sessions"][0]["runs"][0]["metrics"]["time_to_first_token"]


def test_a_stored_file_and_the_golden_one_fit():
    assert_baseline(written())
    assert_baseline(json.loads(GOLDEN.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["key"].pop("accelerator_mig"),
        lambda d: d.pop("variance"),
        lambda d: ttft(d).pop("var_within"),
        lambda d: d["sessions"][0]["environment"].pop("server"),
    ],
)
def test_what_files_of_earlier_versions_lack_may_be_missing(change):
    document = written()
    change(document)
    assert_baseline(document)
    store.parse(json.dumps(document), source="a file")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(schema=2),
        lambda d: d.update(note="mine"),
        lambda d: d["sessions"].clear(),
        lambda d: ttft(d).update(p50="300"),
        lambda d: ttft(d).update(p05=1.0),
        lambda d: ttft(d).update(count=-1),
        lambda d: d["sessions"][0]["runs"][0].pop("n_err"),
        lambda d: d["sessions"][0]["recorded"].update(dirty="yes"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(change):
    document = written()
    change(document)
    with pytest.raises(BaselineError):
        store.parse(json.dumps(document), source="a file")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, baseline_file_schema())
