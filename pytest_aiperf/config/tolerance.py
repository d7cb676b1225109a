"""What "too much worse" means for one metric: a share, an absolute floor, or whichever is larger."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import Field, ValidationError

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
    """Read ``0.05``, ``"5%"``, ``"5ms"``, ``"15% or 5ms"``, or the fields of a `Tolerance`.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(value, Tolerance):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _tolerance(value, {"relative": value})
    if isinstance(value, Mapping):
        return _tolerance(dict(value), value)
    parts: dict[str, object] = {}
    for part in str(value).split(" or "):
        read = _part(part.strip())
        if not read or read.keys() & parts.keys():
            raise ValueError(
                f"tolerance {value!r} is not a share or an amount; write '5%', '5ms' or '15% or 5ms'"
            )
        parts |= read
    return _tolerance(value, {"relative": 0.0} | parts)


def _part(text: str) -> dict[str, object]:
    if match := _PERCENT.match(text):
        return {"relative": float(match[1]) / 100}
    if match := _ABSOLUTE.match(text):
        return {"floor": float(match[1]), "unit": match[2]}
    return {}


def _tolerance(value: object, parts: Mapping[str, object]) -> Tolerance:
    try:
        return Tolerance.model_validate(parts)
    except ValidationError:
        raise ValueError(
            f"tolerance {value!r} is out of range, or not made of relative, floor and unit; a share lies between 0 and "
            "100 (0.05 is 5 %)"
        ) from None
