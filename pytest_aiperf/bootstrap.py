"""PYTEST_DONT_REWRITE. Entry of every child process: ``python -m pytest_aiperf.bootstrap SERVICE FD``.

The inherited socket is the only channel, and having inherited it is the authentication: nothing listens, and
nothing secret stands in argv. The death of either side is an end-of-file on the other. A child here ends with
its parent in two ways: by the kernel (PR_SET_PDEATHSIG, Linux) and by a thread that sleeps until the channel
hangs up. The first one fires when the spawning *thread* ends, so it is used only when that was the parent's
main thread; the second one would miss a parent whose forks still hold its end of the socket.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytest_aiperf.common.errors import AiperfError, MeasurementError
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.services import failure
from pytest_aiperf.services.channel import CRASHED, FAILED, READY, Channel, ChannelClosedError
from pytest_aiperf.services.log_records import forward_records
from pytest_aiperf.services.supervisor import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_MESSAGE_S: Final = 30.0


class Service(Protocol):
    """What `bootstrap` runs. Constructed with its channel and the configuration that the parent gave."""

    def __init__(self, channel: Channel, config: Mapping[str, Any]) -> None: ...

    def make_ready(self) -> dict[str, Any]:
        """Make ready: heavy imports, sockets. What it returns, the parent gets with ``ready``."""

    def serve(self) -> None:
        """Work until a ``stop`` message; `ChannelClosedError` may pass."""


def main(argv: list[str]) -> int:
    """Run one service to its end; return the exit status."""
    # The parent starts us with SIGINT blocked, so that a Ctrl-C during our start is not lost on us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if len(argv) != 2 or not argv[1].isdecimal():
        print("usage: python -m pytest_aiperf.bootstrap SERVICE FD", file=sys.stderr)
        return 2
    name, fd = argv[0], int(argv[1])
    os.set_inheritable(fd, False)
    channel = Channel(socket.socket(fileno=fd))
    try:
        _run(name, channel)
    except ChannelClosedError:
        return 0  # the parent is gone: nobody to tell
    except Exception as error:
        last_words = failure.to_payload(error)
        print(last_words["traceback"], file=sys.stderr, flush=True)
        try:
            channel.send(CRASHED, last_words, deadline_s=1.0)
        except (ChannelClosedError, MeasurementError):
            pass  # the log has it
        return 1
    return 0


def _run(name: str, channel: Channel) -> None:
    first = channel.receive(FIRST_MESSAGE_S, waiting_for="the first message of the parent").payload
    if first["main_thread"]:
        die_with_parent(first["parent_pid"])
    threading.Thread(target=_exit_on_hangup, args=(channel.fileno(),), name="hangup", daemon=True).start()
    sys.path.extend(entry for entry in first["sys_path"] if entry not in sys.path)
    forward_records(channel, level=first["log_level"])
    plugins.REGISTRY.adopt(first["registry"])
    service: Service = plugins.get_class(PluginType.SERVICE, name)(channel, first["config"])
    try:
        ready = service.make_ready()
    except AiperfError as error:
        channel.send(FAILED, failure.to_payload(error))
        return
    channel.send(READY, ready)
    service.serve()


def _exit_on_hangup(fd: int) -> None:
    # No event is asked for: poll reports a hang-up regardless and sleeps through everything else, so that
    # this thread costs a running load nothing.
    poller = select.poll()
    poller.register(fd, 0)
    poller.poll()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
