"""Workflow commands: one line each, whatever ids and texts hold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from measurements import ALL, INCONCLUSIVE, NODE_ID, PASSED, REGRESSED

from pytest_aiperf.exporters.annotations import workflow_commands
from pytest_aiperf.exporters.document import failed_document, measurement_document

HERE = {"location": {"file": "perf/test_chat.py", "line": 7}, "failure": None}


def document(measurement, node_id=NODE_ID, **changes):
    return measurement_document(measurement, node_id=node_id) | HERE | changes


def commands(*documents, root=Path("/r/w/tests"), workspace="/r/w"):
    return list(workflow_commands(documents, root=root, workspace=workspace))


def test_a_regression_is_marked_at_its_test_as_seen_from_the_repository():
    assert commands(document(REGRESSED)) == [
        "::error file=tests/perf/test_chat.py,line=7,title=test_chat.py%3A%3Atest_chat[8]%3A regressed"
        "::ttft p50 +37 %25 (300 -> 412 ms), allowed +5 %25"
    ]


def test_an_inconclusive_one_is_a_warning_and_what_is_fine_is_not_marked():
    (only,) = commands(document(PASSED), document(INCONCLUSIVE), document(ALL["measured"]))
    assert only.startswith("::warning file=")
    assert only.endswith("::inconclusive: ttft p50 +4 %25 (-2.1 %25 .. +11 %25), allowed +5 %25")


def test_the_worst_come_first_and_a_test_that_failed_by_itself_is_among_them():
    own = document(PASSED, failure="assert 612 < 400")
    found = commands(document(INCONCLUSIVE), own, document(ALL["invalid"]), document(REGRESSED))
    assert [re.search(r"%3A ([\w ]+)::", line)[1] for line in found] == [
        "regressed",
        "test failed",
        "invalid",
        "inconclusive",
    ]
    assert found[1].endswith("::assert 612 < 400")


@pytest.mark.parametrize(
    ("workspace", "file"),
    [(None, "perf/test_chat.py"), ("", "perf/test_chat.py"), ("/other", "perf/test_chat.py")],
)
def test_a_file_outside_the_workspace_is_named_as_pytest_names_it(workspace, file):
    (line,) = commands(document(REGRESSED), workspace=workspace)
    assert f"file={file}," in line


def test_a_line_that_is_not_known_is_not_named():
    (line,) = commands(document(REGRESSED, location={"file": "a.py", "line": None}))
    assert "line=" not in line


def test_ids_paths_and_texts_cannot_end_a_property_or_the_command():
    evil = "t.py::t[a,line=1::x%0A\n::set-output name=a::b\r]"
    reason = "100 % \r busy ::error::\x1b[31m\n::warning::second"
    (line,) = commands(
        failed_document(node_id=evil, name="n,m:o", reason=reason)
        | {"location": {"file": "a,b:c%.py", "line": 2}, "failure": None}
    )
    assert "\n" not in line
    assert "\r" not in line
    assert "\x1b" not in line
    command, properties, message = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line).groups()
    assert command == "error"
    parts = dict(part.split("=", 1) for part in properties.split(","))
    assert list(parts) == ["file", "line", "title"]
    assert unquote(parts["file"]) == "tests/a,b:c%.py"
    assert unquote(parts["title"]).endswith("]#n,m:o: invalid")
    assert "%0A::set-output name=a" not in parts["title"]
    assert message == "100 %25 busy ::error::\N{REPLACEMENT CHARACTER}[31m"


def test_a_regression_of_a_named_measurement_names_it():
    assert "test_chat[8]#long%3A regressed" in commands(document(replace(REGRESSED, name="long")))[0]
