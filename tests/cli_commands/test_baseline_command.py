"""`pytest-aiperf baseline`, as users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_aiperf.baseline import history, keys, store
from pytest_aiperf.baseline.schema import (
    BaselineKey,
    Distribution,
    Environment,
    Recorded,
    Run,
    Session,
    Stalls,
)
from pytest_aiperf.cli import build_app

COMMAND = Path(sys.executable).parent / "pytest-aiperf"
TEST = "tests/perf/test_chat.py::test_chat"


def session(name, *, ttft=300.0):
    found = Distribution(unit="ms", direction="lower", count=200, p50=ttft, var_within={"p50": 1e-4})
    run = Run(
        n_ok=200,
        n_err=0,
        window_s=18.0,
        metrics={"time_to_first_token": found},
        stalls=Stalls(threshold_ms=900.0, count=0),
    )
    return Session(
        id=name,
        runs=(run,) * 5,
        environment=Environment(client="pytest-aiperf 0.1.0", host="0123456789ab"),
        recorded=Recorded(at="2026-11-02T10:00:00Z", commit="1a2b3c4d", dirty=False),
    )


def put(root, *sessions, test=TEST, **key):
    path = keys.baseline_path(root / "tests/perf/__aiperf__", profile="h100x1", test=test, name=None)
    stored = history.first(
        BaselineKey(**{"test": test, "workload": "c" * 64, "load": {"streaming": True}} | key), sessions[0]
    )
    for one in sessions[1:]:
        stored = history.append(stored, one)
    store.save(path, store.dump(stored))
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one test, and one baseline of it."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path, session("a"), session("b"), session("c"))
    Path("tests/perf/test_chat.py").write_text("def test_chat(aiperf): ...\n")
    return tmp_path


def run(*arguments):
    """Run the installed command; exit status, standard output, standard error."""
    done = subprocess.run(
        [COMMAND, "baseline", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"COLUMNS": "80"},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def call(capsys, monkeypatch):
    """Run the command in this process, which is faster; the same three things."""
    monkeypatch.setenv("COLUMNS", "400")  # panels are not wrapped

    def called(*arguments):
        status = 0
        try:
            build_app()(["baseline", *map(str, arguments)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return called


def test_list_shows_every_baseline_below_the_current_directory(project):
    status, out, err = run("list")
    assert (status, err) == (0, "")
    assert "tests/perf/__aiperf__  profile h100x1  tests/perf/test_chat.py" in out
    assert out.splitlines()[-1] == "1 baseline, 3 sessions"
    assert max(map(len, out.splitlines())) <= 80


def test_show_shows_one_file(project):
    [path] = project.rglob("*.json")
    status, out, err = run("show", path.relative_to(project))
    assert (status, err) == (0, "")
    assert TEST in out
    assert "session a  anchor" in out
    assert "would find" in out


def test_diff_exits_1_when_something_regressed(project):
    [path] = project.rglob("*.json")
    Path("old.json").write_bytes(path.read_bytes())
    put(project, session("a"), session("b"), session("c"), session("d", ttft=400.0))
    status, out, err = run("diff", "old.json", path)
    assert (status, err) == (1, "")
    assert out.splitlines()[1] == "REGRESSED"


def test_prune_lists_and_with_yes_deletes(project):
    gone = put(project, session("a"), test="tests/perf/test_chat.py::test_gone")
    before = sorted(project.rglob("*"))
    status, out, err = run("prune")
    assert (status, err) == (0, "")
    assert f"would go: {gone.relative_to(project)}" in out
    assert sorted(project.rglob("*")) == before
    status, out, _ = run("prune", "--yes")
    assert status == 0
    assert f"deleted: {gone.relative_to(project)}" in out
    assert sorted(project.rglob("*")) == [path for path in before if path != gone]


@pytest.mark.parametrize("name", ["list", "show", "diff", "prune"])
def test_json_is_one_document_of_the_same_bytes(project, call, name):
    [path] = project.rglob("*.json")
    arguments = [name, *([path] if name in ("show", "diff") else []), "--json"]
    status, out, err = call(*arguments)
    assert (status, err) == (0, "")
    assert json.loads(out)["schema"] == 1
    assert call(*arguments)[1] == out


def test_a_broken_file_among_good_ones_is_listed_as_broken_and_ends_in_2(project, call):
    bad = put(project, session("a"), test="tests/perf/test_chat.py::test_bad")
    bad.write_text("{")
    for name in ("list", "prune"):
        status, out, _ = call(name)
        assert status == 2
        assert "not JSON" in out
        assert out.splitlines()[-1].endswith("1 broken")
    documents = json.loads(call("list", "--json")[1])["baselines"]
    assert sorted(one["problem"] is None for one in documents) == [False, True]


def test_prune_never_deletes_a_broken_file(project, call):
    bad = put(project, session("a"), test="tests/perf/test_chat.py::test_bad")
    bad.write_text("{")
    assert call("prune", "--yes")[0] == 2
    assert bad.read_text() == "{"


def test_a_newer_schema_says_what_to_do(project, call):
    [path] = project.rglob("*.json")
    path.write_text('{"schema": 99}')
    for arguments in (("list",), ("show", path), ("diff", path), ("diff", path, path)):
        status, out, err = call(*arguments)
        assert status == 2
        assert "newer pytest-aiperf (schema 99" in " ".join((out + err).split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "nowhere"), "nowhere: no such directory"),
        (("prune", "nowhere"), "nowhere: no such directory"),
        (("prune", "--rootdir", "nowhere"), "nowhere: no such directory. --rootdir"),
        (("list", "empty"), "no baselines in it"),
        (("show", "nowhere.json"), "nowhere.json: no such file"),
        (("show", "empty"), "it is not a regular file"),
        (("diff", "nowhere.json"), "nowhere.json: no such file"),
    ],
)
def test_a_wrong_path_is_said_on_stderr_and_ends_in_2(project, call, arguments, message):
    Path("empty").mkdir()
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_diff_of_another_load_ends_in_2_and_says_what_differs(project, call):
    [path] = project.rglob("*.json")
    Path("old.json").write_bytes(path.read_bytes())
    put(project, session("d"), model="other")
    status, out, _ = call("diff", "old.json", path)
    assert status == 2
    assert "model was None, is 'other'" in out


def test_diff_of_a_single_session_ends_in_2(project, call):
    path = put(project, session("a"), test="tests/perf/test_chat.py::test_new")
    status, out, err = call("diff", path)
    assert (status, out) == (2, "")
    assert "holds one session" in err


def test_diff_of_one_file_judges_its_newest_session(project, call):
    path = put(project, session("a"), session("b"), session("c"), session("d", ttft=400.0))
    assert call("diff", path)[0] == 1
    put(project, session("a"), session("b"), session("c"), session("d", ttft=301.0))
    assert call("diff", path)[0] == 0


def test_importing_the_command_loads_nothing_heavy():
    code = "import pytest_aiperf.cli_commands.baseline, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert {"numpy", "scipy", "aiohttp", "pydantic"}.isdisjoint(done.stdout.split())
