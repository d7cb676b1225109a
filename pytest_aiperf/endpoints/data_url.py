"""PYTEST_DONT_REWRITE. Files that stand in the data themselves: ``data:image/png;base64,…`` (RFC 2397)."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from pytest_aiperf.common.cut_text import cut_text
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.form_data import FilePart

_SHOWN: Final = 60
_KIND: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_ENDINGS: Final[Mapping[str, str]] = {
    "jpeg": "jpg",
    "mp4": "m4a",
    "mpeg": "mp3",
    "svg+xml": "svg",
    "vnd.wave": "wav",
    "wave": "wav",
    "x-flac": "flac",
    "x-m4a": "m4a",
    "x-wav": "wav",
}
"""Of file names, where that is not the second half of the media type. Servers look at it."""


def file_of(url: str, *, kind: str) -> FilePart:
    """Return the file that a ``data:`` URL holds, named after its kind: ``image.png``.

    Args:
        url: the URL.
        kind: first half of the media type that is wanted, ``image`` or ``audio``.

    Raises:
        ConfigurationError: it is another URL, not readable, or of another kind.
    """
    head, comma, data = url.partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise ConfigurationError(
            f"{_shown(url)} is not a file that can be uploaded: write data:{kind}/…;base64,… or the path of a file"
        )
    media_type, *parameters = head[len("data:") :].lower().split(";")
    if not _KIND.fullmatch(media_type) or not media_type.startswith(f"{kind}/"):
        raise ConfigurationError(f"{_shown(url)} is of the media type {media_type!r}, not {kind}/…")
    content = _decoded(url, data, base64="base64" in parameters)
    subtype = media_type.partition("/")[2]
    ending = _ENDINGS.get(subtype, subtype)
    return FilePart(filename=f"{kind}.{ending}", content_type=media_type, data=content)


def _decoded(url: str, data: str, *, base64: bool) -> bytes:
    if not base64:
        return unquote_to_bytes(data)
    try:
        return b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(f"{_shown(url)} is not base64: {error}") from None


def _shown(url: str) -> str:
    return repr(cut_text(url, _SHOWN))
