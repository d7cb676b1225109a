"""Random streams by name: a new consumer shifts no other, whatever the order in which they are made."""

from __future__ import annotations

import hashlib
import random


def derive(seed: int, name: str) -> random.Random:
    """Return the stream that belongs to this name under this seed (SHA-256 of both)."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
