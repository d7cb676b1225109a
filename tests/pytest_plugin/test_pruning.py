"""`--aiperf-prune` deletes what no test owns, and nothing at all where that cannot be known."""

from __future__ import annotations

from pathlib import Path

import pytest
from process_family import ANY_NOISE

from pytest_aiperf.baseline import keys, store
from pytest_aiperf.baseline.schema import Baseline, BaselineKey, Environment, Recorded, Run, Session
from pytest_aiperf.exporters.pruning_text import MOST, deleted_lines, refusal_lines

FASTEST = "mock://?ttft_ms=5&itl_ms=1&osl=4"
LOAD = "concurrency=8, isl=8, osl=4, request_count=20, judge=False"
PERF = f"""
    import pytest

    pytestmark = pytest.mark.aiperf({LOAD})

    def test_chat(aiperf):
        aiperf.run()
        aiperf.run(name="long", osl=5)

    def test_fails_when_it_has_measured(aiperf):
        aiperf.run(name="first")
        pytest.fail("wrong")
        aiperf.run(name="second")
"""
ONE = f"""
    import pytest

    @pytest.mark.aiperf({LOAD})
    def test_chat(aiperf):
        aiperf.run()

    def test_plain():
        pass
"""
REFUSED = "aiperf: --aiperf-prune deleted nothing: "


def put(root: Path, test: str, name: str | None = None, *, profile="default", folder=None) -> Path:
    """Store a baseline of a test where the plugin would."""
    directory = folder or (root / test.partition("::")[0]).parent / "__aiperf__"
    path = keys.baseline_path(directory, profile=profile, test=test, name=name)
    session = Session(
        id="one",
        runs=(Run(n_ok=1, n_err=0, window_s=1.0, metrics={}),),
        environment=Environment(client="by hand"),
        recorded=Recorded(at="2026-11-23T00:00:00Z"),
    )
    key = BaselineKey(test=test, name=name, workload="0" * 64, load={})
    store.save(path, store.dump(Baseline(key=key, anchor="one", sessions=(session,))))
    return path


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line[4:] for line in text.splitlines()))


@pytest.fixture
def root(pytester):
    """With an ini file, so that the root directory does not depend on arguments."""
    pytester.makeini("[pytest]\n")
    return pytester.path


def refusals(result: pytest.RunResult) -> list[str]:
    return [line.removeprefix(REFUSED) for line in result.outlines if line.startswith(REFUSED)]


def test_only_what_this_session_shows_to_be_without_a_test_is_deleted(any_suite, root):
    write(
        root, perf__test_chat=PERF, other__test_chat=ONE, perf__sub__test_plain="    def test_plain(): pass"
    )
    gone = [
        put(root, "perf/test_chat.py::test_chat", "renamed"),
        put(root, "perf/test_chat.py::test_chat[8]"),
        put(root, "perf/test_chat.py::TestChat::test_gone"),
        put(root, "perf/test_gone.py::test_x"),
        put(root, "perf/sub/test_plain.py::test_plain"),
        put(root, "before/test_chat.py::test_x", folder=root / "perf/__aiperf__"),
    ]
    kept = [
        put(root, "perf/test_chat.py::test_chat"),
        put(root, "perf/test_chat.py::test_chat", "long"),
        put(root, "perf/test_chat.py::test_fails_when_it_has_measured", "second"),
        put(root, "perf/test_chat.py::test_gone", profile="h100x1"),
        put(root, "test_chat.py::test_gone", folder=root / "perf/__aiperf__"),
        put(root, "other/test_chat.py::test_gone"),
        put(root, "outside/test_x.py::test_gone"),
        root / "perf/__aiperf__/default/test_chat/broken-01234567.json",
        root / "perf/__aiperf__/default/linked",
        root / "perf/__aiperf__/default/test_chat/link-01234567.json",
    ]
    kept[-3].write_text("{")
    kept[-2].symlink_to(kept[-4].parent)
    kept[-1].symlink_to(kept[-4])

    result = any_suite.run("--aiperf-prune", "perf", ANY_NOISE, endpoint=FASTEST)

    result.assert_outcomes(passed=2, failed=1)
    assert [path for path in kept if not path.exists()] == []
    assert [path for path in gone if path.exists()] == []
    assert not (root / "perf/sub/__aiperf__").exists()
    said = [line.removeprefix("aiperf: deleted ") for line in result.outlines if "aiperf: deleted" in line]
    assert sorted(said) == sorted(str(path.relative_to(root)) for path in gone)
    result.stdout.fnmatch_lines(["aiperf: 6 baselines deleted that no test owns: commit that; 3 kept *"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("-k", "plain"), ["1 test deselected: perf/test_chat.py::test_chat"]),
        (("-n2", "-m", "aiperf"), ["2 tests deselected: perf/test_chat.py::test_plain"]),
        (("--deselect=perf/test_chat.py",), ["2 tests deselected: perf/test_chat.py::test_chat"]),
        (("-p", "thief"), ["1 test deselected: perf/test_other.py::test_plain"]),
        (("perf/test_chat.py",), ["not every test of perf was collected", "nothing was measured"]),
        (
            ("perf/test_chat.py::test_chat", "perf/test_other.py"),
            ["not every test of perf was collected"],
        ),
        (
            ("--aiperf-mode=quick", "--aiperf-against=mock://", "--lf"),
            [
                "--aiperf-mode=quick measures nothing that has a baseline",
                "--aiperf-against measures nothing that has a baseline",
                "--lf leaves out whole files without a word",
            ],
        ),
        (("--aiperf-mode=off",), ["--aiperf-mode=off measures nothing that has a baseline"]),
        (("-x", "-p", "failing"), ["the session was stopped before its end"]),
        (("-p", "leaving"), ["the session was stopped before its end"]),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_a_session_that_left_something_out_deletes_nothing(suite, root, arguments, why):
    write(
        root,
        perf__test_chat=ONE,
        perf__test_other="    def test_plain(): pass",
        thief="    def pytest_collection_modifyitems(items): items.pop()",
        failing="    def pytest_runtest_call(): raise ValueError",
        leaving='    import pytest\n    def pytest_runtest_call(): pytest.exit("enough", returncode=0)',
    )
    suite.pytester.syspathinsert()
    stale = put(root, "perf/test_chat.py::test_gone")
    result = suite.run("--aiperf-prune", *arguments, endpoint=None)
    assert refusals(result)[: len(why)] == why
    assert result.ret != 0
    assert stale.exists()
    result.stdout.fnmatch_lines(["aiperf: * run the whole folder without a selection, or *"])


def test_paths_that_make_up_a_folder_select_all_of_it(suite, root):
    write(root, perf__test_chat=ONE, perf__test_other="    def test_plain(): pass")
    result = suite.run("--aiperf-prune", "perf/test_chat.py", "perf/test_other.py", endpoint=None)
    assert refusals(result) == ["nothing was measured"]


def test_a_file_that_could_not_be_collected_is_a_reason(suite, root):
    write(root, perf__test_chat=ONE, elsewhere__test_broken="    import nowhere_to_be_found")
    stale = put(root, "perf/test_chat.py::test_gone")
    result = suite.run("--aiperf-prune", "--continue-on-collection-errors", endpoint=None)
    assert "1 file or folder could not be collected: elsewhere/test_broken.py" in refusals(result)
    assert stale.exists()


def test_every_test_that_did_not_measure_is_a_reason(suite, root):
    more = """
    @pytest.mark.aiperf
    @pytest.mark.skipif(True, reason="not here")
    def test_skipped(aiperf):
        aiperf.run()

    def test_fails_before(aiperf):
        pytest.fail("early")

    def test_measures_nothing(aiperf):
        pass
    """
    write(root, perf__test_chat=ONE.rstrip() + "\n" + more)
    stale = put(root, "perf/test_chat.py::test_gone")
    result = suite.run("--aiperf-prune", ANY_NOISE, endpoint=FASTEST)
    assert refusals(result) == [
        "perf/test_chat.py::test_skipped was skipped",
        "perf/test_chat.py::test_fails_before failed before it measured",
        "perf/test_chat.py::test_measures_nothing measured nothing",
    ]
    assert stale.exists()


def test_a_test_file_with_baselines_that_was_not_collected_is_a_reason(suite, root):
    write(root, perf__test_chat=ONE, perf__test_ignored=ONE)
    stale = put(root, "perf/test_chat.py::test_gone")
    ignored = put(root, "perf/test_ignored.py::test_chat")
    result = suite.run("--aiperf-prune", "--ignore=perf/test_ignored.py", ANY_NOISE, endpoint=FASTEST)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert refusals(result) == [
        f"perf/test_ignored.py has {ignored.relative_to(root)}, but was not collected in full"
    ]
    assert stale.exists()


def test_a_worker_that_crashed_may_have_owned_anything(suite, root):
    crash = "    import os\n    def test_crash(): os._exit(9)"
    write(root, perf__test_chat=ONE, unit__test_crash=crash)
    stale = put(root, "perf/test_chat.py::test_gone")
    result = suite.run("--aiperf-prune", "-n1", ANY_NOISE, endpoint=FASTEST)
    assert any(reason.startswith("worker gw") for reason in refusals(result))
    assert stale.exists()


def test_a_shared_directory_wants_all_the_tests_that_have_baselines_in_it(suite, root):
    write(root, a__test_chat=ONE.replace(", judge=False", ""), b__test_plain="    def test_plain(): pass")
    shared = root / "kept"
    other = put(root, "b/test_plain.py::test_gone", folder=shared)
    gone = put(root, "a/test_gone.py::test_x", folder=shared)
    kept = [
        put(root, "gone/test_chat.py::test_x", folder=shared),
        put(root, "test_far.py::test_x", folder=shared),
        put(root, "a/test_chat.py::test_gone"),
    ]
    given = ("--aiperf-prune", "--aiperf-baseline-dir=kept")
    part = suite.run(*given, "--aiperf-mode=measure", "a", ANY_NOISE, endpoint=FASTEST)
    assert refusals(part) == [f"b/test_plain.py has {other.relative_to(root)}, but was not collected in full"]
    assert gone.exists()

    whole = suite.run(*given, "--aiperf-update=missing", ANY_NOISE, endpoint=FASTEST)
    assert whole.ret == 0
    assert [path for path in (other, gone) if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    recorded = keys.baseline_path(shared, profile="default", test="a/test_chat.py::test_chat", name=None)
    assert recorded.exists()


def test_looking_deletes_nothing_and_says_nothing(suite, root):
    write(root, perf__test_chat=ONE)
    stale = put(root, "perf/test_chat.py::test_gone")
    result = suite.run("--aiperf-prune", "--collect-only", "-q", endpoint=None)
    assert result.ret == 0
    assert stale.exists()
    assert not any(line.startswith("aiperf: --aiperf-prune") for line in result.outlines)


def test_many_deleted_files_are_counted_beyond_the_first():
    lines = list(deleted_lines([f"f{i}" for i in range(MOST + 3)], kept=0))
    assert len(lines) == MOST + 2
    assert lines[-2:] == ["deleted 3 more", f"{MOST + 3} baselines deleted that no test owns: commit that"]
    assert list(deleted_lines([], kept=0)) == ["--aiperf-prune: nothing to delete"]


def test_what_an_id_holds_does_not_reach_the_terminal():
    assert not any(
        "\x1b" in line for line in [*deleted_lines(["\x1b[2J"], kept=0), *refusal_lines(["\x1b[2J"])]
    )


def test_reasons_beyond_the_third_are_counted():
    lines = list(refusal_lines(["a", "b", "c", "d", "e"]))
    assert lines[3] == "--aiperf-prune deleted nothing: 2 more reasons"
