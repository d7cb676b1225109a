"""Measurements that lie in files: what is judged, and what it is judged against.

All kinds of files can be either. A result document holds measurements; a baseline file holds sessions of one, the
newest of which can be judged against others; files of other tools hold runs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.schema import STATS_VERSION, Baseline, BaselineKey, Session
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.path_safety import checked_read
from pytest_aiperf.config.tolerance import Tolerance
from pytest_aiperf.measure.foreign_file import foreign_folder, foreign_lines, foreign_of
from pytest_aiperf.measure.foreign_result import ForeignResults
from pytest_aiperf.measure.judged import JudgedMetric
from pytest_aiperf.measure.measurement import MeasurementVerdict
from pytest_aiperf.measure.result_file import (
    FiledMeasurement,
    FiledMetric,
    FiledTerms,
    ResultFile,
    parse_results,
)
from pytest_aiperf.measure.run_data import JUDGEABLE
from pytest_aiperf.measure.terms import Terms
from pytest_aiperf.metrics.registry import all_metrics, parse_judged

MAX_BYTES: Final = 512 * 1024 * 1024
"""A result document of a thousand measurements is smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A measurement to be judged."""

    test: str
    name: str | None
    key: BaselineKey | None
    """None where it could not be made."""
    stats_version: int
    sessions: Sequence[Session]
    verdict: MeasurementVerdict = "measured"
    """What it was called when it was made."""
    reason: str = ""
    judged: Sequence[JudgedMetric] | None = None
    """None: the file does not say."""
    terms: Terms = field(default_factory=Terms)
    against: str | None = None
    """URL of the other server, where two were compared."""
    against_sessions: Sequence[Session] = ()
    unconfirmed: bool = False
    """Its time budget left no second session to confirm a regression."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Of validity checks, where they were another than usual."""
    tool: str | None = None
    """What else measured it; None: pytest-aiperf."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a measurement can be judged against."""

    source: str
    baseline: Baseline
    invalid: str | None = None
    """Why its figures mean nothing."""
    tool: str | None = None
    """What else measured it; None: pytest-aiperf."""


File = Baseline | ResultFile | ForeignResults


def read_file(path: Path) -> File:
    """Return a baseline file, a result document, or what another tool wrote: a file, or AIPerf's folder of several.

    Raises:
        ConfigurationError: it cannot be read, is not JSON, or is a result that does not fit its schema.
        BaselineError: it is a baseline file that does not fit the schema.
    """
    source = str(path)
    if (files := foreign_folder(path)) is not None:
        return foreign_of([(_document(_text_of(one), str(one)), str(one)) for one in files], source=source)
    text = _text_of(path)
    if (lines := foreign_lines(text)) is not None:
        return foreign_of([(_document(line, source), source) for line in lines], source=source)
    document = _document(text, source)
    if isinstance(document, dict) and "measurements" in document:
        return parse_results(document, source=source)
    if isinstance(document, dict) and "sessions" in document:
        return store.parse(text, source=source)
    return foreign_of([(document, source)], source=source)


def candidates_of(file: File, *, source: str) -> Sequence[Candidate]:
    """Return what a file holds to be judged: all of a result document, the newest session of a baseline file.

    Raises:
        ConfigurationError: a judged metric does not exist, or a measurement stands there twice.
    """
    if isinstance(file, Baseline):
        key = file.key
        newest = file.sessions[-1:]
        return [
            Candidate(
                test=key.test, name=key.name, key=key, stats_version=file.stats_version, sessions=newest
            )
        ]
    if isinstance(file, ForeignResults):
        return [
            Candidate(
                test=one.key.test,
                name=one.key.name,
                key=one.key,
                stats_version=STATS_VERSION,
                sessions=[one.session],
                tool=file.tool,
            )
            for one in file.measurements
        ]
    found = [_candidate(one, file, source) for one in file.measurements]
    seen: set[tuple[str, str | None]] = set()
    for one in found:
        if one.key is None:
            continue
        if (one.key.test, one.key.name) in seen:
            raise ConfigurationError(f"{source}: {title(one.key)} stands there twice: which one is meant?")
        seen.add((one.key.test, one.key.name))
    return found


def stored_in(file: File, *, source: str) -> Sequence[Stored]:
    """Return what a file holds to be judged against; a measurement of a result document in the form of a baseline."""
    if isinstance(file, Baseline):
        return [Stored(source=source, baseline=file)]
    if isinstance(file, ForeignResults):
        return [
            Stored(
                source=source,
                baseline=Baseline(key=one.key, anchor=one.session.id, sessions=(one.session,)),
                tool=file.tool,
            )
            for one in file.measurements
        ]
    return [
        Stored(
            source=source,
            baseline=Baseline(
                stats_version=file.stats_version,
                key=one.key,
                anchor=one.sessions[0].id,
                sessions=one.sessions,
            ),
            invalid=one.reason if one.verdict == "invalid" else None,
        )
        for one in file.measurements
        if one.key is not None and one.sessions
    ]


def title(key: BaselineKey) -> str:
    """Return how people call what was measured: the test, and the name where it has one."""
    return key.test if key.name is None else f"{key.test}#{key.name}"


def _candidate(one: FiledMeasurement, file: ResultFile, source: str) -> Candidate:
    return Candidate(
        test=one.test,
        name=one.name,
        key=one.key,
        stats_version=file.stats_version,
        sessions=one.sessions,
        verdict=one.verdict,
        reason=one.reason,
        judged=[_judged(metric, source) for metric in one.judged],
        terms=_terms(one.terms) if one.terms else Terms(),
        against=one.against,
        against_sessions=one.against_sessions,
        unconfirmed=one.unconfirmed,
        limits=_limits(one.validity),
    )


def _judged(metric: FiledMetric, source: str) -> JudgedMetric:
    tag, statistic = parse_judged(metric.metric)
    if statistic not in ("value", *JUDGEABLE) or all_metrics()[tag].direction == "neutral":
        raise ConfigurationError(f"{source}: at judged: {metric.metric} is nothing that can be judged")
    tolerance = Tolerance(relative=metric.tolerance, floor=metric.floor)
    return JudgedMetric(tag=tag, statistic=statistic, tolerance=tolerance)


def _terms(filed: FiledTerms) -> Terms:
    return Terms(**{name: getattr(filed, name) for name in asdict(Terms())})


def _limits(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    return {
        str(row["check"]): float(row["limit"])
        for row in rows
        if "check" in row and isinstance(row.get("limit"), (int, float))
    }


def _text_of(path: Path) -> str:
    # A checkout may lie behind a symbolic link: what is refused is anything but a regular file at its end.
    data, why = checked_read(os.path.realpath(path), max_bytes=MAX_BYTES)
    if data is None:
        raise ConfigurationError(f"{path}: {f'cannot be read: {why}' if why else 'there is no such file'}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None


def _document(text: str, source: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{source}: not JSON: {error}") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
