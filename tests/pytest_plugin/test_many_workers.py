"""Forty tests on four workers, half of them measuring, told apart by the server's own log."""

from __future__ import annotations

import json

import pytest
from process_family import ANY_NOISE

from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.mock_service import MockServerProcess

TIMEOUT_S = 3.0
FORTY = f"""
    import time
    from pathlib import Path
    import pytest

    def wait_for(condition):
        while not condition():
            time.sleep(0.02)

    @pytest.mark.timeout(0)
    @pytest.mark.aiperf(isl=8, osl=4, request_count=20)
    def test_measures_and_takes_long(aiperf):
        aiperf.run(concurrency=1)
        asked = Path("asked-ordinary")
        wait_for(lambda: asked.exists() and time.time() > float(asked.read_text() or "inf") + {TIMEOUT_S} + 0.5)

    @pytest.mark.timeout(0)
    @pytest.mark.parametrize("number", range(19))
    @pytest.mark.aiperf(isl=8, osl=4, request_count=20)
    def test_measures(aiperf, number):
        aiperf.run(concurrency=2 + number)

    @pytest.mark.timeout(0)
    def test_opens():
        Path("opened").touch()
        wait_for(Path("asked-long").exists)
        time.sleep(0.5)  # it asks for its turn now

    @pytest.mark.timeout({TIMEOUT_S})
    @pytest.mark.parametrize("number", range(19))
    def test_ordinary(number):
        pass
"""
"""The first one holds its turn until a test has waited for longer than that one's own time limit.

For that it asks while `test_opens` runs, after which the same worker asks for an ordinary test.
"""

DIARY = """
    import json, time
    from pathlib import Path
    import pytest

    def pytest_collection_modifyitems(items):
        kinds = [[i for i in items if i.name.startswith(kind)] for kind in ("test_meas", "test_ord", "test_opens")]
        first, *measuring = kinds[0]
        # xdist gives each worker two tests to begin with
        items[:] = [first, kinds[1].pop(), *kinds[2], kinds[1].pop()]
        for measure in measuring:
            items += [measure, *kinds[1][:1]]
            del kinds[1][:1]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item):
        if "long" in item.name:
            while not Path("opened").exists():
                time.sleep(0.02)
        item.times = {"asked": time.time()}
        if "long" in item.name:
            Path("asked-long").touch()
        elif Path("asked-long").exists() and "ordinary" in item.name:
            Path("asked-ordinary").write_text(str(time.time()))
        try:
            return (yield)
        finally:
            with open(f"diary-{item.config.workerinput['workerid']}", "a") as file:
                file.write(json.dumps([item.name, item.times]) + "\\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item, call):
        item.times.setdefault("begun", call.start)
        item.times["ended"] = call.stop
        item.times["reported"] = item.times.get("reported", 0) + call.duration
        return (yield)
"""


@pytest.fixture
def forty(pytester):
    """Run them; return the rows of the diary by name, and the server's log."""
    pytester.makepyfile(test_forty=FORTY)
    pytester.makeconftest(DIARY)
    with MockServerProcess(MockOptions(ttft_ms=5, itl_ms=1), log_dir=pytester.path) as server:
        result = pytester.runpytest_subprocess(
            *(f"--aiperf-endpoint={server.url}", "--aiperf-mode=quick", "-n4", ANY_NOISE),
            *("--durations=0", "-vv"),
            timeout=170,
        )
        log = server.log()["requests"]
    result.assert_outcomes(passed=40)
    lines = [line for path in pytester.path.glob("diary-*") for line in path.read_text().splitlines()]
    return dict(map(json.loads, lines)), log, result


def test_forty_tests_on_four_workers(forty):
    diary, log, result = forty
    assert len(diary) == 40

    # The server saw nothing while any ordinary test ran, and one measurement at a time: it belongs to the only
    # measuring test that ran then.
    exchanges = [(one["t_recv_ns"] / 1e9, one["sent_ns"][-1] / 1e9) for one in log]
    measuring = {name: times for name, times in diary.items() if "measures" in name}
    ordinary = {name: times for name, times in diary.items() if "measures" not in name}
    assert len(measuring) == len(ordinary) == 20
    for times in ordinary.values():
        assert not any(begun < times["ended"] and times["begun"] < ended for begun, ended in exchanges)
    for begun, ended in exchanges:
        inside = [n for n, t in measuring.items() if t["begun"] <= begun and ended <= t["ended"]]
        beside = [n for n, t in measuring.items() if begun < t["ended"] and t["begun"] < ended]
        assert len(inside) == 1
        assert beside == inside

    # Waiting counts neither for pytest-timeout, or some would have failed, nor in durations.
    waits = {name: times["begun"] - times["asked"] for name, times in diary.items()}
    patient = [name for name in ordinary if waits[name] > TIMEOUT_S]
    assert patient
    for name in patient:
        assert ordinary[name]["reported"] < TIMEOUT_S
    durations = [line.split() for line in result.outlines if "::test_ordinary" in line and "s call " in line]
    assert len(durations) == 19
    assert all(float(seconds.rstrip("s")) < TIMEOUT_S for seconds, *_ in durations)

    # Both kinds went on: before the last measurement began, tests had been let in.
    last = max(times["begun"] for times in measuring.values())
    assert sum(times["begun"] < last for times in ordinary.values()) > 5
