"""PYTEST_DONT_REWRITE. Bodies of the kind ``multipart/form-data`` (RFC 7578): fields and files.

All bodies have the same boundary, so that equal requests are equal bytes and one content type holds for a whole load.
It is random and long; whether it stands in what is sent is looked at all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pytest_aiperf.common.errors import ConfigurationError

_BOUNDARY: Final = b"pytest-aiperf-4f4b87156fe0063da9a6c5790b02fba0"
FORM_DATA: Final = f"multipart/form-data; boundary={_BOUNDARY.decode()}"
"""Content type of what `encode_form` returns."""
_IN_NAMES: Final = {
    ord('"'): "%22",
    ord("\r"): "%0D",
    ord("\n"): "%0A",
}  # as browsers do it: HTML standard, 4.10.21.8


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A file among the fields."""

    filename: str
    content_type: str
    data: bytes


def encode_form(fields: Mapping[str, Any]) -> bytes:
    """Return the bytes of a form.

    Texts and numbers are written as they are, true and false in lower case, an object as JSON. A list is one part for
    each of its items, by the name ``name[]``; None is left out.

    Raises:
        ConfigurationError: a part holds the boundary.
    """
    parts = [part for name, value in fields.items() for part in _parts(name, value)]
    if any(_BOUNDARY in part for part in parts):
        raise ConfigurationError(
            f"a field of the form holds {_BOUNDARY.decode()!r}, which separates the fields: change that field"
        )
    return b"".join(b"--%b\r\n%b\r\n" % (_BOUNDARY, part) for part in parts) + b"--%b--\r\n" % _BOUNDARY


def _parts(name: str, value: Any) -> Iterator[bytes]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _parts(f"{name}[]", item)
    elif value is not None:
        yield _part(name, value)


def _part(name: str, value: Any) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name.translate(_IN_NAMES)}"'
    if isinstance(value, FilePart):
        head = (
            f'{disposition}; filename="{value.filename.translate(_IN_NAMES)}"\r\n'
            f"Content-Type: {value.content_type}\r\n\r\n"
        )
        return head.encode() + value.data
    return f"{disposition}\r\n\r\n".encode() + _written(value)


def _written(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else orjson.dumps(value)
