"""What the GPUs tell against a run, or of why it came out as it did. Pure rules, each with its limit.

Which findings make a run invalid, and why:

- `throttled`: the card was too hot, or its board took the clocks down. That is the machine's state and not the
  server's speed. A power cap (`sw_power_cap`) is none of it: it is how a card under full load works.
- `other_tenants`: a process came to the card, or left it, while the run was measured. One that was there all the time
  may be the server, its helpers, a desktop; NVML does not tell which did the work, so it is no finding.
- `faults`: the driver reported an error (XID), or memory errors that could not be corrected.

`clocks_fell` makes no run invalid; it is a cause that a regression can have.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pytest_aiperf.gpu_telemetry.window import GpuWindow, label_of

THROTTLED_SHARE: Final = 0.05
"""Of the time. The driver tells a reason that lasts for milliseconds too, and a median does not feel that."""
CLOCKS_FELL_SHARE: Final = 0.03
"""Below the baseline's mean. Two cards of one part differ by one or two per cent under full load."""
_BUSY_PCT: Final = 50.0
_INVALID_WORDS: Final = ("thermal", "brake", "hw_slowdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that fired."""

    rule: str
    invalidates: bool
    value: float
    limit: float
    """The rule fires above it."""
    text: str
    """What happened, with figures, and what to do."""


def findings_of(
    window: GpuWindow, *, own_pids: Collection[int] = (), baseline_sm_clock_mhz: float | None = None
) -> Sequence[Finding]:
    """Return what every rule finds; `own_pids` are processes that are known to be ours or the server's."""
    return [
        *throttled(window),
        *other_tenants(window, own_pids),
        *faults(window),
        *clocks_fell(window, baseline_sm_clock_mhz),
    ]


def is_throttling(reason: str) -> bool:
    """Return whether a run with this reason is none: heat, the power brake, and the board's own slow-down.

    Read by the words, so that it holds for the names of other vendors. Not among them are an idle card, a power cap,
    and clocks that somebody has set, or that a group of cards has in common.
    """
    return any(word in reason for word in _INVALID_WORDS)


def throttled(window: GpuWindow, *, share_limit: float = THROTTLED_SHARE) -> Sequence[Finding]:
    """Tell of each GPU that was held back by heat or its board for more than this share of the window."""
    found = []
    for one in window.gpus:
        bad = {name: share for name, share in (one.throttle_share or {}).items() if is_throttling(name)}
        worst = max(bad.values(), default=0.0)
        if worst > share_limit:
            said = ", ".join(f"{name} {share:.0%}" for name, share in bad.items())
            heat = f", at up to {one.temperature_max_c:.0f} °C" if one.temperature_max_c is not None else ""
            found.append(
                Finding(
                    rule="gpu_throttled",
                    invalidates=True,
                    value=worst,
                    limit=share_limit,
                    text=f"{label_of(one.gpu)} was held back for {worst:.0%} of the time ({said}){heat}: let it cool"
                    " down, and look at its cooling and its power supply",
                )
            )
    return found


def other_tenants(window: GpuWindow, own_pids: Collection[int] = ()) -> Sequence[Finding]:
    """Tell of each GPU to which a process came, or which one left, during the window.

    Nothing is found where processes are not told (an exporter elsewhere, a container without their numbers).
    """
    found = []
    for one in window.gpus:
        strangers = [pid for pid in one.came_or_went or () if pid not in own_pids]
        if strangers:
            several = "another process" if len(strangers) == 1 else f"{len(strangers)} other processes"
            found.append(
                Finding(
                    rule="gpu_other_tenants",
                    invalidates=True,
                    value=len(strangers),
                    limit=0,
                    text=f"{several} came to {label_of(one.gpu)} or left it during the run"
                    f" ({', '.join(map(str, strangers[:5]))}): have the card alone, or see whether the server"
                    " starts processes for its requests",
                )
            )
    return found


def faults(window: GpuWindow) -> Sequence[Finding]:
    """Tell of driver errors, and of memory errors that could not be corrected."""
    found = []
    for one in window.gpus:
        if one.xid_errors:
            numbers = ", ".join(str(number) for number in dict.fromkeys(one.xid_errors))
            text = f"the driver reported XID {numbers} of {label_of(one.gpu)} during the run: look it up in dmesg"
            found.append(
                Finding(rule="gpu_xid", invalidates=True, value=len(one.xid_errors), limit=0, text=text)
            )
        if one.ecc_uncorrected:
            text = (
                f"{label_of(one.gpu)} had {one.ecc_uncorrected:.0f} memory errors that could not be corrected:"
                " reset the card, and have it looked at if they come again"
            )
            found.append(
                Finding(
                    rule="gpu_memory_errors", invalidates=True, value=one.ecc_uncorrected, limit=0, text=text
                )
            )
    return found


def clocks_fell(
    window: GpuWindow, baseline_sm_clock_mhz: float | None, *, share_limit: float = CLOCKS_FELL_SHARE
) -> Sequence[Finding]:
    """Tell that the SM clocks are lower than in the baseline, of GPUs that were busy.

    The clocks of a GPU with little to do are low because of that: there they are an effect and no cause.
    """
    now = window.totals.sm_clock_mean_mhz
    busy = window.totals.utilisation_mean_pct
    if now is None or not baseline_sm_clock_mhz or (busy is not None and busy < _BUSY_PCT):
        return []
    fall = 1 - now / baseline_sm_clock_mhz
    if fall <= share_limit:
        return []
    reasons = sorted({reason for one in window.gpus for reason in one.throttle_share or ()} - {"gpu_idle"})
    why = f"; the driver says {', '.join(reasons)}" if reasons else ""
    return [
        Finding(
            rule="gpu_clocks_fell",
            invalidates=False,
            value=fall,
            limit=share_limit,
            text=f"the GPU clocks fell from {baseline_sm_clock_mhz:.0f} to {now:.0f} MHz ({-fall:.0%}){why}",
        )
    ]
