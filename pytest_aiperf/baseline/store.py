"""Read and write baseline files. A file is replaced as a whole or left alone; it is never half written."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pytest_aiperf.baseline.consistency import contradictions
from pytest_aiperf.baseline.migration import migrated
from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.common.errors import BaselineError
from pytest_aiperf.common.path_safety import checked_read

MAX_BYTES: Final = 32 * 1024 * 1024
"""No baseline is larger: ten sessions of a few runs are some hundred kilobytes."""
_ADVICE: Final = "Mend it, or delete it and record again."


def load(path: Path) -> Baseline | None:
    """Return the stored baseline, None where there is no such file.

    Raises:
        BaselineError: it cannot be read, is not JSON, does not fit the schema, contradicts itself, or is newer than
            this version. The message names the file and the place; the file is left alone.
    """
    # A checkout may lie behind a symbolic link: what is refused is anything but a regular file at its end.
    data, why = checked_read(os.path.realpath(path), max_bytes=MAX_BYTES)
    if data is None and why is None:
        return None
    try:
        text = data.decode("utf-8") if data is not None else ""
    except UnicodeDecodeError as error:
        data, why = None, str(error)
    if data is None:
        raise BaselineError(f"{path}: cannot be read: {why}. {_ADVICE}")
    return parse(text, source=str(path))


def parse(text: str, *, source: str) -> Baseline:
    """Return the baseline in `text`; errors as in `load`."""
    try:
        document = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{source}: not JSON: {error}. {_ADVICE}") from None
    baseline = _validated(migrated(document, source=source), source)
    for place, what in contradictions(baseline):
        raise _wrong(source, place, what)
    return baseline


def _validated(document: Mapping[str, Any], source: str) -> Baseline:
    try:
        return Baseline.model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise _wrong(source, place, problem["msg"]) from None


def _wrong(source: str, place: str, what: str) -> BaselineError:
    return BaselineError(f"{source}: {f'at {place}: ' if place else ''}{what}. {_ADVICE}")


def dump(baseline: Baseline) -> str:
    """Return the file's text: fixed order, six significant digits, one short list a line, made to be reviewed."""
    return _render(_rounded(baseline.model_dump(mode="json", by_alias=True)), 0) + "\n"


def save(path: Path, text: str) -> None:
    """Replace the file by `text`, atomically and durably.

    Raises:
        BaselineError: the directory cannot be written; nothing was changed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BaselineError(f"{path}: cannot be written: {error}") from None


def check_writable(path: Path) -> None:
    """Raise a BaselineError when `save` would fail for this path: before a measurement, not after it."""
    folder = next((p for p in [path.parent, *path.parent.parents] if p.exists()), Path("/"))
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK) or _read_only_file_system(folder):
        raise BaselineError(
            f"{path}: cannot be written: {folder} is not a writable directory. "
            "Nothing was measured. Give a writable --aiperf-baseline-dir."
        )


def _read_only_file_system(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets the last of two equal keys win; in a file that was merged by hand nobody knows which was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return _six_digits(value)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value


def _six_digits(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def _render(value: Any, depth: int) -> str:
    pad, inner = "  " * depth, "  " * (depth + 1)
    if isinstance(value, Mapping) and value:
        rows = [f"{inner}{json.dumps(key)}: {_render(item, depth + 1)}" for key, item in _ordered(value)]
        return "{\n" + ",\n".join(rows) + f"\n{pad}}}"
    if isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        rows = [f"{inner}{_render(item, depth + 1)}" for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{pad}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


_ORDER: Sequence[str] = ("schema", "stats_version", "key", "anchor", "variance", "sessions")
_LAST: Sequence[str] = ("hist", "environment", "recorded")
"""Bulky and volatile parts stand last, so that a diff begins with what matters."""


def _ordered(value: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    def rank(key: str) -> tuple[int, int, str]:
        if key in _ORDER:
            return 0, _ORDER.index(key), key
        return (2, _LAST.index(key), key) if key in _LAST else (1, 0, key)

    return sorted(value.items(), key=lambda pair: rank(pair[0]))
