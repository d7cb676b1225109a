"""Reading files whose path a user gave. One door, so that what was checked is what is read.

No component may be a symbolic link; the last one is opened with `O_NOFOLLOW` and checked by `fstat`, so it cannot
be swapped between the check and the read, and `O_NONBLOCK` keeps a fifo from blocking the open.
"""

from __future__ import annotations

import errno
import os
import stat
import warnings
from collections.abc import Callable
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
    descriptor, why = checked_open(text)
    if descriptor is None:
        return None, why
    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        return None, error.strerror or str(error)
    if len(data) > max_bytes:
        return None, f"it is larger than {max_bytes} bytes"
    return (data, None) if data else (None, "it is empty")


def checked_open(text: object) -> tuple[int | None, str | None]:
    """Return a descriptor of a regular file, open for reading and the caller's to close, or why it was refused.

    For files that may be larger than the memory. Neither where there is nothing to refuse. Never raises, never blocks.
    """
    return _checked(
        text, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0), stat.S_ISREG, "it is not a regular file"
    )


def checked_listing(text: object) -> tuple[list[str] | None, str | None]:
    """Return the sorted names in a folder, or why it was refused; neither where there is nothing. Never raises."""
    directory = getattr(os, "O_DIRECTORY", 0)
    descriptor, why = _checked(text, os.O_RDONLY | directory, stat.S_ISDIR, "it is not a folder")
    if descriptor is None:
        return None, why
    try:
        return sorted(os.listdir(descriptor)), None
    except OSError as error:
        return None, error.strerror or str(error)
    finally:
        os.close(descriptor)


def _checked(
    text: object, flags: int, is_wanted: Callable[[int], bool], otherwise: str
) -> tuple[int | None, str | None]:
    if not isinstance(text, (str, Path)) or not str(text) or "\0" in str(text):
        return None, None
    try:
        path = Path(text).expanduser().absolute()
        link = next((p for p in [path, *path.parents] if p.is_symlink()), None)
        if link is not None:
            return None, f"{link} is a symbolic link; give the path that it points to"
        descriptor = os.open(path, flags | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        return None, None if error.errno in _NOT_THERE else error.strerror or str(error)
    except RuntimeError as error:  # ~nobody
        return None, str(error)
    except ValueError:
        return None, None
    if is_wanted(os.fstat(descriptor).st_mode):
        return descriptor, None
    os.close(descriptor)
    return None, otherwise


def _warn(text: object, why: str | None) -> None:
    if why is not None:
        warnings.warn(f"not read: {str(text)!r}: {why}", stacklevel=3)
