"""Where a marker comes from, and how a test comes by the fixture: declared, inherited, added late, asked for."""

from __future__ import annotations

import json

import pytest
from process_family import ANY_NOISE

LATE = """
    import pytest

    LOAD = pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, judge=False)

    @pytest.fixture
    def marked_on_the_way(request):
        request.node.add_marker(LOAD)

    def test_marked_by_a_fixture(marked_on_the_way, aiperf):
        aiperf.run()

    def test_marked_by_a_hook(aiperf):
        aiperf.run()

    def test_marked_wrongly_by_a_hook(aiperf):
        aiperf.run()

    def test_without_a_marker(aiperf):
        aiperf.run(concurrency=2, isl=8, osl=4, request_count=20, judge=False)

    @LOAD
    class TestOuter:
        @pytest.mark.aiperf(concurrency=4)
        class TestInner:
            @pytest.mark.aiperf(osl=5)
            def test_nested(self, aiperf):
                aiperf.run()

    @LOAD
    def test_asks_for_the_fixture(request):
        request.getfixturevalue("aiperf").run()

    @LOAD
    def test_has_no_fixture():
        pass
"""
HOOK = """
    import pytest

    def pytest_collection_modifyitems(items):
        for item in items:
            if item.name == "test_marked_by_a_hook":
                item.add_marker(
                    pytest.mark.aiperf(concurrency=6, isl=8, osl=4, request_count=20, judge=False)
                )
            if item.name == "test_marked_wrongly_by_a_hook":
                item.add_marker(pytest.mark.aiperf(concurency=6))
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "n2"])
def test_markers_count_wherever_they_come_from(suite, arguments):
    suite.pytester.makeconftest(HOOK)
    suite.pytester.makepyfile(test_late=LATE)
    result = suite.run("--strict-markers", "--aiperf-mode=quick", *arguments)
    result.assert_outcomes(passed=5, errors=1, failed=1)
    result.stdout.fnmatch_lines_random(
        [
            "aiperf marker: unknown argument 'concurency' (did you mean 'concurrency'?)",
            "FAILED test_late.py::test_has_no_fixture - Failed: marked aiperf, but it measured nothing: *",
        ]
    )
    loads = {m["test"].rpartition("::")[2]: m["load"] for m in suite.document()["measurements"]}
    assert {test: load["concurrency"] for test, load in loads.items()} == {
        "test_marked_by_a_fixture": 8,
        "test_marked_by_a_hook": 6,
        "test_without_a_marker": 2,
        "test_nested": 4,
        "test_asks_for_the_fixture": 8,
    }
    assert loads["test_nested"]["osl"] == 5
    assert loads["test_nested"]["isl"] == 8


UNANNOUNCED = """
    import pytest

    @pytest.fixture
    def late(request):
        request.node.add_marker(pytest.mark.aiperf(concurrency=2))
        return request.getfixturevalue("aiperf")

    def test_asks_while_it_runs(request):
        request.getfixturevalue("aiperf").run()

    def test_is_marked_too_late(late):
        late.run()
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "n2"])
def test_a_test_that_nobody_knew_to_measure_is_refused(suite, arguments):
    """Under xdist others run beside it: it was let in as an ordinary test."""
    suite.pytester.makepyfile(UNANNOUNCED)
    result = suite.run(*arguments)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*mark the test with @pytest.mark.aiperf, or name the fixture among its *"])
    assert suite.verdicts() == []
    suite.run("--aiperf-mode=off", *arguments).assert_outcomes(skipped=2)


def test_each_server_of_a_parametrised_endpoint_has_its_baseline(suite):
    suite.pytester.makepyfile(
        test_perf="""
        import pytest

        @pytest.fixture(scope="session", params=[5, 15], ids=["small", "large"])
        def aiperf_endpoint(request, aiperf_mock_server):
            return aiperf_mock_server(ttft_ms=request.param, itl_ms=1, osl=4)

        @pytest.mark.parametrize("part", ["a"])
        @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20)
        def test_chat(aiperf, part):
            aiperf.run()
        """
    )
    suite.run("--aiperf-update", ANY_NOISE, endpoint=None).assert_outcomes(passed=2)
    ttft = {
        data["key"]["test"]: data["sessions"][0]["runs"][0]["metrics"]["time_to_first_token"]["p50"]
        for data in (json.loads(path.read_text()) for path in suite.baselines())
    }
    assert set(ttft) == {"test_perf.py::test_chat[small-a]", "test_perf.py::test_chat[large-a]"}
    assert ttft["test_perf.py::test_chat[large-a]"] > ttft["test_perf.py::test_chat[small-a]"]


def test_a_wider_fixture_cannot_measure_and_pytest_says_why(suite):
    suite.pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def measured(aiperf):
            return aiperf.run()

        def test_chat(measured):
            pass
        """
    )
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["ScopeMismatch: *function scoped fixture aiperf with a module scoped *"])
