"""The file of a fixed schedule: JSON Lines, a request each, with the time at which it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.finite import is_finite_value
from pytest_aiperf.common.path_safety import checked_read
from pytest_aiperf.common.records import Int32, Int64
from pytest_aiperf.config.load_config import LoadConfig
from pytest_aiperf.engine.replay import replay_schedule

MAX_BYTES: Final = 256 * 1024 * 1024
_LONGEST: Final = 10_000_000
_LATEST_MS: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A schedule as it is replayed. Shapes: ``(n,)``."""

    due_ns: Int64
    isl: Int32 | None
    """None where no line has an input length."""
    osl: Int32 | None


class _Line(NamedTuple):
    timestamp_ms: float
    input_length: int | None
    output_length: int | None


def read_trace(load: LoadConfig, *, isl: int, osl: int) -> Trace:
    """Return the lines between the offsets, in the order of their timestamps; a length that a line lacks is filled in.

    Raises:
        ConfigurationError: the file cannot be read, a line is not what it should be, or none is left.
    """
    lines = _read(str(load.fixed_schedule))
    replay = replay_schedule(
        [line.timestamp_ms for line in lines],
        start_offset_ms=load.schedule_start_ms,
        end_offset_ms=load.schedule_end_ms,
        auto_offset=load.schedule_auto_offset,
        speedup=load.schedule_speedup or 1.0,
    )
    due_ns, rows = replay.due_ns, replay.rows
    if load.duration_s is not None:
        due_ns = due_ns[due_ns <= round(load.duration_s * 1e9)]
    if load.request_count is not None:
        due_ns = due_ns[: load.warm_up_requests + load.request_count]
    rows = rows[: len(due_ns)]
    return Trace(
        due_ns=due_ns,
        isl=_lengths([line.input_length for line in lines], isl, rows),
        osl=_lengths([line.output_length for line in lines], osl, rows),
    )


def _lengths(given: list[int | None], default: int, rows: npt.NDArray[np.intp]) -> Int32 | None:
    if all(length is None for length in given):
        return None
    return np.array([default if length is None else length for length in given], dtype=np.int32)[rows]


def _read(path: str) -> list[_Line]:
    data, why = checked_read(path, max_bytes=MAX_BYTES)
    if data is None:
        raise ConfigurationError(f"fixed_schedule={path!r} cannot be read: {why or 'there is no such file'}")
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    return [_parsed(line, f"{path}, line {number}") for number, line in lines]


def _parsed(line: bytes, where: str) -> _Line:
    import orjson

    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict) or "timestamp" not in row:
        raise ConfigurationError(f'{where}: not of the form {{"timestamp": ms}}')
    timestamp = row["timestamp"]
    if not is_finite_value(timestamp) or not 0 <= timestamp <= _LATEST_MS:
        raise ConfigurationError(f"{where}: the timestamp {timestamp!r} is not a number of ms from 0")
    return _Line(timestamp, _length(row, "input_length", where), _length(row, "output_length", where))


def _length(row: dict[str, Any], name: str, where: str) -> int | None:
    value = row.get(name)
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= _LONGEST:
        raise ConfigurationError(f"{where}: {name} {value!r} is not a whole number of tokens from 1")
    return value
