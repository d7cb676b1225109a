"""A server that a fixture starts: restarted before a confirmation, missed when it ends, told of while it loads."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from perf_suite import ONE_TEST

from pytest_aiperf.common.errors import MeasurementError, ProcessDiedError
from pytest_aiperf.pytest_plugin.own_server import of_living_server

HERE = Path(__file__).parent
OWN_SERVER = """
    import os, sys
    from pathlib import Path
    import pytest
    from pytest_aiperf import ServerProcess

    # The server is a process that writes its id down and then becomes the embedded server.
    NOTING = "import os, sys; print(os.getpid(), file=open('pids', 'a')); os.execv(sys.argv[1], sys.argv[1:])"

    @pytest.fixture(scope="session")
    def aiperf_endpoint():
        port = ServerProcess.free_port()
        program = str(Path(sys.executable).with_name("pytest-aiperf"))
        options = f"ttft_ms=40&itl_ms=2&osl=4&slow_pct={os.environ['SLOW_PCT']}"
        command = [program, "mock-server", "--port", str(port), "--options", options]
        with ServerProcess([sys.executable, "-c", NOTING, *command], url=f"http://127.0.0.1:{port}") as server:
            yield server
"""


def test_a_regression_is_confirmed_on_a_server_that_was_started_anew(suite, monkeypatch):
    suite.pytester.makepyfile(test_perf=ONE_TEST)
    suite.pytester.makeconftest(OWN_SERVER)
    pids = suite.pytester.path / "pids"

    monkeypatch.setenv("SLOW_PCT", "0")
    suite.run("--aiperf-update", endpoint=None).assert_outcomes(passed=1)
    assert len(pids.read_text().split()) == 1
    pids.unlink()

    monkeypatch.setenv("SLOW_PCT", "60")
    suite.run(endpoint=None).assert_outcomes(failed=1)
    assert suite.verdicts() == ["regressed"]
    first, second = pids.read_text().split()
    assert first != second
    assert [len(session["runs"]) for session in suite.document()["measurements"][0]["sessions"]] == [3, 3]


DYING = """
    import os
    import chat_endpoint

    class Dying(chat_endpoint._Handler):
        loading, left = 2, 60

        def do_GET(self):
            if Dying.loading:
                Dying.loading -= 1
                self.send_error(503)
            else:
                super().do_GET()

        def do_POST(self):
            Dying.left -= 1
            if Dying.left == 0:
                print("CUDA error: an illegal memory access", flush=True)
                os._exit(7)
            super().do_POST()

    chat_endpoint._Handler = Dying
    with chat_endpoint.serving(port=int(os.environ["PORT"])):
        import threading
        threading.Event().wait()
"""


def test_a_server_that_ends_in_the_middle_is_what_the_error_is_about(any_suite, monkeypatch):
    suite = any_suite
    suite.pytester.makepyfile(
        test_perf="""
        import pytest

        pytestmark = pytest.mark.aiperf(concurrency=4, isl=8, osl=4, request_count=20, judge=False)

        def test_dies(aiperf):
            aiperf.run()
        """,
        dying=DYING,
    )
    suite.pytester.makeconftest(
        """
        import logging, sys
        import pytest
        from pytest_aiperf import ServerProcess
        from pytest_aiperf.services import server_process

        server_process.SAY_AFTER_S = 0.0

        @pytest.fixture(scope="session")
        def aiperf_endpoint():
            port = ServerProcess.free_port()
            command = [sys.executable, "dying.py"]
            with ServerProcess(command, url=f"http://127.0.0.1:{port}", env={"PORT": str(port)}) as server:
                yield server
        """
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    result = suite.run(endpoint=None)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E * ProcessDiedError: python* (pid *) ended with exit status 7 while it should serve http://127.0.0.1:*",
            "E * end of *aiperf-server-*.log:",
            "E * CUDA error: an illegal memory access",
        ]
    )
    (measurement,) = suite.document()["measurements"]
    assert measurement["verdict"] == "invalid"
    assert "ended with exit status 7" in measurement["reason"]
    shown = f"{result.stdout}\n{result.stderr}"
    assert re.search(
        r"aiperf: http://127.0.0.1:\d+ is not ready after \d s of at most 600 s: .*; log: /.*log", shown
    )


class Ending:
    """A server whose clients have noticed its end, but not yet who started it."""

    def check_alive(self, wait_s=0.0):
        if wait_s:
            raise ProcessDiedError("the server was killed")


def fails():
    raise MeasurementError("connection reset")


@pytest.mark.parametrize("measure", [fails, lambda: SimpleNamespace(errors=["reset"])])
def test_a_server_whose_requests_failed_is_given_time_to_end(measure):
    with pytest.raises(ProcessDiedError, match="the server was killed"):
        of_living_server(Ending(), measure)


def test_nobody_waits_for_a_server_that_answered_everything_or_knows_nothing_of_its_end():
    good, bad = SimpleNamespace(errors=[]), SimpleNamespace(errors=["reset"])
    assert of_living_server(Ending(), lambda: good) is good
    assert of_living_server("http://127.0.0.1:8000", lambda: bad) is bad
