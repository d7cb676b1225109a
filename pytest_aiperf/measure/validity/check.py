"""What a question about a run is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to a run. `fatal` ones make it invalid, the others are warnings.

    Every limit is an upper one: a check holds while its value is not above it.
    """

    check: str
    value: float | None
    limit: float
    ok: bool
    advice: str
    fatal: bool = True

    def to_builtin(self) -> dict[str, Any]:
        """Return the row of the result document."""
        return {
            "check": self.check,
            "value": self.value,
            "limit": self.limit,
            "ok": self.ok,
            "advice": self.advice,
        }
