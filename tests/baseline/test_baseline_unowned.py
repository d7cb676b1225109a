"""What becomes of a baseline that no test of a session named: deleted only where its test would have named it."""

from __future__ import annotations

import shutil

import pytest
from stored import baseline

from pytest_aiperf.baseline import keys, store
from pytest_aiperf.baseline.unowned import Seen, find_unowned

CHAT = "tests/perf/test_chat.py"


def put(directory, test, *, name=None, profile="default"):
    path = keys.baseline_path(directory, profile=profile, test=test, name=name)
    stored = baseline()
    key = stored.key.model_copy(update={"test": test, "name": name})
    store.save(path, store.dump(stored.model_copy(update={"key": key})))
    return path


@pytest.fixture
def folder(tmp_path):
    """Of test files; the baseline directory is beside them."""
    found = tmp_path / "tests/perf"
    found.mkdir(parents=True)
    (tmp_path / CHAT).touch()
    return found


def seen(root, folder, **changed):
    """All of `CHAT` was collected, and its test_a was measured."""
    home = folder / "__aiperf__"
    usual = {
        "root": root,
        "shared": False,
        "files": {home: {CHAT}},
        "folders": {folder},
        "claims": {
            keys.baseline_path(home, profile="default", test=f"{CHAT}::test_a", name=None): f"{CHAT}::test_a"
        },
        "unfinished": set(),
    }
    return Seen(**usual | changed)


def only(session):
    [one] = find_unowned(session)
    return one.state


@pytest.mark.parametrize(
    ("test", "state"),
    [
        (f"{CHAT}::test_gone", "orphan"),
        ("tests/perf/test_gone.py::test_a", "orphan"),
        ("tests/perf/test_other.py::test_a", "unseen"),
        ("tests/before/test_chat.py::test_a", "orphan"),
        ("tests/elsewhere/test_chat.py::test_a", "kept"),
        ("perf/test_chat.py::test_a", "kept"),
        ("test_chat.py::test_a", "kept"),
    ],
    ids=[
        "its file was collected",
        "its file is gone",
        "its file was not collected",
        "its folder was renamed",
        "a copy of a folder that is there",
        "named from another root directory",
        "named from here, or from outside the root directory",
    ],
)
def test_a_file_beside_tests(tmp_path, folder, test, state):
    (folder / "test_other.py").touch()
    (tmp_path / "tests/elsewhere").mkdir()
    (tmp_path / "tests/elsewhere/test_chat.py").touch()
    put(folder / "__aiperf__", test)
    assert only(seen(tmp_path, folder)) == state


def test_a_gone_file_of_a_folder_that_was_collected_in_part_is_kept(tmp_path, folder):
    put(folder / "__aiperf__", "tests/perf/test_gone.py::test_a")
    assert only(seen(tmp_path, folder, folders=set())) == "kept"


def test_a_test_that_did_not_pass_may_have_more_names(tmp_path, folder):
    put(folder / "__aiperf__", f"{CHAT}::test_a", name="second")
    assert only(seen(tmp_path, folder)) == "orphan"
    assert only(seen(tmp_path, folder, unfinished={f"{CHAT}::test_a"})) == "kept"


def test_profiles_that_are_not_in_use_are_not_looked_at(tmp_path, folder):
    put(folder / "__aiperf__", f"{CHAT}::test_gone", profile="h100x1")
    assert find_unowned(seen(tmp_path, folder)) == []


def test_a_test_that_measured_under_another_profile_keeps_what_it_has_under_this_one(tmp_path, folder):
    home, test = folder / "__aiperf__", f"{CHAT}::test_a"
    put(home, test)
    fixed = f"{CHAT}::test_with_a_profile_of_its_own"
    claims = {
        keys.baseline_path(home, profile="mine", test=test, name=None): test,
        keys.baseline_path(home, profile="default", test=fixed, name=None): fixed,
    }
    assert only(seen(tmp_path, folder, claims=claims)) == "kept"


def test_where_nothing_was_measured_the_profiles_of_the_session_count(tmp_path, folder):
    plain = tmp_path / "tests/plain"
    put(plain / "__aiperf__", "tests/plain/test_x.py::test_x")
    files = {folder / "__aiperf__": {CHAT}, plain / "__aiperf__": {"tests/plain/test_x.py"}}
    assert only(seen(tmp_path, folder, files=files)) == "orphan"


@pytest.mark.parametrize(
    ("test", "state"),
    [
        (f"{CHAT}::test_gone", "orphan"),
        ("tests/perf/test_gone.py::test_a", "orphan"),
        ("tests/perf/test_other.py::test_a", "unseen"),
        ("tests/gone/test_x.py::test_a", "kept"),
        ("test_far.py::test_a", "kept"),
    ],
    ids=["collected", "file gone", "not collected", "folder gone", "outside the root directory"],
)
def test_a_file_in_a_shared_directory(tmp_path, folder, test, state):
    (folder / "test_other.py").touch()
    shared = tmp_path / "kept"
    put(shared, test)
    assert (
        only(seen(tmp_path, folder, shared=True, files={shared: {CHAT}}, folders={folder, tmp_path})) == state
    )


def test_copies_and_broken_files_are_kept(tmp_path, folder):
    path = put(folder / "__aiperf__", f"{CHAT}::test_gone")
    shutil.copy(path, path.with_name("copy-01234567.json"))
    path.write_text("{")
    assert [one.state for one in find_unowned(seen(tmp_path, folder))] == ["kept", "kept"]


def test_nothing_behind_a_link_is_looked_at(tmp_path, folder):
    outside = put(tmp_path / "out", f"{CHAT}::test_gone")
    home = folder / "__aiperf__"
    (home / "default/test_chat").mkdir(parents=True)
    (home / "default/test_chat" / outside.name).symlink_to(outside)
    (home / "default/module").symlink_to(outside.parent)
    assert find_unowned(seen(tmp_path, folder)) == []
    shutil.rmtree(home)
    home.mkdir()
    (home / "default").symlink_to(outside.parents[1])
    assert find_unowned(seen(tmp_path, folder)) == []
