"""`python -m llama_cpp.server` on a free loopback port: started, ready, and ended for sure.

It serves one request at a time behind a lock, so several in flight measure its queue. It reads settings
from bare environment variables (`HOST`, `PORT`, `SEED`, …): it gets none of them, or a CI's `PORT` would
move it.
"""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY_DEADLINE_S: Final = 60.0
MODEL_ALIAS: Final = "tiny-random"

_PR_SET_PDEATHSIG: Final = 1
_PASSED_ON: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
)


class ServerNotReady(RuntimeError):
    """The server ended, or did not answer in time; the message has the end of its log."""


@contextmanager
def llama_process(
    model: Path, log: Path, *, interrupt_requests: bool, embedding: bool = False
) -> Iterator[str]:
    """Serve `model` and yield its URL.

    Args:
        model: GGUF file.
        log: File that takes what the server prints.
        interrupt_requests: The server's default is True: a new request ends the stream of the one before.
        embedding: Answer ``/v1/embeddings`` too, with a vector for each token; prompts then take longer.

    Raises:
        ServerNotReady: It ended early or took longer than `READY_DEADLINE_S`.
    """
    port = _free_port()
    process = launch(model, port, log, interrupt_requests=interrupt_requests, embedding=embedding)
    try:
        await_ready(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _end(process)


def launch(
    model: Path,
    port: int,
    log: Path,
    *,
    interrupt_requests: bool,
    embedding: bool = False,
    outlives_us: bool = False,
) -> subprocess.Popen[bytes]:
    """Start the server and return at once; it ends with this process, unless it `outlives_us`."""
    with log.open("wb") as sink:
        return subprocess.Popen(
            _command(model, port, interrupt_requests=interrupt_requests, embedding=embedding),
            stdout=sink,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            start_new_session=outlives_us,
            preexec_fn=_end_with_parent if sys.platform == "linux" and not outlives_us else None,
        )


def _command(model: Path, port: int, *, interrupt_requests: bool, embedding: bool) -> list[str]:
    flags = {
        "model": model,
        "model_alias": MODEL_ALIAS,  # otherwise the model's name is its path
        "host": "127.0.0.1",
        "port": port,
        "n_ctx": 2048,  # a request without a length that the server knows runs to here: seconds, not minutes
        "n_threads": 1,
        "n_threads_batch": 1,  # defaults to every core: prompts would race the load generator for them
        "logits_all": "false",  # the default evaluates the output for every token of a prompt
        "chat_format": "chatml",
        "interrupt_requests": str(interrupt_requests).lower(),
        "embedding": str(embedding).lower(),
        "verbose": "false",
    }
    arguments = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", "llama_cpp.server", *arguments]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_libc = (
    ctypes.CDLL(None) if sys.platform == "linux" else None
)  # loaded here: nothing may be imported after a fork


def _end_with_parent() -> None:
    """Runs in the child: the kernel ends it when the test process is gone, however that went."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until it answers.

    Raises:
        ServerNotReady: It ended early or took longer than `READY_DEADLINE_S`.
    """
    deadline = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerNotReady(f"llama_cpp.server ended: {process.returncode}; its log ends\n{_tail(log)}")
        if answers(port):
            return
        time.sleep(0.05)
    raise ServerNotReady(
        f"llama_cpp.server did not answer /v1/models within {READY_DEADLINE_S} s\n{_tail(log)}"
    )


def answers(port: int) -> bool:
    """Is there a server at this port that names its models?"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/v1/models")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:  # it waits for open connections first
        process.kill()
        process.wait(timeout=5)
