"""Text from servers, files and ids of strangers, without what a terminal would obey."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """Return text with a replacement character for everything that could move the cursor or colour the screen."""
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)
