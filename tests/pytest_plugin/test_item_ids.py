"""A test id can hold anything: each has a file of its own, inside the baseline directory, and finds it again."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from perf_suite import Suite
from process_family import ANY_NOISE

from pytest_aiperf.baseline import inventory
from pytest_aiperf.pytest_plugin import baseline_home
from pytest_aiperf.pytest_plugin.item_id import file_id, item_id

SHORT = "mock://?ttft_ms=20&itl_ms=2&osl=2"
LOAD = "concurrency=10, isl=8, osl=2, request_count=20"
HOSTILE = f"""
    import pytest

    pytestmark = pytest.mark.aiperf({LOAD})
    IDS = [
        "../../../../escaped", "/etc/passwd", "x" * 300, "x" * 299 + "y", "\\U0001f680" * 80, "a\\nb", "a\\0b",
        "A", "a", "\\xe9", "e\\u0301", "C:\\\\..\\\\con.", "a::b",
    ]

    @pytest.mark.parametrize("p", range(len(IDS)), ids=IDS)
    def test_id(aiperf, p):
        aiperf.run()

    class TestA:
        class TestB:
            def test_name(self, aiperf):
                for name in ("../up", "\\x1b[2J", "\\U0001f680" * 90, "a\\0\\n#b"):
                    aiperf.run(name=name)
"""
N_HOSTILE = 13 + 4


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_hostile_ids_names_and_profiles_are_recorded_inside_and_found_again(pytester):
    inner = pytester.mkdir("inner")
    (inner / "perf").mkdir()
    (inner / "perf/test_ids.py").write_text(HOSTILE.replace("\n    ", "\n"))
    (inner / "pytest.ini").write_text(
        "[pytest]\ndisable_test_id_escaping_and_forfeit_all_rights_to_community_support = true\n"
    )
    os.chdir(inner)
    profile = "--aiperf-profile=../../\U0001f680 h100"
    recorded = Suite(pytester, ("-n2", ANY_NOISE, "-p", "no:cacheprovider")).run(
        "--aiperf-update", profile, "--junitxml=out.xml", endpoint=SHORT
    )
    recorded.assert_outcomes(passed=14)
    home = inner / "perf/__aiperf__"
    files = files_in(home)
    assert len(files) == N_HOSTILE
    assert len({str(path).casefold() for path in files}) == N_HOSTILE
    assert {len(path.relative_to(home).parts) for path in files} == {3}
    assert all(len(os.fsencode(part)) <= 255 for path in files for part in path.relative_to(home).parts)
    written = files_in(pytester.path) - files - files_in(inner / ".aiperf")
    ours = {"test_ids.py", "pytest.ini", "out.json", "out.xml"}
    assert {path.name for path in written} <= ours | {"stdout", "stderr"}
    ElementTree.parse("out.xml")

    checked = pytester.runpytest_subprocess(
        f"--aiperf-endpoint={SHORT}",
        "--aiperf-mode=measure",
        "--aiperf-json=out.json",
        ANY_NOISE,
        profile,
        timeout=120,
    )
    assert "INTERNALERROR" not in checked.stdout.str()
    measurements = json.loads((inner / "out.json").read_text())["measurements"]
    assert {inner / m["baseline"] for m in measurements} == files


def test_what_cannot_be_a_name_is_an_error_that_says_so_also_under_xdist(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("name", ["\\ud800", "", 8, []])
        def test_x(aiperf, name):
            aiperf.run(name=name)
        """
    )
    result = Suite(pytester, ("-n1",)).run()
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["E * ConfigurationError: name=*: write a text that is not empty*"] * 4)


ORDINARY = f"""
import pytest

@pytest.mark.aiperf({LOAD})
def test_chat(aiperf):
    aiperf.run()
"""


def test_tests_of_one_name_in_several_places_have_files_of_their_own(pytester):
    root, link = pytester.mkdir("root"), pytester.path / "link"
    link.symlink_to(root)
    away = [pytester.path / "away/one", pytester.path / "away/two"]
    for folder in (root / "a", root / "b", *away):
        folder.mkdir(parents=True)
        (folder / "test_same.py").write_text(ORDINARY)
    (root / "pytest.ini").write_text("[pytest]\n")
    os.chdir(root)
    suite = Suite(
        pytester, (ANY_NOISE, "--import-mode=importlib", "-c", str(root / "pytest.ini"), "--rootdir")
    )

    recorded = suite.run(str(root), "--aiperf-update=all", "a", "b", str(away[0]), endpoint=SHORT)
    recorded.assert_outcomes(passed=3)
    for folder in (root / "a", root / "b", away[0]):
        assert len(list((folder / "__aiperf__/default/test_same").iterdir())) == 1

    suite.run(str(link), "--aiperf-mode=measure", "a", "b", str(away[0]), endpoint=SHORT)
    measurements = json.loads((root / "out.json").read_text())["measurements"]
    assert [m["key"]["test"] for m in measurements] == [
        "a/test_same.py::test_chat",
        "b/test_same.py::test_chat",
        "test_same.py::test_chat",
    ]
    assert None not in [m["baseline"] for m in measurements]

    shared = suite.run(
        str(root),
        "--aiperf-baseline-dir=kept",
        "--aiperf-update=all",
        "a",
        "b",
        *map(str, away),
        endpoint=SHORT,
    )
    shared.assert_outcomes(passed=2, errors=2)
    assert len(list((root / "kept/default/test_same").iterdir())) == 2
    shared.stdout.fnmatch_lines(
        ["E * ConfigurationError: */away/one/test_same.py and */away/two/test_same.py would have the same *"]
    )


NESTING = """
    import pytest

    class Block(pytest.Collector):
        def collect(self):
            yield Check.from_parent(self, name="check")

    class Check(pytest.Item):
        def runtest(self):
            pass

    class Sheet(pytest.File):
        def collect(self):
            yield Block.from_parent(self, name="one")
            yield Block.from_parent(self, name="two")

    def pytest_collect_file(file_path, parent):
        if file_path.suffix == ".sheet":
            return Sheet.from_parent(parent, path=file_path)

    def pytest_collection_modifyitems(items):
        for item in items:
            item.add_marker("aiperf")
"""


def test_what_is_not_python_has_an_id_and_fails_when_it_is_marked_and_measures_nothing(suite):
    suite.pytester.makeconftest(NESTING)
    (suite.pytester.path / "a.sheet").touch()
    suite.pytester.makepyfile(test_doc='def test_f():\n    """\n    >>> 1\n    1\n    """')
    result = suite.run("--doctest-modules", endpoint=None)
    result.assert_outcomes(failed=4)
    assert "INTERNALERROR" not in result.stdout.str()
    items, _ = suite.pytester.inline_genitems("--doctest-modules", "-p", "no:asyncio")
    assert sorted(map(item_id, items)) == [
        "a.sheet::one::check",
        "a.sheet::two::check",
        "test_doc.py::test_doc.test_f",
        "test_doc.py::test_f",
    ]


def test_ids_of_ordinary_tests_are_as_they_always_were(pytester):
    pytester.makepyfile(
        test_chat="""
        import unittest
        import pytest

        def test_plain(): pass

        @pytest.mark.parametrize("b", ["x", "y"])
        @pytest.mark.parametrize("a", [8])
        def test_given(a, b): pass

        class TestOuter:
            class TestInner:
                def test_deep(self): pass

        class Case(unittest.TestCase):
            def test_case(self): pass
        """
    )
    items, _ = pytester.inline_genitems("-p", "no:asyncio")
    assert [item_id(item) for item in items] == [
        "test_chat.py::test_plain",
        "test_chat.py::test_given[8-x]",
        "test_chat.py::test_given[8-y]",
        "test_chat.py::TestOuter::TestInner::test_deep",
        "test_chat.py::Case::test_case",
    ]


def test_a_link_below_the_root_directory_keeps_the_name_it_is_reached_by(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "real/impl.py").touch()
    (tmp_path / "root/test_link.py").symlink_to(tmp_path / "real/impl.py")
    assert file_id(tmp_path / "root/test_link.py", tmp_path / "root") == "test_link.py"
    (tmp_path / "alias").symlink_to(tmp_path / "root")
    assert file_id(tmp_path / "alias/test_link.py", tmp_path / "root") == "test_link.py"
    assert file_id(tmp_path / "root/test_link.py", tmp_path / "alias") == "test_link.py"


def test_the_plugin_and_the_command_look_into_the_same_folders():
    """The plugin has a constant of its own: the command's module imports pydantic."""
    assert baseline_home.FOLDER == inventory.FOLDER
