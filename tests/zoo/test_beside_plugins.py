"""Record, check, regress with all of them loaded."""

from __future__ import annotations

import html
import xml.etree.ElementTree as ElementTree

from zoo_suite import LOAD, SLOW

PERF = f"""
    import asyncio
    import random

    import numpy
    import pytest

    pytestmark = pytest.mark.aiperf({LOAD}, metrics=["ttft.p50"], tolerance={{"ttft.p50": "25%"}})

    @pytest.mark.parametrize("shape", ["<b>&"])
    def test_chat(aiperf, shape):
        state = random.getstate(), numpy.random.get_state()[1].tolist()
        aiperf.run()
        assert (random.getstate(), numpy.random.get_state()[1].tolist()) == state

    def test_fixture(aiperf_result):
        assert aiperf_result.ttft.p50 > 0

    async def test_awaited(aiperf):
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        await aiperf.arun()
        ticking.cancel()
        assert ticks > 3

    async def test_blocking(aiperf):
        aiperf.run()
"""
OTHERS = f"""
    import pytest

    def test_sum(benchmark):
        benchmark(sum, range(100))

    @pytest.mark.aiperf({LOAD}, judge=False)
    def test_timed(aiperf, benchmark, mocker):
        spy = mocker.spy(aiperf, "run")
        benchmark.pedantic(aiperf.run, rounds=1)
        spy.assert_called_once_with()
"""
HTML = """
    def pytest_html_results_table_header(cells):
        cells.insert(2, "<th>TTFT p50</th>")

    def pytest_html_results_table_row(report, cells):
        ttft = dict(report.user_properties).get("aiperf.time_to_first_token.p50")
        cells.insert(2, f"<td>{'' if ttft is None else f'{ttft:.1f} ms'}</td>")
"""
COVERAGE = """
[run]
patch = subprocess
parallel = true
"""
MEASURED = {"test_chat[<b>&]", "test_fixture", "test_awaited", "test_blocking"}


def test_record_check_regress(zoo, monkeypatch):
    zoo.write(test_perf=PERF, test_others=OTHERS, html_columns=HTML)
    (zoo.pytester.path / ".coveragerc").write_text(COVERAGE)
    recorded = zoo.run(
        "--aiperf-update=missing", "--cov=.", "--randomly-seed=1", "--store-durations", "--timeout=90"
    )
    recorded.assert_outcomes(passed=6)
    recorded.stdout.fnmatch_lines(["5 measured, 4 recorded", "test_perf.py * 100%"])
    assert zoo.ledger("child")
    assert not any(traced for _, traced in zoo.ledger("child"))
    before = {name: m["key"]["workload"] for name, m in zoo.measurements().items()}

    checked = {}
    for group in ("1", "2"):
        zoo.run("--splits=2", f"--group={group}", "--randomly-seed=2", "test_perf.py").assert_outcomes(
            passed=2
        )
        checked |= zoo.measurements()
    assert set(checked) == MEASURED
    assert {m["verdict"] for m in checked.values()} <= {"pass", "inconclusive"}
    assert {name: m["key"]["workload"] for name, m in checked.items()}.items() <= before.items()

    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    regressed = zoo.run(
        "--reruns=2", "--html=report.html", "--self-contained-html", "--junit-xml=junit.xml", "--instafail",
        "-p", "html_columns", "-k", "chat or fixture", endpoint=SLOW,
    )  # fmt: skip
    assert {"failed": 2, "rerun": 4}.items() <= regressed.parseoutcomes().items()
    tries = [average for _, name, average in zoo.ledger("ends") if name == "test_fixture"]
    assert len(set(tries)) == 3, "each try measures anew"
    assert zoo.measurements()["test_fixture"]["metrics"]["time_to_first_token"]["avg"] == tries[-1]
    output = regressed.stdout.str() + regressed.stderr.str()
    assert output.count("::error ") == 6, "the other plugin's, one a try; none of ours beside them"

    page = (zoo.pytester.path / "report.html").read_text()
    assert "<b>&" not in page
    shown = html.unescape(html.unescape(page))
    assert "Regression: ttft p50 +" in shown
    assert "test_chat[<b>&]' --aiperf-update=regressed" in shown
    assert shown.count(" ms</td>") >= 2
    cases = ElementTree.parse(zoo.pytester.path / "junit.xml").iter("testcase")
    properties = [{p.get("name"): p.get("value") for p in case.iter("property")} for case in cases]
    assert {p["aiperf.verdict"] for p in properties} == {"regressed"}


def test_repetitions_are_tests_of_their_own_and_order_is_kept(alone):
    alone.write(
        test_perf=f"""
        import pytest

        pytestmark = pytest.mark.aiperf({LOAD}, judge=False)

        @pytest.mark.order(2)
        def test_a(aiperf):
            aiperf.run()

        @pytest.mark.order(1)
        def test_b(aiperf):
            aiperf.run()
        """
    )
    alone.run("--count=2", "-p", "no:randomly").assert_outcomes(passed=4)
    assert [name for _, name in alone.ledger("begins")] == [
        "test_b[1-2]", "test_b[2-2]", "test_a[1-2]", "test_a[2-2]",
    ]  # fmt: skip
    assert set(alone.measurements()) == {"test_b[1-2]", "test_b[2-2]", "test_a[1-2]", "test_a[2-2]"}


def test_under_anyio_asyncio_can_be_awaited_and_trio_is_told_what_to_do(zoo):
    zoo.write(
        test_perf=f"""
        import pytest

        pytestmark = [pytest.mark.anyio, pytest.mark.aiperf({LOAD}, judge=False)]

        async def test_awaited(aiperf, anyio_backend_name):
            await aiperf.arun(name=anyio_backend_name)

        async def test_blocking(aiperf, anyio_backend_name):
            aiperf.run(name=anyio_backend_name)
        """
    )
    result = zoo.run("-o", "asyncio_mode=strict")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*ConfigurationError: aiperf.arun needs asyncio*call aiperf.run(*"])
    passed = {name for name, m in zoo.measurements().items() if m["verdict"] == "measured"}
    assert passed == {
        "test_awaited[asyncio]#asyncio",
        "test_blocking[asyncio]#asyncio",
        "test_blocking[trio]#trio",
    }
