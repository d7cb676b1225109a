"""Keeps a user's server tied to us: starts it in a session of its own, and ends all of it when we end.

Runs as a script in an isolated interpreter (``python -I -S supervisor.py``), so it uses the standard library
alone and leaves the server's environment untouched. A wrapper that set PR_SET_PDEATHSIG and then became the
server would be lighter by one process, but inference servers start workers of their own, and those outlive a
parent that is killed, with the GPU's memory still theirs. Here the whole process group goes.

Protocol on the inherited socket: ``started PID`` and ``exited STATUS`` lines to us; ``stop GRACE_S`` from us.
End-of-file means that we are gone: the group is killed at once.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that started it ends. Linux only.

    A parent that ended before the call leaves no signal behind, so its pid is compared afterwards.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:
            os.kill(os.getpid(), signal.SIGKILL)


def main(fd: int, command: list[str]) -> None:
    """Run the command until it ends, until we say stop, or until we are gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.set_inheritable(fd, False)
    link = socket.socket(fileno=fd)
    server = _start(command)
    _tell(link, f"started {server.pid}")
    grace_s = _wait(server, link)
    _end_group(server, grace_s)
    _tell(link, f"exited {server.returncode}")


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    me = os.getpid()

    def in_child() -> None:  # safe: this interpreter has one thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        die_with_parent(me)

    try:
        return subprocess.Popen(
            command, start_new_session=True, preexec_fn=in_child, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        sys.exit(f"cannot start {command[0]!r}: {error}")


def _wait(server: subprocess.Popen[bytes], link: socket.socket) -> float:
    """Return the grace that the group gets: as we said; none when we are gone or the server has ended."""
    wakeup, signalled = os.pipe()
    os.set_blocking(signalled, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(signalled)
    while server.poll() is None:
        ready, _, _ = select.select([link.fileno(), wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 64)
        if link.fileno() in ready:
            words = _read(link).split()
            return float(words[1]) if words else 0.0
    return 0.0


def _end_group(server: subprocess.Popen[bytes], grace_s: float) -> None:
    deadline = time.monotonic() + grace_s
    if grace_s > 0:
        signal_group(server.pid, signal.SIGTERM)
        while signal_group(server.pid, 0) and time.monotonic() < deadline:
            server.poll()  # reaped, it no longer counts as a member
            time.sleep(0.02)
    signal_group(server.pid, signal.SIGKILL)
    server.wait()


def signal_group(group: int, number: int) -> bool:
    """Signal a process group; return whether it had a member."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return False
    return True


def _read(link: socket.socket) -> bytes:
    try:
        return link.recv(64)
    except OSError:
        return b""


def _tell(link: socket.socket, line: str) -> None:
    try:
        link.sendall(f"{line}\n".encode())
    except OSError:
        pass  # we are gone; the group is ended all the same


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
