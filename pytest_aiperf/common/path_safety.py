"""Reading files whose path a user gave. One door, so that what was checked is what is read.

No component may be a symbolic link; the last one is opened with `O_NOFOLLOW` and checked by `fstat`, so it cannot
be swapped between the check and the read, and `O_NONBLOCK` keeps a fifo from blocking the open.
"""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 16 * 1024 * 1024


def safe_read_template_path(text: object) -> str | None:
    """Return the text of a regular, non-empty UTF-8 file of at most 16 MiB; None for anything else. Never raises.

    A string that looks like a path but is refused brings a warning that says why.
    """
    data = safe_read_bytes(text)
    if data is None:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        _warn(text, "it is not UTF-8 text")
        return None


def safe_read_bytes(text: object, *, max_bytes: int = MAX_BYTES) -> bytes | None:
    """Return the bytes of a regular, non-empty file of at most `max_bytes`; None for anything else. Never raises."""
    if not isinstance(text, (str, Path)) or not str(text) or "\0" in str(text):
        return None
    try:
        path = Path(text).expanduser().absolute()
        link = next((p for p in [path, *path.parents] if p.is_symlink()), None)
        if link is not None:
            _warn(text, f"{link} is a symbolic link; give the path that it points to")
            return None
        return _read_regular(path, text, max_bytes)
    except (OSError, RuntimeError, ValueError):
        return None


def _read_regular(path: Path, text: object, max_bytes: int) -> bytes | None:
    flags = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        regular = stat.S_ISREG(status.st_mode)
        data = file.read(max_bytes + 1) if regular else b""
    if regular and 0 < len(data) <= max_bytes:
        return data
    why = f"larger than {max_bytes} bytes" if data else "empty" if regular else "not a regular file"
    _warn(text, f"it is {why}")
    return None


def _warn(text: object, why: str) -> None:
    warnings.warn(f"not read: {str(text)!r}: {why}", stacklevel=4)
