"""The hooks for `conftest.py` (surface.md 2): each one is called where it says, and what it gives is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from perf_suite import ONE_TEST, SLOW

from pytest_aiperf.pytest_plugin import hookspecs

LOGGED = """
    import os

    def log(hook, **what):
        where = os.environ.get("PYTEST_XDIST_WORKER", "main")
        with open("hooks.txt", "a") as file:
            file.write(f"{where} {hook} {what}\\n")
"""
ALL_HOOKS = """
    from logged import log

    def pytest_aiperf_collect_profile(config, endpoint):
        log("collect_profile", endpoint=endpoint)
        return "my-card"

    def pytest_aiperf_before_measure(item, name, config):
        log("before_measure", item=item.name, name=name, count=config.load.request_count)

    def pytest_aiperf_after_measure(item, name, result):
        log("after_measure", verdict=result.verdict)

    def pytest_aiperf_metrics(item, name, result):
        return {"twice_the_ttft": 2 * result.ttft.p50, "undefined": float("nan")}

    def pytest_aiperf_judge(item, name, result):
        log("judge", verdict=result.verdict)

    def pytest_aiperf_store_baseline(path, text):
        log("store_baseline", name=path.name, profile=path.parent.parent.name)

    def pytest_aiperf_update_report(config, document):
        log("update_report")
        document["session"]["ticket"] = "PERF-1"
"""


@pytest.fixture
def hooked(any_suite):
    any_suite.pytester.makepyfile(test_perf=ONE_TEST, logged=LOGGED)
    return any_suite


def hooks(suite):
    lines = (suite.pytester.path / "hooks.txt").read_text().splitlines()
    return [line.split(" ", 2)[:2] for line in lines]


def test_hooks_are_called_where_they_say_and_what_they_give_is_used(hooked):
    hooked.pytester.makeconftest(ALL_HOOKS)
    hooked.run("--aiperf-update").assert_outcomes(passed=1)
    where = "gw" if "-n2" in hooked.arguments else "main"
    called = hooks(hooked)
    assert [name for _, name in called] == [
        "collect_profile",
        "before_measure",
        "after_measure",
        "judge",
        "store_baseline",
        "update_report",
    ]
    assert all(process.startswith(where) for process, _ in called[:4])
    assert [process for process, _ in called[4:]] == ["main", "main"]
    document = json.loads((hooked.pytester.path / "out.json").read_text())  # with a key of the hook's own
    (measurement,) = document["measurements"]
    assert document["session"]["ticket"] == "PERF-1"
    assert measurement["profile"] == "my-card"
    ttft = measurement["metrics"]["time_to_first_token"]["p50"]
    assert measurement["extra"] == {"twice_the_ttft": pytest.approx(2 * ttft), "undefined": None}
    assert hooked.baselines()[0].parts[-3] == "my-card"


def test_a_rule_of_ones_own_fails_the_test(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.pytester.makeconftest(
        """
        def pytest_aiperf_judge(item, name, result):
            if result.ttft.p50 > 1:
                return f"{item.name} is not fast enough for us"
        """
    )
    result = suite.run("--aiperf-mode=measure")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED test_perf.py::test_chat - * is not fast enough for us"])


def test_baselines_may_live_elsewhere(any_suite):
    any_suite.pytester.makepyfile(test_perf=ONE_TEST)
    any_suite.pytester.makeconftest(
        """
        import pathlib

        STORE = pathlib.Path(__file__).parent / "elsewhere"

        def pytest_aiperf_store_baseline(path, text):
            STORE.mkdir(exist_ok=True)
            (STORE / path.name).write_text(text)
            return True

        def pytest_aiperf_load_baseline(path):
            stored = STORE / path.name
            return stored.read_text() if stored.exists() else None
        """
    )
    any_suite.run("--aiperf-update").assert_outcomes(passed=1)
    assert any_suite.baselines() == []
    any_suite.run(endpoint=SLOW).assert_outcomes(failed=1)
    assert any_suite.verdicts() == ["regressed"]


def test_the_server_is_restarted_before_a_confirming_session(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST, logged=LOGGED)
    suite.pytester.makeconftest(
        """
        from logged import log

        def pytest_aiperf_restart_server(item, endpoint):
            log("restart_server", endpoint=endpoint)
            return True
        """
    )
    suite.run("--aiperf-update").assert_outcomes(passed=1)
    assert not (suite.pytester.path / "hooks.txt").exists()
    suite.run(endpoint=SLOW).assert_outcomes(failed=1)
    assert hooks(suite) == [["main", "restart_server"]]


def test_what_is_no_mapping_of_figures_is_an_error_that_names_the_hook(suite):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.pytester.makeconftest("def pytest_aiperf_metrics(item, name, result): return 3")
    result = suite.run("--aiperf-mode=measure")
    result.assert_outcomes(errors=1)
    assert "pytest_aiperf_metrics gave 3" in result.stdout.str()


def test_every_hook_has_a_test_here():
    source = Path(__file__).read_text(encoding="utf-8")
    for name in vars(hookspecs):
        if name.startswith("pytest_aiperf_"):
            assert f"def {name}(" in source, name
