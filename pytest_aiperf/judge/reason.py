"""The one place that words a verdict: a plain sentence with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_aiperf.judge.samples import Verdict


def percent(fraction: float) -> str:
    """12.3 % for 0.123, 5 % for 0.05."""
    text = f"{100 * fraction:.1f}"
    return f"{text.removesuffix('.0')} %"


def signed(fraction: float) -> str:
    """+12.3 % for 0.123."""
    return f"{100 * fraction:+.1f} %"


def moved(change: float) -> str:
    """How far the value moved: "12.3 % higher than the baseline"."""
    if abs(change) < 0.0005:
        return "the same as the baseline"
    return f"{percent(abs(change))} {'higher' if change > 0 else 'lower'} than the baseline"


def reason_for(
    verdict: Verdict,
    *,
    change: float,
    ci95: tuple[float, float],
    tolerance: float,
    mde: float,
    improved: bool,
    beyond_tolerance: bool,
    n_dropped: int,
) -> str:
    """Explain a comparison that was made; relative figures are fractions."""
    dropped = f"; {n_dropped} {'run was' if n_dropped == 1 else 'runs were'} not usable" if n_dropped else ""
    seen = f"{moved(change)} (95 % interval {signed(ci95[0])} to {signed(ci95[1])})"
    limit = f"the tolerance of {percent(tolerance)}"
    if verdict == "regressed":
        finding = f"worse by more than {limit} and by more than noise"
    elif verdict == "pass" and improved:
        finding = f"better by more than {limit} and by more than noise"
    elif verdict == "pass":
        finding = f"no worse than {limit} allows; a worsening of {percent(mde)} would have shown"
    elif beyond_tolerance:
        finding = f"beyond {limit} but not beyond noise; a worsening shows from {percent(mde)} on"
    else:
        finding = f"noise leaves more than {limit} possible; a worsening shows from {percent(mde)} on"
    return f"{seen}: {finding}{dropped}"
