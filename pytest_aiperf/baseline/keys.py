"""Where a baseline lives and what it may be compared with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pytest_aiperf.baseline.schema import STATS_VERSION, Baseline, BaselineKey

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._=+,\[\]-]+")
_MAX_SLUG: Final = 100
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
_GIB: Final = 1024**3
_SAME_MEMORY: Final = 0.03


def baseline_path(directory: Path, *, profile: str, test: str, name: str | None) -> Path:
    """Return the file of a measurement: ``<dir>/<profile>/<module>/<test>-<hash8>.json``.

    See `measurement_path`.
    """
    folder = measurement_path(directory / profile_folder(profile), test=test, name=name)
    return folder.with_name(f"{folder.name}.json")


def measurement_path(directory: Path, *, test: str, name: str | None) -> Path:
    """Return what is named after a measurement: ``<dir>/<module>/<test>-<hash8>``.

    The readable part is a slug, capped; the hash over the exact id and name keeps two tests apart whose slugs
    are equal. Nothing in an id can lead out of `directory`.
    """
    module, _, inner = test.partition("::")
    exact = test if name is None else f"{test}\0{name}"
    readable = inner.replace("::", ".") + (f"#{name}" if name else "")
    return directory / _folder(Path(module).stem) / _portable(f"{slug(readable)}-{_digest(exact)}")


def profile_folder(profile: str) -> str:
    """Return the folder of a profile: its name, or where that cannot be a folder's, a slug of it and a hash.

    The hash over a test's id does not hold the profile, so two profiles must not come to one folder. What this
    returns it returns unchanged.
    """
    folder = _folder(profile)
    return folder if folder == profile else f"{folder[: _MAX_SLUG - 9]}-{_digest(profile)}"


def slug(text: str) -> str:
    """Return a file name part: safe characters, no leading dot, at most 100 characters, never empty."""
    safe = _UNSAFE.sub("_", text).lstrip(".")[:_MAX_SLUG]
    return safe or "_"


def _folder(text: str) -> str:
    return _portable(slug(text).rstrip(".") or "_")


def _portable(part: str) -> str:
    """Windows drops dots at the end of a name, and takes some names for devices, whatever follows their first dot."""
    return f"_{part}" if part.partition(".")[0].lower() in _DEVICES else part


def _digest(exact: str) -> str:
    return hashlib.sha256(exact.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def differences(baseline: Baseline, key: BaselineKey) -> Sequence[str]:
    """Return what makes the two incomparable, one phrase each; empty when they are comparable.

    Of the accelerator, part and count must be equal, and unknown is not equal to known: nothing says that the
    hardware is the same. Its memory, slices and power limit are compared where both sides know them: a driver may
    not tell them, and older files do not have them all.
    """
    found = []
    if baseline.stats_version != STATS_VERSION:
        found.append(f"statistics version was {baseline.stats_version}, is {STATS_VERSION}")
    old, new = baseline.key, key
    names = sorted({*old.load, *new.load})
    found += [_was(n, old.load.get(n), new.load.get(n)) for n in names if old.load.get(n) != new.load.get(n)]
    for field in ("test", "name", "model", "accelerator", "accelerator_count"):
        before, now = getattr(old, field), getattr(new, field)
        if before != now:
            found.append(_was(field, before, now))
    for field in ("accelerator_mig", "power_limit_w"):
        before, now = getattr(old, field), getattr(new, field)
        if None not in (before, now) and before != now:
            found.append(_was(field, before, now))
    found += _other_memory(old.accelerator_memory_bytes, new.accelerator_memory_bytes)
    if not found and old.workload != new.workload:
        found.append(f"the requests themselves differ (workload {old.workload[:8]}, now {new.workload[:8]})")
    return found


def _other_memory(before: int | None, now: int | None) -> Sequence[str]:
    """Drivers differ in how much they keep for themselves; parts differ by more."""
    if before is None or now is None or abs(before - now) <= _SAME_MEMORY * max(before, now):
        return []
    return [f"accelerator memory was {before / _GIB:.1f} GiB, is {now / _GIB:.1f} GiB"]


def _was(name: str, before: object, now: object) -> str:
    return f"{name} was {before!r}, is {now!r}"
