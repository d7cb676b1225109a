"""Start the tiny model's server anew, on a fixed port, and leave it running: a `--restart-command`.

    pytest-aiperf calibrate --restart-command "python tests/real/restart_llama.py" --endpoint http://127.0.0.1:8123 ...
    python tests/real/restart_llama.py --stop

Ends the server that it started before, if that still runs, starts another one and returns when it answers. Which one
that is stands in a file beside the model and the log, in a folder for each port.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path

from llama_process import ServerNotReady, answers, await_ready, launch

PORT = 8123
END_DEADLINE_S = 5.0


def main() -> int:
    args = _arguments()
    folder = args.folder or Path(tempfile.gettempdir()) / f"aiperf-llama-{os.getuid()}-{args.port}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stop(folder / "server.pid")
    if args.stop:
        return 0
    if answers(args.port):
        raise SystemExit(
            f"port {args.port} is taken by a server that was not started here; give another --port"
        )
    start(folder, args.port)
    print(f"http://127.0.0.1:{args.port}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"on 127.0.0.1 (default {PORT})")
    parser.add_argument("--folder", type=Path, help="for the model, the log and the process id")
    parser.add_argument("--stop", action="store_true", help="end the server and start none")
    return parser.parse_args()


def start(folder: Path, port: int) -> None:
    """Start a server that outlives this process; its id is written down before it answers."""
    from tiny_model import write_model

    log = folder / "server.log"
    model = write_model(folder / "tiny.gguf")
    process = launch(model, port, log, interrupt_requests=False, outlives_us=True)
    (folder / "server.pid").write_text(str(process.pid))
    try:
        await_ready(process, port, log)
    except ServerNotReady as error:
        stop(folder / "server.pid")
        raise SystemExit(str(error)) from None


def stop(pid_file: Path) -> None:
    """End the server whose id is in the file: asked first, killed when it does not end in time."""
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    for ask in (signal.SIGTERM, signal.SIGKILL):
        if not _runs(pid):
            break
        os.kill(pid, ask)
        _wait_until_gone(pid)
    pid_file.unlink()


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + END_DEADLINE_S
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    """Is it still that server? An id is given again to others, and a process that nobody waits for keeps its own."""
    try:
        return b"llama_cpp.server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    raise SystemExit(main())
