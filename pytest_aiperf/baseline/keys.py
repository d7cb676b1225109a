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


def baseline_path(directory: Path, *, profile: str, test: str, name: str | None) -> Path:
    """Return the file of a measurement: ``<dir>/<profile>/<module>/<test>-<hash8>.json``.

    The readable part is a slug, capped; the hash over the exact id and name keeps two tests apart whose slugs
    are equal. Nothing in an id can lead out of `directory`.
    """
    module, _, inner = test.partition("::")
    exact = test if name is None else f"{test}\0{name}"
    digest = hashlib.sha256(exact.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = inner.replace("::", ".") + (f"#{name}" if name else "")
    return directory / slug(profile) / slug(Path(module).stem) / f"{slug(readable)}-{digest}.json"


def slug(text: str) -> str:
    """Return a file name part: safe characters, no leading dot, at most 100 characters, never empty."""
    safe = _UNSAFE.sub("_", text).lstrip(".")[:_MAX_SLUG]
    return safe or "_"


def differences(baseline: Baseline, key: BaselineKey) -> Sequence[str]:
    """Return what makes the two incomparable, one phrase each; empty when they are comparable."""
    found = []
    if baseline.stats_version != STATS_VERSION:
        found.append(f"statistics version was {baseline.stats_version}, is {STATS_VERSION}")
    old, new = baseline.key, key
    names = sorted({*old.load, *new.load})
    found += [_was(n, old.load.get(n), new.load.get(n)) for n in names if old.load.get(n) != new.load.get(n)]
    for field in ("test", "name", "model", "accelerator", "accelerator_count", "power_limit_w"):
        before, now = getattr(old, field), getattr(new, field)
        if before != now:
            found.append(_was(field, before, now))
    if not found and old.workload != new.workload:
        found.append(f"the requests themselves differ (workload {old.workload[:8]}, now {new.workload[:8]})")
    return found


def _was(name: str, before: object, now: object) -> str:
    return f"{name} was {before!r}, is {now!r}"
