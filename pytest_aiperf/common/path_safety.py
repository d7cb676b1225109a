"""Reading files whose path a user gave. One door, so that what was checked is what is read.

No component may be a symbolic link; the last one is opened with `O_NOFOLLOW` and checked by `fstat`, so it cannot
be swapped between the check and the read, and `O_NONBLOCK` keeps a fifo from blocking the open.
"""

from __future__ import annotations

import errno
import os
import stat
import warnings
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 16 * 1024 * 1024
_NOT_THERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""No refusal: the text may be meant as itself, not as a path."""


def safe_read_template_path(text: object) -> str | None:
    """Return the text of a regular, non-empty UTF-8 file of at most 16 MiB; None for anything else. Never raises.

    Where there is something at this path and it is refused, a warning says why.
    """
    data, why = checked_read(text, max_bytes=MAX_BYTES)
    if data is not None:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            why = "it is not UTF-8 text"
    _warn(text, why)
    return None


def safe_read_bytes(text: object, *, max_bytes: int = MAX_BYTES) -> bytes | None:
    """Return the bytes of a regular, non-empty file of at most `max_bytes`; None for anything else. Never raises."""
    data, why = checked_read(text, max_bytes=max_bytes)
    _warn(text, why)
    return data


def checked_read(text: object, *, max_bytes: int = MAX_BYTES) -> tuple[bytes | None, str | None]:
    """Return the bytes, or why they were refused; neither where there is nothing to refuse. Never raises."""
    if not isinstance(text, (str, Path)) or not str(text) or "\0" in str(text):
        return None, None
    try:
        path = Path(text).expanduser().absolute()
        link = next((p for p in [path, *path.parents] if p.is_symlink()), None)
        if link is not None:
            return None, f"{link} is a symbolic link; give the path that it points to"
        return _read_regular(path, max_bytes)
    except OSError as error:
        return None, None if error.errno in _NOT_THERE else error.strerror or str(error)
    except RuntimeError as error:  # ~nobody
        return None, str(error)
    except ValueError:
        return None, None


def _read_regular(path: Path, max_bytes: int) -> tuple[bytes | None, str | None]:
    flags = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None, "it is not a regular file"
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    finally:
        os.close(descriptor)
    if len(data) > max_bytes:
        return None, f"it is larger than {max_bytes} bytes"
    return (data, None) if data else (None, "it is empty")


def _warn(text: object, why: str | None) -> None:
    if why is not None:
        warnings.warn(f"not read: {str(text)!r}: {why}", stacklevel=3)
