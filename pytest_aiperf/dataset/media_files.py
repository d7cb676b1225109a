"""Images, recordings and videos that rows name: addresses as they are, files of this machine as ``data:`` URLs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from pytest_aiperf.common.errors import ConfigurationError, did_you_mean
from pytest_aiperf.common.path_safety import checked_open, checked_read
from pytest_aiperf.dataset.data_url import data_url
from pytest_aiperf.dataset.problems import shown

Medium = Literal["image", "audio", "video"]

MAX_BYTES: Final = 64 * 1024 * 1024
_TYPES: Final[dict[Medium, dict[str, str]]] = {
    "image": {
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".gif": "image/gif",
        ".webp": "image/webp",
        ".bmp": "image/bmp",
    },
    "audio": {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg"},
    "video": {
        ".mp4": "video/mp4",
        ".webm": "video/webm",
        ".mov": "video/quicktime",
        ".avi": "video/x-msvideo",
    },
}
"""By suffix. A data file may come from anywhere; it can have these sent, and no other file of this machine."""
_ENCODED_AUDIO: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}
"""AIPerf writes recordings as ``wav,<base64>``."""


class MediaFolder:
    """Where the media of one data file are looked for: beside it, else in the working directory."""

    def __init__(self, data_file: Path) -> None:
        self._folder = data_file.absolute().parent

    def fault(self, text: str, medium: Medium) -> str | None:
        """Return why this cannot be sent; None if it can. Files are opened, not read."""
        if _as_address(text, medium) is not None:
            return None
        if "://" in text or text.startswith("file:"):
            return f"{shown(text)} is no address that a server can be given; should be http(s)://, data: or a path"
        suffix = Path(text).suffix.lower()
        if suffix not in _TYPES[medium]:
            known = ", ".join(_TYPES[medium])
            return f"{shown(text)} is no {medium} file{did_you_mean(suffix, _TYPES[medium])}; should end with {known}"
        path = self._path(text)
        descriptor, why = checked_open(path)
        if descriptor is None:
            return f"{shown(text)} cannot be read: {why or f'there is no {path}'}"
        size = os.fstat(descriptor).st_size
        os.close(descriptor)
        return (
            None if 0 < size <= MAX_BYTES else f"{shown(text)} has {size} bytes; should be 1 to {MAX_BYTES}"
        )

    def url(self, text: str, medium: Medium) -> str:
        """Return the URL under which a server gets it.

        Raises:
            ConfigurationError: the file cannot be read any more.
        """
        address = _as_address(text, medium)
        if address is not None:
            return address
        path = self._path(text)
        data, why = checked_read(path, max_bytes=MAX_BYTES)
        if data is None:
            raise ConfigurationError(f"{path} cannot be read: {why or 'it is gone'}")
        return data_url(_TYPES[medium][path.suffix.lower()], data)

    def _path(self, text: str) -> Path:
        given = Path(text).expanduser() if text.startswith("~/") else Path(text)
        beside = self._folder / given
        return beside if beside.exists() else given.absolute()


def _as_address(text: str, medium: Medium) -> str | None:
    """Return what needs no file."""
    if text.startswith(("http://", "https://", "data:")):
        return text
    encoding, comma, data = text.partition(",")
    if medium == "audio" and comma and encoding.lower() in _ENCODED_AUDIO:
        return f"data:{_ENCODED_AUDIO[encoding.lower()]};base64,{data}"
    return None
