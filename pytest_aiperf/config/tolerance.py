"""What "too much worse" means for one metric: a share, an absolute floor, or whichever is larger."""

from __future__ import annotations

import re
from typing import Final

from pydantic import Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import BaseConfig

_PERCENT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%\Z")
_ABSOLUTE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z/_]+)\Z")


class Tolerance(BaseConfig):
    """Allowed worsening: ``max(relative, floor / baseline)``."""

    relative: FiniteFloat = Field(ge=0, le=100, description="Share of the baseline, 0.05 = 5 %.")
    floor: FiniteFloat = Field(default=0.0, ge=0, description="Absolute part, in `unit`.")
    unit: str | None = Field(
        default=None, description="Unit of the floor; None for the metric's display unit."
    )


def parse_tolerance(value: object) -> Tolerance:
    """Read ``0.05``, ``"5%"``, ``"5ms"``, ``"15% or 5ms"``.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, Tolerance):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Tolerance(relative=float(value))
    parts = [part.strip() for part in str(value).split(" or ")]
    relative, floor, unit = 0.0, 0.0, None
    for part in parts:
        if match := _PERCENT.match(part):
            relative = float(match[1]) / 100
        elif match := _ABSOLUTE.match(part):
            floor, unit = float(match[1]), match[2]
        else:
            raise ValueError(
                f"tolerance {value!r} is not a share or an amount; write '5%', '5ms' or '15% or 5ms'"
            )
    return Tolerance(relative=relative, floor=floor, unit=unit)
