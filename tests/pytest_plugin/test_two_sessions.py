"""Two pytest sessions on one machine take turns at an endpoint (surface.md 4)."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from pytest_aiperf.common.errors import MeasurementError
from pytest_aiperf.services.endpoint_lock import endpoint_lock

SUITE = """
    import pytest

    @pytest.mark.parametrize("part", range(2))
    @pytest.mark.aiperf(concurrency=8, isl=8, osl=4, request_count=20, model="mock")
    def test_chat(aiperf, part):
        aiperf.run()
"""
CALLS = """
    import json, time, pytest

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(item):
        begin = time.time()
        try:
            return (yield)
        finally:
            with open("calls.jsonl", "a") as file:
                file.write(json.dumps([begin, time.time()]) + "\\n")
"""


@pytest.fixture
def server(tmp_path):
    from pytest_aiperf.mock_server.options import MockOptions
    from pytest_aiperf.services.mock_service import MockServerProcess

    server = MockServerProcess(MockOptions(ttft_ms=20, itl_ms=1), log_dir=tmp_path)
    server.start()
    yield server.url
    server.stop()


def run_both(tmp_path, url, *arguments):
    """Run the suite twice at once, in two folders; return the calls of each."""
    with ExitStack() as stack:
        folders, processes = [tmp_path / "one", tmp_path / "two"], []
        for folder in folders:
            folder.mkdir()
            (folder / "test_perf.py").write_text(textwrap.dedent(SUITE))
            (folder / "conftest.py").write_text(textwrap.dedent(CALLS))
            (folder / "pytest.ini").write_text("[pytest]\n")
            command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--aiperf-endpoint={url}"]
            process = subprocess.Popen(
                [*command, "--aiperf-mode=measure", *arguments], cwd=folder, stdout=subprocess.PIPE, text=True
            )
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)
        outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)
    return [[json.loads(line) for line in (f / "calls.jsonl").read_text().splitlines()] for f in folders]


def test_measurements_of_two_sessions_never_overlap_at_one_endpoint(server, tmp_path):
    one, two = run_both(tmp_path, server)
    assert len(one) == len(two) == 2
    assert [(a, b) for a in one for b in two if a[0] < b[1] and b[0] < a[1]] == []


def test_who_waits_too_long_is_told_for_what(tmp_path):
    holder = "from pytest_aiperf.services.endpoint_lock import endpoint_lock\nimport sys\n"
    holder += "with endpoint_lock(['http://localhost:1234/v1']):\n  print(1, flush=True)\n  sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        with endpoint_lock(["http://localhost:1235"], longest_wait_s=0.1):
            pass  # another server
        with (
            pytest.raises(MeasurementError, match="another measurement of localhost:1234"),
            endpoint_lock(["http://127.0.0.1:1234"], longest_wait_s=0.1),
        ):
            pytest.fail("it was let in")
        process.kill()
        process.wait()
        with endpoint_lock(["http://127.0.0.1:1234"], longest_wait_s=5.0):
            pass  # what a killed process held is free


def take(urls):
    with endpoint_lock(urls, longest_wait_s=0.1):
        return True


def test_a_lock_that_is_held_may_be_taken_again_by_another_thread_too():
    urls = ["http://127.0.0.1:1236", "http://localhost:1236/v1"]
    with endpoint_lock(urls), ThreadPoolExecutor(1) as threads:
        assert take(urls)
        assert threads.submit(take, urls).result()
