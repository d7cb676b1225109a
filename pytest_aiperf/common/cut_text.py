"""PYTEST_DONT_REWRITE. Texts that are cut say so: whoever masks secrets must know where half of one may stand."""

from __future__ import annotations

from typing import Final

CUT: Final = "…"


def cut_text(text: str, length: int) -> str:
    """Return the beginning of a text, with a mark at its end where that is not all."""
    return text if len(text) <= length else text[:length] + CUT
