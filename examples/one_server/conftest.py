"""One server for all xdist workers: `pytest -n 4` would otherwise start four on one GPU, one for each worker.

The process that the user started has it, because it outlives its workers. They find the address in their environment,
which they inherit. The same works without xdist.
"""

import os
import sys
from pathlib import Path

from pytest_aiperf import ServerProcess


def pytest_configure(config):
    given = config.getoption("aiperf_endpoint") or os.environ.get("AIPERF_ENDPOINT")
    if given or config.option.collectonly:
        return  # as in a worker, to which it is given
    port = ServerProcess.free_port()
    program = Path(sys.executable).with_name("pytest-aiperf")
    command = [program, "mock-server", "--port", str(port), "--options", "ttft_ms=20&itl_ms=2"]
    server = ServerProcess(command, url=f"http://127.0.0.1:{port}")
    config.add_cleanup(server.stop)
    server.start()
    os.environ["AIPERF_ENDPOINT"] = server.url
