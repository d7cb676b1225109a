"""Where and from what a measurement was made."""

from __future__ import annotations

import platform
import re
import subprocess

import pytest
from hand_made import batch_of

import pytest_aiperf
from pytest_aiperf.measure import provenance


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)
    return tmp_path


def test_a_session_names_the_commit_and_whether_it_was_changed(repository):
    clean = provenance.recorded(repository)
    (repository / "new.txt").write_text("x")
    changed = provenance.recorded(repository / "not" / "yet" / "there")
    assert re.fullmatch(r"[0-9a-f]{8,}", clean.commit)
    assert changed.commit == clean.commit
    assert (clean.dirty, changed.dirty) == (False, True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", clean.at)


def test_outside_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "plain").mkdir()
    found = provenance.recorded(tmp_path / "plain")
    assert (found.commit, found.dirty) == (None, None)


def test_without_git_there_is_no_commit(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.recorded(repository).commit is None


def test_a_git_that_hangs_is_given_up(repository, monkeypatch):
    monkeypatch.setattr(provenance, "_GIT_S", 0.0)
    assert provenance.recorded(repository).commit is None


def test_a_host_is_told_from_another_without_its_name(monkeypatch):
    here = provenance.host_hash()
    monkeypatch.setattr(provenance.platform, "node", lambda: "another-host")
    assert provenance.host_hash() != here
    assert "another" not in provenance.host_hash()


def batches(*stamps):
    return [
        batch_of([0.0], 5.0, facts={"transport": "wire", "timestamps": one}, output_tokens=5)
        for one in stamps
    ]


def test_an_environment_holds_what_runs_tell_what_it_is_told_and_where_we_are():
    found = provenance.environment_of(batches("kernel", "kernel"), {"driver": "580.65.06", "cuda": "13.0"})
    assert found.model_dump() == {
        "client": f"pytest-aiperf {pytest_aiperf.__version__}",
        "python": platform.python_version(),
        "server": None,
        "driver": "580.65.06",
        "cuda": "13.0",
        "host": provenance.host_hash(),
        "transport": "wire",
        "timestamps": "kernel",
        "osl_source": "usage",
    }


def test_stamps_of_two_kinds_are_mixed():
    assert provenance.environment_of(batches("kernel", "user"), {}).timestamps == "mixed"
