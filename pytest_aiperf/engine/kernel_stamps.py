"""PYTEST_DONT_REWRITE. The kernel's receive timestamps: SO_TIMESTAMPNS, ancillary data of `recvmsg`.

The option is 35 on Linux, and Python has no name for it everywhere. The control message that carries the stamp has
the option's own number and a `struct timespec` on CLOCK_REALTIME. Elsewhere, or where the kernel left the stamp out,
the reader stamps in its callback.
"""

from __future__ import annotations

import socket
import struct
import sys
from functools import cache
from typing import Final

SO_TIMESTAMPNS: Final[int] = getattr(socket, "SO_TIMESTAMPNS", 35)
ANCILLARY_BYTES: Final = 64
"""Room for one control message with a timespec, with some to spare."""
TIMESPEC: Final = struct.Struct("@qq")


def request_stamps(sock: socket.socket) -> bool:
    """Ask the kernel to stamp what this socket receives; False where it cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


@cache
def keep_stamping_on() -> int | None:
    """Open one socket with the option on and leave it open: the descriptor, or None where there is no stamping.

    The kernel switches stamping on for the whole machine when the first socket asks for it, and does so a moment
    later, from a work queue; without this the first packets of a run would arrive without a stamp. The descriptor is
    detached on purpose: it lives as long as the process.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if not request_stamps(sock):
        sock.close()
        return None
    return sock.detach()
