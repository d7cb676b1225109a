"""Files of other versions: older ones are brought up to date in memory, step by step."""

from __future__ import annotations

import json

import pytest
from stored import baseline

from pytest_aiperf.baseline import migration, store
from pytest_aiperf.baseline.migration import STEPS, migrated
from pytest_aiperf.baseline.schema import SCHEMA
from pytest_aiperf.common.errors import BaselineError


@pytest.fixture
def third_version(monkeypatch):
    """Make the present format the third: the first called the anchor `pinned`, the second `fixed`."""
    monkeypatch.setattr(migration, "SCHEMA", 3)
    monkeypatch.setattr(migration, "STEPS", {1: renaming("pinned", "fixed"), 2: renaming("fixed", "anchor")})


def renaming(before, now):
    return lambda document: {now if key == before else key: value for key, value in document.items()}


def of_version(version, **renamed):
    document = json.loads(store.dump(baseline())) | {"schema": version}
    for now, before in renamed.items():
        document[now] = document.pop(before)
    return document


def test_there_is_a_step_from_every_older_version():
    assert set(STEPS) == set(range(1, SCHEMA))


def test_the_present_version_is_taken_as_it_stands():
    document = of_version(SCHEMA)
    assert migrated(document, source="f") == document


@pytest.mark.parametrize(
    "document", [of_version(1, pinned="anchor"), of_version(2, fixed="anchor"), of_version(3)]
)
@pytest.mark.usefixtures("third_version")
def test_an_older_file_reads_as_if_this_version_had_written_it(document):
    found = store.parse(json.dumps(document), source="f")
    assert found.anchor == "first"
    assert json.loads(store.dump(found))["schema"] == 3


@pytest.mark.usefixtures("third_version")
def test_reading_an_older_file_leaves_it_alone(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(of_version(1, pinned="anchor")))
    before = path.read_bytes()
    store.load(path)
    assert path.read_bytes() == before


@pytest.mark.usefixtures("third_version")
def test_what_an_older_file_has_wrong_is_named_by_its_place():
    document = of_version(1, pinned="anchor")
    document["sessions"][1]["runs"][0]["n_okay"] = 3
    with pytest.raises(BaselineError, match=r"f: at sessions\.1\.runs\.0: .*unknown key 'n_okay'"):
        store.parse(json.dumps(document), source="f")


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda document: {"key": document["absent"]}, "KeyError: 'absent'"),
        (lambda document: document["sessions"][99], "IndexError: list index out of range"),
        (
            lambda document: document["sessions"].items(),
            "AttributeError: 'list' object has no attribute 'items'",
        ),
        (lambda document: {"key": float(document["anchor"])}, "ValueError: could not convert"),
    ],
)
def test_a_file_that_lacks_what_its_version_must_have_is_an_error_and_no_crash(monkeypatch, step, why):
    monkeypatch.setattr(migration, "SCHEMA", 2)
    monkeypatch.setattr(migration, "STEPS", {1: step})
    with pytest.raises(BaselineError) as caught:
        store.parse(json.dumps(of_version(1)), source="old.json")
    assert str(caught.value).startswith(f"old.json: not a baseline of its schema, 1: {why}")
    assert str(caught.value).endswith("Mend it, or delete it and record again.")
