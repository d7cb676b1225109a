"""Finite numbers: what may enter a metric, a file or a decision.

NaN and infinity poison means silently and turn into `null` in JSON, where they look like "not measured". Every
numeric boundary goes through one of these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Annotated, Any

from pydantic import BeforeValidator


def is_finite_value(value: object) -> bool:
    """Tell whether `value` is a finite int, float or numpy number; False for bool, None, text and containers."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind not in ("i", "u", "f") or getattr(value, "ndim", 1) != 0:
        return False
    return kind != "f" or math.isfinite(float(value))  # type: ignore[arg-type]


def _must_be_finite(value: Any) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value  # not a number at all: pydantic says so
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"must be finite, got {number!r}")
    return value


FiniteFloat = Annotated[float, BeforeValidator(_must_be_finite)]
"""A float field that refuses NaN and infinity; pydantic's own ``ge=0`` lets +inf through.

It looks before the field's bounds do: "less than or equal to 100" is no help to one who gave NaN.
"""


def scrub_non_finite(value: Any) -> Any:
    """Return a copy in which every non-finite number is None; containers keep their type, input is unchanged."""
    if isinstance(value, Mapping):
        return _scrub_mapping(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(scrub_non_finite(item) for item in value))
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(scrub_non_finite(item) for item in value)
    if hasattr(value, "dtype"):
        return _scrub_array(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _scrub_mapping(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    scrubbed = {key: scrub_non_finite(item) for key, item in value.items()}
    if type(value) is dict or not isinstance(value, dict):
        return scrubbed
    kept = copy(value)  # an OrderedDict stays one, a defaultdict keeps its factory
    for key, item in scrubbed.items():
        kept[key] = item
    return kept


def _scrub_array(value: Any) -> Any:
    """An array of numbers that may be NaN becomes lists: no array of floats can hold None."""
    if value.dtype.kind not in ("f", "O"):
        return value
    if value.ndim == 0:
        return value if is_finite_value(value) else scrub_non_finite(value.item())
    return [scrub_non_finite(item) for item in value.tolist()]


def nan_safe_mean(values: Iterable[Any]) -> float | None:
    """Return the mean of the finite values, None when there is none or it is beyond what a float can hold."""
    try:
        finite = _finite_floats(values)
    except OverflowError:
        return None
    if not finite:
        return None
    try:
        mean = math.fsum(finite) / len(finite)
    except OverflowError:  # the sum does not fit; the mean does
        mean = math.fsum(value / len(finite) for value in finite)
    return min(max(mean, min(finite)), max(finite))  # rounding must not take it out of the values' range


def _finite_floats(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values if is_finite_value(value)]


def nan_safe_std(values: Iterable[Any], ddof: int = 1) -> float | None:
    """Return the standard deviation of the finite values, None when fewer than ``ddof + 1`` are finite."""
    try:
        finite = _finite_floats(values)
    except OverflowError:
        return None
    mean = nan_safe_mean(finite)
    if mean is None or len(finite) <= ddof:
        return None
    scale = max(abs(value - mean) for value in finite)
    if scale == 0 or not math.isfinite(scale):
        return 0.0 if scale == 0 else None
    total = math.fsum(((value - mean) / scale) ** 2 for value in finite)
    result = scale * math.sqrt(total / (len(finite) - ddof))
    return result if math.isfinite(result) else None
