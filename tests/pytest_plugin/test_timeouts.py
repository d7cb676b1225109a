"""What pytest-timeout does to a measurement: the load ends with it, and the next one has its turn."""

from __future__ import annotations

import json

import pytest
from process_family import ANY_NOISE, family, pytest_run, until

from pytest_aiperf.mock_server.options import MockOptions
from pytest_aiperf.services.endpoint_lock import endpoint_lock
from pytest_aiperf.services.mock_service import MockServerProcess

SUITE = """
import pytest

@pytest.mark.timeout(4, method={method!r})
@pytest.mark.aiperf(concurrency=4, isl=8, osl=4, request_count=20000)
def test_1_takes_too_long(aiperf):
    aiperf.run()

@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(2))
@pytest.mark.aiperf(concurrency=4, isl=8, osl=4, request_count=20)
def test_2_comes_next(aiperf, part):
    aiperf.run()
"""


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("signal", ("-p", "no:xdist")), ("signal", ("-n2",)), ("thread", ("-n2",))],
    ids=["signal-alone", "signal-n2", "thread-n2"],
)
def test_a_measurement_that_exceeds_its_timeout_ends_and_frees_the_server(tmp_path, method, arguments):
    (tmp_path / "test_slow.py").write_text(SUITE.format(method=method))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    with MockServerProcess(MockOptions(ttft_ms=20, itl_ms=1), log_dir=tmp_path) as server:
        common = (f"--aiperf-endpoint={server.url}", "--aiperf-update", "--aiperf-json=out.json")
        with pytest_run(tmp_path, *common, ANY_NOISE, *arguments) as process:
            output, _ = process.communicate(timeout=100)
            until(lambda: not family(process.pid), "its processes to end")
        with endpoint_lock([server.url], longest_wait_s=0.0):
            pass
        log = server.log()["requests"]
    assert "1 failed, 2 passed" in output, output
    assert ("Timeout" if method == "signal" else "crashed while running") in output
    assert len(list(tmp_path.rglob("__aiperf__/**/*.json"))) == 2
    document = json.loads((tmp_path / "out.json").read_text())
    measured = [m["test"].partition("::")[2] for m in document["measurements"] if m["verdict"] == "measured"]
    assert sorted(measured) == ["test_2_comes_next[0]", "test_2_comes_next[1]"]
    (lost,) = (m for m in document["measurements"] if m["verdict"] == "invalid")
    assert lost["test"].endswith("::test_1_takes_too_long")
    assert ("Timeout" if method == "signal" else "crashed while running") in lost["reason"]
    assert len(log) < 4000  # it has sent none of the rest while the others measured


def test_the_thread_method_without_xdist_ends_pytest_and_leaves_nothing(tmp_path):
    """So pytest-timeout says: it ends the process, and the reports of what was measured by then are not written."""
    (tmp_path / "test_slow.py").write_text(SUITE.format(method="thread"))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    with pytest_run(tmp_path, "--aiperf-endpoint=mock://?ttft_ms=20&itl_ms=1", "-p", "no:xdist") as process:
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 1
        assert "Timeout" in output
        until(lambda: not family(process.pid), "its processes to end")
