"""Keeps a user's server tied to us: starts it in a session of its own, and ends all of it when we end.

Runs as a script in an isolated interpreter (``python -I -S supervisor.py``), so it uses the standard library
alone and leaves the server's environment untouched. A wrapper that set PR_SET_PDEATHSIG and then became the
server would be lighter by one process, but inference servers start workers of their own, and those outlive a
parent that is killed, with the GPU's memory still theirs. Here the whole process group goes, and on Linux also
what left the group: the orphans of the server become children of this process, which kills and reaps them.

Protocol on the inherited socket: ``started PID`` or ``failed ERRNO`` to us, and ``exited STATUS`` when the server
ends by itself; ``stop GRACE_S`` from us. End-of-file means that we are gone: everything is killed at once.
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
PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform == "linux"
LAST_WAIT_S = 3.0
"""How long what was killed may take to be gone: a driver that gives back memory takes its time."""


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that started it ends. Linux only.

    A parent that ended before the call leaves no signal behind, so its pid is compared afterwards.
    """
    if LINUX:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def main(fd: int, command: list[str]) -> None:
    """Run the command until it ends, until we say stop, or until we are gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.set_inheritable(fd, False)
    link = socket.socket(fileno=fd)
    if LINUX:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        server = _start(command)
    except OSError as error:
        _tell(link, f"failed {error.errno}")
        return
    _tell(link, f"started {server.pid}")
    grace_s = _wait(server, link)
    if server.returncode is not None:
        _tell(link, f"exited {server.returncode}")
    _end_group(server, grace_s)
    _end_orphans()


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    me = os.getpid()

    def in_child() -> None:  # safe: this interpreter has one thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        die_with_parent(me)

    return subprocess.Popen(command, start_new_session=True, preexec_fn=in_child, stdin=subprocess.DEVNULL)


def _wait(server: subprocess.Popen[bytes], link: socket.socket) -> float:
    """Return the grace that the group gets: as we said; none when we are gone or the server has ended."""
    wakeup, signalled = os.pipe()
    os.set_blocking(signalled, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(signalled)
    _reap(server)
    while server.poll() is None:
        ready, _, _ = select.select([link.fileno(), wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 64)
            _reap(server)
        if link.fileno() in ready:
            words = _read(link).split()
            return float(words[1]) if words else 0.0
    return 0.0


def _end_group(server: subprocess.Popen[bytes], grace_s: float) -> None:
    if grace_s > 0:
        signal_group(server.pid, signal.SIGTERM)
        _wait_for_group(server, grace_s)
    signal_group(server.pid, signal.SIGKILL)
    server.wait()
    _wait_for_group(server, LAST_WAIT_S)


def _wait_for_group(server: subprocess.Popen[bytes], longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while _has_members(server) and time.monotonic() < deadline:
        time.sleep(0.02)


def _has_members(server: subprocess.Popen[bytes]) -> bool:
    _reap(server)  # reaped, they no longer count
    return signal_group(server.pid, 0)


def _reap(server: subprocess.Popen[bytes]) -> None:
    """Collect the server, and what it left to us, as far as they have ended."""
    if not LINUX:
        server.poll()
        return
    while (ended := _ended_child()) is not None:
        if ended == server.pid:
            server.poll()  # its status is for `Popen` to take
        else:
            os.waitpid(ended, 0)


def _ended_child() -> int | None:
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found else None


def _end_orphans() -> None:
    """Kill what is left of the server's processes: daemons, which lead groups of their own."""
    deadline = time.monotonic() + LAST_WAIT_S
    while LINUX and time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:  # none is left: the children of each came to us as it ended
            return
        if not pid:
            for child in _children():
                os.kill(child, signal.SIGKILL)  # not reaped yet, so the id is still its own
            time.sleep(0.01)


def _children() -> list[int]:
    """Return the ids of our children, from the process table."""
    me = str(os.getpid())
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _parent(name) == me]


def _parent(pid: str) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[1].decode()
    except OSError:  # it has just ended
        return None


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
