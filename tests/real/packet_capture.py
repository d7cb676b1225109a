"""What leaves and reaches a port of the loopback device, with the kernel's stamps: a packet socket, so root is needed.

    python tests/real/packet_capture.py PORT FILE

Prints ``ready``, writes every TCP segment with data until its stdin ends, then prints how many packets the kernel had
to drop. It runs in a process of its own, so that server and client run as they always do. The loopback device shows
each packet twice, as it leaves its sender and as it comes in; both are kept. `read_segments` reads the file.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ETH_P_ALL: Final = 0x0003
SO_TIMESTAMPNS: Final = 35
SO_RCVBUFFORCE: Final = 33
SO_ATTACH_FILTER: Final = 26
SOL_PACKET: Final = 263
PACKET_STATISTICS: Final = 6
PACKET_OUTGOING: Final = 4
_BUFFER_BYTES: Final = 64 * 1024 * 1024
_LONGEST: Final = 1 << 17
_RECORD: Final = struct.Struct("<q?HHII")
_TIMESPEC: Final = struct.Struct("@qq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """TCP data on its way."""

    stamp_ns: int
    """CLOCK_REALTIME."""
    leaving: bool
    """As its sender sent it; else as it came in."""
    source: int
    target: int
    sequence: int
    data: bytes


def permitted() -> bool:
    """Whether this process may open a packet socket."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except (OSError, AttributeError):
        return False
    return True


@contextlib.contextmanager
def captured(port: int, path: Path) -> Iterator[None]:
    """Capture to `path` while the block runs. Fails if the kernel dropped packets."""
    command = [sys.executable, __file__, str(port), str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", "the capture did not start"
    try:
        yield
    finally:
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, f"the capture ended with {process.returncode}"
    assert int(out) == 0, f"the kernel dropped {int(out)} packets of the capture"


def read_segments(path: Path) -> list[Segment]:
    """Return what was captured, in the order of the capture."""
    content, at, segments = path.read_bytes(), 0, []
    while at < len(content):
        stamp_ns, leaving, source, target, sequence, size = _RECORD.unpack_from(content, at)
        at += _RECORD.size
        segments.append(
            Segment(
                stamp_ns=stamp_ns,
                leaving=leaving,
                source=source,
                target=target,
                sequence=sequence,
                data=content[at : at + size],
            )
        )
        at += size
    return segments


def main(port: int, path: Path) -> None:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER_BYTES)
    program = _filter(port)
    instructions = ctypes.create_string_buffer(program)
    fprog = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
    sock.bind(("lo", ETH_P_ALL))
    with path.open("wb") as file:
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([sock, sys.stdin], [], [])
            if sock in readable:
                _take(sock, file.write)
            elif sys.stdin in readable:
                break
    _, dropped = struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(dropped)


def _filter(port: int) -> bytes:
    """TCP over IPv4 from or to the port, in the kernel's classic BPF: whatever else is on the device would fill the
    buffer."""
    ldh, ldb, ldh_x, ldx_header_size, jeq, ret = 0x28, 0x30, 0x48, 0xB1, 0x15, 0x06
    lines = [
        (ldh, 0, 0, 12),
        (jeq, 0, 8, 0x0800),
        (ldb, 0, 0, 23),
        (jeq, 0, 6, socket.IPPROTO_TCP),
        (ldx_header_size, 0, 0, 14),
        (ldh_x, 0, 0, 14),
        (jeq, 2, 0, port),
        (ldh_x, 0, 0, 16),
        (jeq, 0, 1, port),
        (ret, 0, 0, _LONGEST),
        (ret, 0, 0, 0),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _take(sock: socket.socket, write: Callable[[bytes], object]) -> None:
    frame, ancillary, _, address = sock.recvmsg(_LONGEST, 64)
    packet = frame[14:]
    segment = packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4], "big") or None]
    source, target, sequence = struct.unpack_from("!HHI", segment)
    data = segment[(segment[12] >> 4) * 4 :]
    if not data:
        return
    seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
    leaving = address[2] == PACKET_OUTGOING
    record = _RECORD.pack(seconds * 10**9 + nanoseconds, leaving, source, target, sequence, len(data))
    write(record + data)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
