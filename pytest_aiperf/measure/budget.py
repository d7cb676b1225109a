"""How much time a measurement may take, and how much of it is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Budget:
    """Begins to run down when it is made."""

    max_time_s: float | None
    """None: as long as it takes."""
    _started_s: float = field(default_factory=lambda: time.monotonic())

    @property
    def spent_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started_s

    def allows(self, seconds: float) -> bool:
        """Tell whether so many seconds more are within it."""
        return self.max_time_s is None or self.spent_s + seconds <= self.max_time_s
