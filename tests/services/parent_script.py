"""A parent to be killed: starts a process of ours in the way that argv says, prints its pid, and waits."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from pytest_aiperf.services.process import ServiceProcess

mode, log_dir = sys.argv[1], Path(sys.argv[2])


def say(*words):
    print(*words, flush=True)


def echo():
    return ServiceProcess("echo_service:EchoService", log_dir=log_dir)


def idle():
    process = echo()
    process.wait_ready()
    say(process.pid)
    return process


def busy():
    process = echo()
    process.request("never", deadline_s=60, on_message=lambda _: say(process.pid))


def starting():
    process = ServiceProcess("echo_service:EchoService", {"start_s": 60}, log_dir=log_dir)
    process.start()
    say(process.pid)
    return process


def started_in_a_thread():
    kept = []
    thread = threading.Thread(target=lambda: kept.append(idle()))
    thread.start()
    thread.join()
    return kept


def busy_for_a_thread():
    thread = threading.Thread(target=busy)
    thread.start()
    thread.join()


def socket_kept_by_a_fork():
    process = echo()
    process.wait_ready()
    forked = os.fork()
    if forked == 0:
        time.sleep(60)
        os._exit(0)
    say(process.pid, forked)
    return process


def load(workers=1):
    from load_plans import make_plan

    from pytest_aiperf.mock_server.options import MockOptions
    from pytest_aiperf.services.load_pool import LoadPool
    from pytest_aiperf.services.mock_service import MockServerProcess

    server = MockServerProcess(MockOptions(itl_ms=50), log_dir=log_dir)
    pool = LoadPool(workers, log_dir=log_dir)
    told = []

    def tell(*counts):
        if not told:
            told.append(True)
            say(*pool.pids, server.process.pid)

    try:
        pool.run(make_plan(server.url, requests=4, concurrency=4, tokens=1000), on_progress=tell)
    except KeyboardInterrupt:
        pool.stop()
        server.process.kill()
        say("interrupted")


def load_of_two():
    load(2)


def user_server():
    from pytest_aiperf.services.server_process import ServerProcess

    port = ServerProcess.free_port()
    command = [sys.executable, str(Path(__file__).parent / "user_server.py"), str(port), "--with-child"]
    server = ServerProcess(command, url=f"http://127.0.0.1:{port}", log_path=log_dir / "server.log")
    server.start()
    say(server.pid, (log_dir / "server.log").read_text().split()[1])
    return server


def interrupted():
    process = echo()
    try:
        process.request("wait_for_abort", deadline_s=60, on_message=lambda _: say(process.pid))
    except KeyboardInterrupt:
        message = process._child.channel.receive(10)
        say("interrupted", process.alive, message.payload["kind"])
        process.stop()


def unstopped():
    say(idle().pid)


if __name__ == "__main__":
    kept = globals()[mode]()
    if mode not in ("interrupted", "unstopped", "load", "load_of_two"):
        time.sleep(60)
