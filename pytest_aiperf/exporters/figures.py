"""Numbers for people: significant digits, not decimals (0.00 helps nobody), and percentages with a sign."""

from __future__ import annotations

from math import floor, isfinite, log10

_LONGEST = 12
"""Digits before the point, beyond which an exponent is easier to read."""


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits, without exponent where one can read it: 412, 9.3, 0.046."""
    if value is None or not isfinite(value):
        return "-"
    if value == 0:
        return "0"
    magnitude = floor(log10(abs(value)))
    if not -6 <= magnitude < _LONGEST:
        return f"{value:.{digits - 1}e}"
    if magnitude >= digits - 1:
        return f"{value:.0f}"
    text = f"{value:.{digits - 1 - magnitude}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(fraction: float | None, *, sign: bool = True) -> str:
    """Return a share as a percentage: +37 %, -0.4 %."""
    if fraction is None or not isfinite(fraction):
        return "-"
    value = 100 * fraction
    text = number(abs(value), 1) if abs(value) >= 9.5 else f"{abs(value):.1f}".removesuffix(".0")
    if not sign:
        return f"{text} %"
    mark = "" if text == "0" else "+" if value > 0 else "-"
    return f"{mark}{text} %"


def with_half(value: float | None, half: float | None, unit: str) -> str:
    """Return ``300 ms ± 10``: the half width with as many decimals as it needs, the value with as many."""
    if value is None:
        return "-"
    if half is None or half <= 0:
        return f"{number(value)} {unit}"
    decimals = max(0, -floor(log10(half))) if half < 10 else 0
    decimals = min(decimals, 6)
    return f"{value:.{decimals}f} {unit} ± {half:.{decimals}f}"
