"""Where a baseline lives, and what it may be compared with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stored import KEY, baseline

from pytest_aiperf.baseline.keys import baseline_path, differences, profile_folder, slug
from pytest_aiperf.baseline.schema import BaselineKey

HOME = Path("/base/__aiperf__")


def path_of(test, name=None, profile="h100x1"):
    return baseline_path(HOME, profile=profile, test=test, name=name)


NASTY = st.text(max_size=300) | st.text(st.sampled_from("./\\~:#\0\n[]é🚀a-"), max_size=300)


@settings(deadline=None)
@given(NASTY, NASTY | st.none(), NASTY)
@example("../../etc/passwd::x", "../..", "..")
@example("tests/test_🚀.py::test[\n\0]", None, "")
@example("a" * 300 + "::" + "b" * 300, "c" * 300, "d" * 300)
@example("::", "", ".")
@example("..::..", None, "/")
@example("AUX.py::Con::x", None, "nul.txt")
@example("test_x..py::x", None, "h100.")
def test_a_file_is_always_inside_the_directory_and_its_name_fits(test, name, profile):
    path = path_of(test, name, profile)
    inside = Path(os.path.normpath(path)).relative_to(HOME)
    assert len(inside.parts) == 3
    assert inside == path.relative_to(HOME)
    assert all(len(part.encode()) <= 255 and part.isascii() and part.isprintable() for part in inside.parts)
    assert not any(part.startswith(".") for part in inside.parts)
    assert not any(part.endswith(".") for part in inside.parts)
    assert not any(part.partition(".")[0].lower() in ("con", "aux", "nul", "com1") for part in inside.parts)


@settings(deadline=None)
@given(NASTY, NASTY)
@example("a.py::t[x/y]", "a.py::t[x_y]")
@example("a.py::t[" + "x" * 300 + "1]", "a.py::t[" + "x" * 300 + "2]")
@example("a/test_x.py::t", "b/test_x.py::t")
@example("a.py::A::t", "a.py::A.t")
def test_different_tests_have_different_files(one, other):
    assert (path_of(one) == path_of(other)) == (one == other)


@settings(deadline=None)
@given(NASTY, st.none() | NASTY, NASTY, st.none() | NASTY)
@example("a.py::t", "b", "a.py::t#b", None)
@example("a.py::t", None, "a.py::t", "")
def test_named_measurements_have_files_of_their_own(test, name, other_test, other_name):
    same = (test, name) == (other_test, other_name)
    # A NUL cannot stand in an id or a name: it is what keeps them apart.
    if not any("\0" in (text or "") for text in (test, name, other_test, other_name)):
        assert (path_of(test, name) == path_of(other_test, other_name)) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [("t[A]", "t[a]"), ("T::t", "t::T"), ("t[\xe9]", "t[e\u0301]"), ("t[\u212b]", "t[\xc5]")],
    ids=["case", "class", "composed", "angstrom"],
)
def test_files_differ_where_file_systems_fold_case_or_normalise(one, other):
    paths = {str(path_of(f"a.py::{inner}")).casefold() for inner in (one, other)}
    assert len(paths) == 2


@settings(deadline=None)
@given(NASTY, NASTY)
@example("a b", "a/b")
@example("h100", ".h100")
@example("h100.", "h100")
@example("con", "_con")
@example("x" * 101, "x" * 102)
def test_different_profiles_have_different_folders(one, other):
    assert (profile_folder(one) == profile_folder(other)) == (one == other)


@settings(deadline=None)
@given(NASTY)
def test_the_folder_of_a_profile_is_the_folder_of_its_own_name(profile):
    folder = profile_folder(profile)
    assert profile_folder(folder) == folder
    assert len(folder) <= 100


@pytest.mark.parametrize("profile", ["default", "h100x8", "H100-80GB", "rtx_4090+cpu", "mi300x,2"])
def test_ordinary_profiles_are_folders_as_they_are(profile):
    assert path_of("a.py::t", profile=profile).parents[1].name == profile


def test_a_file_can_be_found_by_a_person():
    path = path_of("tests/perf/test_chat.py::TestChat::test_chat[8-long]", "cold")
    assert path.parent == HOME / "h100x1" / "test_chat"
    assert path.name.startswith("TestChat.test_chat[8-long]_cold-")
    assert path.suffix == ".json"


def test_paths_do_not_change_from_one_version_to_the_next():
    assert path_of("tests/test_chat.py::test_chat[8]").name == "test_chat[8]-7fd50fa8.json"


@pytest.mark.parametrize(
    ("text", "expected"), [("", "_"), ("..", "_"), ("a/b", "a_b"), ("...x", "x"), ("é", "_")]
)
def test_a_slug_is_a_safe_name_and_never_empty(text, expected):
    assert slug(text) == expected


def changed(**update):
    return differences(baseline(), KEY.model_copy(update=update))


def test_equal_keys_are_comparable():
    assert list(changed()) == []


def test_each_difference_is_said_in_a_phrase():
    assert list(changed(load=dict(KEY.load) | {"concurrency": 16})) == ["concurrency was 8, is 16"]
    assert list(changed(model="other")) == ["model was 'meta-llama/Llama-3.1-8B', is 'other'"]
    assert list(changed(accelerator=None)) == ["accelerator was 'NVIDIA H100 80GB HBM3', is None"]
    assert list(changed(accelerator_count=2)) == ["accelerator_count was 1, is 2"]
    assert list(changed(power_limit_w=400.0)) == ["power_limit_w was 700.0, is 400.0"]

    assert list(changed(accelerator_mig="1g.10gb")) == ["accelerator_mig was 'undivided', is '1g.10gb'"]
    assert list(changed(accelerator_memory_bytes=42_949_672_960)) == [
        "accelerator memory was 79.6 GiB, is 40.0 GiB"
    ]


@pytest.mark.parametrize("field", ["accelerator_memory_bytes", "accelerator_mig", "power_limit_w"])
def test_what_one_side_does_not_know_of_the_same_part_is_no_difference(field):
    """A file that was written before the field existed stays comparable."""
    assert list(changed(**{field: None})) == []
    older = baseline().model_copy(update={"key": KEY.model_copy(update={field: None})})
    assert list(differences(older, KEY)) == []


def test_a_part_of_which_nothing_is_known_is_a_difference():
    unknown = dict.fromkeys([name for name in BaselineKey.model_fields if name.startswith("accelerator")])
    assert "accelerator was 'NVIDIA H100 80GB HBM3', is None" in changed(**unknown)


@pytest.mark.parametrize("mebibytes", [40536, 40960])
def test_what_a_driver_keeps_for_itself_makes_no_other_part_of_it(mebibytes):
    """Two drivers' accounts of one card of 40 GB."""
    old = baseline().model_copy(
        update={"key": KEY.model_copy(update={"accelerator_memory_bytes": 40536 << 20})}
    )
    new = KEY.model_copy(update={"accelerator_memory_bytes": mebibytes << 20})
    assert list(differences(old, new)) == []


def test_a_setting_that_came_or_went_is_a_difference():
    assert list(changed(load=dict(KEY.load) | {"seed": 1})) == ["seed was None, is 1"]


def test_all_differences_are_told_at_once():
    assert len(changed(model="x", load=dict(KEY.load) | {"isl": 1, "osl": 1})) == 3


def test_other_requests_are_a_difference_of_their_own_only_when_nothing_explains_them():
    assert list(changed(workload="f" * 64)) == [
        "the requests themselves differ (workload c2e71f40, now ffffffff)"
    ]
    assert list(changed(workload="f" * 64, model="x")) == ["model was 'meta-llama/Llama-3.1-8B', is 'x'"]


def test_another_version_of_the_statistics_is_a_difference():
    old = baseline().model_copy(update={"stats_version": 0})
    assert list(differences(old, KEY)) == ["statistics version was 0, is 1"]
