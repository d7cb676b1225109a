"""Two pytest sessions on one machine take turns at an endpoint (surface.md 4)."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from process_family import ANY_NOISE, DEADLINE_S, family, load_workers, pytest_run, until

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
                [*command, "--aiperf-mode=measure", ANY_NOISE, *arguments],
                cwd=folder,
                stdout=subprocess.PIPE,
                text=True,
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
            pytest.raises(
                MeasurementError, match=r"another measurement of localhost:1234, by process \d+ in /"
            ),
            endpoint_lock(["http://127.0.0.1:1234"], longest_wait_s=0.1),
        ):
            pytest.fail("it was let in")
        process.kill()
        process.wait()
        with endpoint_lock(["http://127.0.0.1:1234"], longest_wait_s=5.0):
            pass  # what a killed process held is free


LONG = SUITE.replace("request_count=20", "request_count=4000")


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n2",)], ids=["alone", "n2"])
def test_who_waits_says_so_and_goes_on_when_the_other_session_is_killed(server, tmp_path, arguments):
    common = (f"--aiperf-endpoint={server}", "--aiperf-mode=measure", ANY_NOISE)
    for folder, text in (("first", LONG), ("second", SUITE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_perf.py").write_text(textwrap.dedent(text))
        (tmp_path / folder / "pytest.ini").write_text("[pytest]\n")
    with pytest_run(tmp_path / "first", *common, "-p", "no:xdist") as first:
        until(lambda: load_workers(first.pid), "the first one's load")
        with pytest_run(tmp_path / "second", *common, *arguments) as second:
            lines = iter(second.stdout.readline, "")
            said = next(line for line in lines if line.startswith("aiperf: this session has waited"))
            assert f"now measuring there: pytest (pid {first.pid}) in {tmp_path / 'first'}, for " in said
            first.send_signal(signal.SIGKILL)
            output, _ = second.communicate(timeout=100)
            assert "2 passed" in output
    until(lambda: not family(first.pid), "the processes of the first one to end")


ORDER = """
import sys, time
from pathlib import Path
from pytest_aiperf.services.endpoint_lock import endpoint_lock

print(1, flush=True)
sys.stdin.readline()
for _ in range(5):
    with endpoint_lock(["http://localhost:1237"]):
        with open("order", "a") as file:
            file.write(sys.argv[1])
        time.sleep(0.2)  # longer than the other one takes to look again
"""


def test_two_that_measure_one_thing_after_the_other_take_turns(tmp_path):
    with ExitStack() as stack:
        processes = []
        for name in "ab":
            command = [sys.executable, "-c", ORDER, name]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            process = stack.enter_context(subprocess.Popen(command, cwd=tmp_path, **pipes))
            stack.callback(process.kill)
            processes.append(process)
        for process in processes:
            process.stdout.readline()  # both are there
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait(DEADLINE_S) for process in processes] == [0, 0]
    order = (tmp_path / "order").read_text()
    assert order in ("ababababab", "bababababa")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of lock files, not made yet."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / f"pytest-aiperf-{os.getuid()}"


def a_file(folder):
    folder.touch()


def a_link(folder):
    folder.with_name("elsewhere").mkdir()
    folder.symlink_to(folder.with_name("elsewhere"))
    os.lchown(folder, 12345, 12345)


def of_somebody_else(folder):
    folder.mkdir()
    os.chown(folder, 12345, 12345)


def a_folder_in_the_way(folder):
    with endpoint_lock(["http://localhost:1238"]):
        pass
    for file in list(folder.iterdir()):
        file.unlink()
        file.mkdir()


AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")


@pytest.mark.parametrize(
    "spoil",
    [
        a_file,
        pytest.param(a_link, marks=AS_ROOT),
        pytest.param(of_somebody_else, marks=AS_ROOT),
        a_folder_in_the_way,
    ],
)
def test_without_a_place_for_lock_files_the_message_says_what_to_do(folder, spoil):
    spoil(folder)
    with (
        pytest.raises(MeasurementError, match=r"(?s)lock file.*Set TMPDIR to a folder of your own"),
        endpoint_lock(["http://localhost:1238"]),
    ):
        pytest.fail("it was let in")


def test_a_full_disk_is_an_error_that_says_so(folder, monkeypatch):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder.mkdir()
    assert tempfile.gettempdir() == str(folder.parent)  # which it remembers
    monkeypatch.setattr(os, "open", full)
    with (
        pytest.raises(MeasurementError, match="No space left on device"),
        endpoint_lock(["http://localhost:1238"]),
    ):
        pytest.fail("it was let in")


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n1",)], ids=["alone", "n1"])
def test_a_session_without_a_place_for_lock_files_has_errors_and_does_not_crash(folder, pytester, arguments):
    folder.touch()
    pytester.makepyfile(textwrap.dedent(SUITE) + "\ndef test_ordinary(): pass\n")
    result = pytester.runpytest_subprocess("--aiperf-endpoint=http://localhost:9", *arguments)
    result.assert_outcomes(errors=2, passed=1)
    result.stdout.fnmatch_lines(["*MeasurementError: no lock files can be made in *"])


@pytest.mark.parametrize("url", ["http://a:99999999", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_an_error_of_the_test(pytester, url):
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess(f"--aiperf-endpoint={url}", "-p", "no:xdist")
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR)


def take(urls):
    with endpoint_lock(urls, longest_wait_s=0.1):
        return True


def test_a_lock_that_is_held_may_be_taken_again_by_another_thread_too():
    urls = ["http://127.0.0.1:1236", "http://localhost:1236/v1"]
    with endpoint_lock(urls), ThreadPoolExecutor(1) as threads:
        assert take(urls)
        assert threads.submit(take, urls).result()
