"""Start the server under test from the tests: whatever `aiperf_endpoint` gives is measured.

Here the server is the embedded one, started by its command; put your own command in its place, such as
`["vllm", "serve", "my/model", "--port", str(port)]`. `--aiperf-endpoint=URL` measures another one instead.
"""

import sys
from pathlib import Path

import pytest

from pytest_aiperf import ServerProcess


@pytest.fixture(scope="session")
def server():
    port = ServerProcess.free_port()
    program = Path(sys.executable).with_name("pytest-aiperf")
    command = [program, "mock-server", "--port", str(port), "--options", "ttft_ms=20&itl_ms=2"]
    with ServerProcess(command, url=f"http://127.0.0.1:{port}", ready_path="/v1/models") as server:
        yield server  # it is ready; it ends with the session, and with pytest, however that ends


@pytest.fixture(scope="session")
def aiperf_endpoint(request, pytestconfig):
    given = pytestconfig.getoption("aiperf_endpoint")
    return given or request.getfixturevalue("server")  # the object: a confirmation restarts it


@pytest.mark.aiperf(concurrency=4, osl=16, request_count=60)
def test_own_server(aiperf):
    result = aiperf.run()
    assert result.ttft.p95 < 2_000  # ms
