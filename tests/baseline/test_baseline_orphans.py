"""Which baselines have lost their test: shown, never guessed; and what deleting them touches."""

from __future__ import annotations

import shutil

import pytest
from stored import baseline

from pytest_aiperf.baseline import keys, store
from pytest_aiperf.baseline.inventory import stored_files
from pytest_aiperf.baseline.orphans import find_orphans, remove
from pytest_aiperf.common.errors import BaselineError

SOURCE = """
import unittest
from elsewhere import test_imported

test_assigned = make()

def test_plain(aiperf): ...

async def test_async(aiperf): ...

if True:
    try:
        def test_in_branch(aiperf): ...
    except ImportError:
        pass

class TestChat:
    def test_method(self, aiperf): ...
    class TestInner:
        def test_deep(self, aiperf): ...

class TestDerived(TestChat):
    pass

def outer():
    def test_hidden(): ...
"""


def write(root, source=SOURCE, where="tests/perf/test_chat.py"):
    path = root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)


def put(root, inner, *, where="tests/perf/test_chat.py", name=None, folder=None, profile="default"):
    """Store a baseline of a test where the plugin would."""
    test = f"{where}::{inner}"
    folder = folder or root / where.rpartition("/")[0] / "__aiperf__"
    path = keys.baseline_path(folder, profile=profile, test=test, name=name)
    stored = baseline()
    key = stored.key.model_copy(update={"test": test, "name": name})
    store.save(path, store.dump(stored.model_copy(update={"key": key})))
    return path


def states(root, start=None, *, rootdir=None):
    """By the end of the test's id: state and reason."""
    findings = find_orphans(stored_files(start or root), rootdir or root)
    return {f.file.path.name.rpartition("-")[0]: (f.state, f.why) for f in findings}


@pytest.mark.parametrize(
    "inner",
    ["test_plain", "test_async", "test_in_branch", "TestChat::test_method", "TestChat::TestInner::test_deep"],
)
def test_a_test_that_is_defined_keeps_its_baseline(tmp_path, inner):
    write(tmp_path)
    put(tmp_path, inner)
    assert [state for state, _ in states(tmp_path).values()] == ["used"]


@pytest.mark.parametrize(
    "inner",
    [
        "test_gone",
        "test_gone[8]",
        "test_gone[a::b]",
        "test_hidden",
        "TestChat::test_gone",
        "TestGone::test_method",
        "TestChat::TestInner::test_gone",
        "test_plain::test_method",
    ],
)
def test_a_test_that_is_not_defined_any_more_has_an_orphan(tmp_path, inner):
    write(tmp_path, SOURCE)
    put(tmp_path, inner)
    [(state, why)] = states(tmp_path).values()
    assert state == "orphan"
    assert why.startswith("tests/perf/test_chat.py: it defines no ")


@pytest.mark.parametrize(
    ("inner", "why"),
    [
        ("test_imported", "the name test_imported is bound there"),
        ("test_assigned", "the name test_assigned is bound there"),
        ("TestDerived::test_method", "class TestDerived may have it from a base class"),
    ],
)
def test_what_may_come_from_elsewhere_is_kept(tmp_path, inner, why):
    write(tmp_path)
    put(tmp_path, inner)
    [(state, seen)] = states(tmp_path).values()
    assert state == "unchecked"
    assert why in seen


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("from shared import *", "imports * from shared"),
        ("for n in 'ab': globals()[f'test_{n}'] = print", "uses globals()"),
        ("@more\nclass TestA:\n    pass\n", None),
        ("class TestA(metaclass=Maker):\n    pass\n", None),
        ("def broken(:", "cannot be parsed"),
        ("\0", "cannot be parsed"),
    ],
)
def test_tests_that_are_made_while_python_runs_are_kept(tmp_path, source, why):
    write(tmp_path, source)
    put(tmp_path, "test_a" if why else "TestA::test_a")
    [(state, seen)] = states(tmp_path).values()
    assert state == "unchecked"
    assert (why or "a decorator") in seen


def test_nothing_of_a_test_file_is_run(tmp_path):
    write(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit(3)\n")
    put(tmp_path, "test_gone")
    assert [state for state, _ in states(tmp_path).values()] == ["orphan"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("inner", "name"), [("test_plain[8]", None), ("test_plain", "long")])
def test_parameters_and_names_are_kept_and_said_to_be_unchecked(tmp_path, inner, name):
    write(tmp_path)
    put(tmp_path, inner, name=name)
    [(state, why)] = states(tmp_path).values()
    assert state == "unchecked"
    assert "cannot be told without running pytest" in why


def test_without_its_test_file_it_is_an_orphan(tmp_path):
    (tmp_path / "tests/perf").mkdir(parents=True)
    put(tmp_path, "test_plain")
    assert states(tmp_path) == {"test_plain": ("orphan", "there is no tests/perf/test_chat.py")}


def test_a_wrong_rootdir_makes_no_orphans(tmp_path):
    write(tmp_path)
    put(tmp_path, "test_plain")
    [(state, why)] = states(tmp_path, rootdir=tmp_path / "tests").values()
    assert state == "unchecked"
    assert "the right --rootdir" in why


def test_a_baseline_directory_elsewhere_fits_when_one_of_its_tests_is_there(tmp_path):
    write(tmp_path)
    folder = tmp_path / "baselines"
    put(tmp_path, "test_x", where="tests/test_other.py", folder=folder)
    assert [state for state, _ in states(tmp_path, folder).values()] == ["unchecked"]
    put(tmp_path, "test_plain", folder=folder)
    assert {name: state for name, (state, _) in states(tmp_path, folder).items()} == {
        "test_x": "orphan",
        "test_plain": "used",
    }


def test_a_test_outside_the_root_directory_is_known_by_its_name_alone_and_kept(tmp_path):
    write(tmp_path)
    folder = tmp_path / "baselines"
    put(tmp_path, "test_plain", folder=folder)
    put(tmp_path, "test_far", where="test_far.py", folder=folder)
    assert states(tmp_path, folder)["test_far"][0] == "unchecked"


def test_a_key_that_leads_out_of_the_root_directory_is_not_followed(tmp_path):
    root = tmp_path / "root"
    write(root)
    write(tmp_path, "", where="outside.py")
    put(root, "test_x", where="../outside.py", folder=root / "__aiperf__")
    [(state, why)] = states(root).values()
    assert (state, why) == ("unchecked", f"../outside.py is outside {root}")


def test_a_copy_under_another_name_is_kept(tmp_path):
    write(tmp_path)
    path = put(tmp_path, "test_gone")
    shutil.copy(path, path.with_name("copy-01234567.json"))
    found = states(tmp_path)
    assert found["test_gone"][0] == "orphan"
    assert found["copy"][0] == "unchecked"
    assert path.name in found["copy"][1]


def test_a_broken_file_is_broken_and_not_an_orphan(tmp_path):
    write(tmp_path)
    path = put(tmp_path, "test_gone")
    path.write_text("{")
    [(state, why)] = states(tmp_path).values()
    assert state == "broken"
    assert str(path) in why


def test_no_such_rootdir_is_an_error(tmp_path):
    with pytest.raises(BaselineError, match=r"nowhere: no such directory\. --rootdir"):
        find_orphans([], tmp_path / "nowhere")


def only(root):
    [file] = stored_files(root)
    return file


def test_removing_the_last_file_removes_the_folders_that_it_leaves_empty(tmp_path):
    path = put(tmp_path, "test_gone")
    assert remove(only(tmp_path)) == [
        path,
        path.parent,
        path.parent.parent,
        tmp_path / "tests/perf/__aiperf__",
    ]
    assert list((tmp_path / "tests").rglob("*")) == [tmp_path / "tests/perf"]


def test_folders_with_anything_in_them_stay(tmp_path):
    path = put(tmp_path, "test_gone")
    (path.parent.parent / "notes.txt").touch()
    assert remove(only(tmp_path)) == [path, path.parent]


def test_a_baseline_directory_of_another_name_stays(tmp_path):
    put(tmp_path, "test_gone", folder=tmp_path / "mine")
    remove(only(tmp_path / "mine"))
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_file_that_is_gone_already_is_an_error(tmp_path):
    path = put(tmp_path, "test_gone")
    file = only(tmp_path)
    path.unlink()
    with pytest.raises(BaselineError, match="cannot be deleted"):
        remove(file)


class TestFinding:
    """Which files are baselines at all."""

    def test_every_baseline_directory_below_is_searched_in_order(self, tmp_path):
        paths = [put(tmp_path, "test_a", where=f"{folder}/test_x.py") for folder in ("b", "a/deep")]
        assert [file.path for file in stored_files(tmp_path)] == sorted(paths)

    def test_part_of_one_can_be_named(self, tmp_path):
        path = put(tmp_path, "test_a", profile="l4")
        put(tmp_path, "test_a", profile="h100x1")
        for start in (path.parent.parent, path.parent):
            assert [file.path for file in stored_files(start)] == [path]
        assert stored_files(path.parent)[0].profile == "l4"
        assert stored_files(path.parent)[0].directory == tmp_path / "tests/perf/__aiperf__"

    def test_hidden_folders_other_files_and_other_depths_are_passed_over(self, tmp_path):
        path = put(tmp_path, "test_a")
        put(tmp_path, "test_a", where=".venv/test_x.py")
        shutil.copy(path, path.parent.parent / path.name)
        shutil.copy(path, path.with_name("notes.json"))
        assert [file.path for file in stored_files(tmp_path)] == [path]

    def test_links_lead_nowhere(self, tmp_path):
        kept = put(tmp_path / "in", "test_a")
        outside = put(tmp_path / "out", "test_gone")
        kept.with_name("link-01234567.json").symlink_to(outside)
        (kept.parent.parent / "folder").symlink_to(outside.parent)
        found = {file.path.name: file.problem for file in stored_files(tmp_path / "in")}
        assert found.keys() == {kept.name, "link-01234567.json"}
        assert found[kept.name] is None
        assert "leads out of" in found["link-01234567.json"]

    def test_a_broken_one_is_returned_with_its_problem_and_the_others_are_read(self, tmp_path):
        good, bad = put(tmp_path, "test_a"), put(tmp_path, "test_b")
        bad.write_text('{"schema": 99}')
        found = {file.path: file for file in stored_files(tmp_path)}
        assert found[good].baseline is not None
        assert found[bad].baseline is None
        assert "newer pytest-aiperf" in found[bad].problem

    def test_no_folder_and_no_baselines_are_errors_that_say_so(self, tmp_path, monkeypatch):
        with pytest.raises(BaselineError, match=r"nowhere: no such directory\."):
            stored_files(tmp_path / "nowhere")
        with pytest.raises(BaselineError, match=r"no baselines in it\. Record them"):
            stored_files(tmp_path)
        (tmp_path / "file").touch()
        with pytest.raises(BaselineError, match="is not a directory"):
            stored_files(tmp_path / "file")
        put(tmp_path, "test_a", folder=tmp_path / "mine")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(BaselineError, match="name the directory that --aiperf-baseline-dir was given"):
            stored_files(None)
