"""How two cards are told apart in files that must not name a machine. Every collector does it this way."""

from __future__ import annotations

import hashlib
from typing import Final

_DIGITS: Final = 16


def uuid_hash(uuid: str | None) -> str | None:
    """Return what stands for a UUID in files: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:_DIGITS] if uuid else None
