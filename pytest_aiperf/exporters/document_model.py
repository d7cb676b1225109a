"""The result document as models: what `--aiperf-json` writes, key by key.

Documents are built as dicts, in `document`: a model of each of the fifty metrics of a measurement would be made only to
be taken apart. From these models the JSON Schema is generated, and every document of the test suite is held against
both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from pytest_aiperf.baseline.schema import BaselineKey, Count, Number, Session
from pytest_aiperf.common.models import AIPerfBaseModel
from pytest_aiperf.exporters.document_rows import (
    ChangeRow,
    CheckRow,
    ComparisonRow,
    ErrorRow,
    Figures,
    JudgedRow,
    LocationRow,
    MissedRow,
    SentRow,
    TermsRow,
)
from pytest_aiperf.measure.measurement import MeasurementVerdict
from pytest_aiperf.measure.recording import StoredAs
from pytest_aiperf.metrics.tokens import TokenSource


class PytestSession(AIPerfBaseModel):
    """The pytest session that wrote the document."""

    endpoint: str | None = Field(
        description="As it was given, else what all measurements have in common; null where they differ."
    )
    profile: str | None = Field(
        description="As it was given, else what all measurements have in common; null where they differ."
    )
    started: str = Field(description="UTC, ISO 8601.")
    duration_s: Number = Field(ge=0, description="Seconds from start to end.")
    pytest: str | None = Field(description="Version of pytest; null: pytest-aiperf profile wrote it.")
    plugin: str = Field(description="Version of pytest-aiperf.")
    workers: Count = Field(description="xdist processes; 0 without xdist.")


class _Entry(AIPerfBaseModel):
    """What every measurement has, made or not."""

    test: str = Field(description="Node id.")
    location: LocationRow | None = Field(
        description="Where its source is; null: no test made it, but pytest-aiperf profile."
    )
    name: str | None = Field(description="Name within the test; null where it has none.")
    reason: str = Field(description="The verdict in full.")
    headline: str = Field(description="The verdict in one line, the worst figure first.")
    text: str | None = Field(description="What the test says where it does not pass; null where it does.")
    failure: str | None = Field(
        description="What the test failed with, where that was its own assertion; null: it did not."
    )
    profile: str = Field(description="Hardware or deployment that its baseline belongs to.")
    extra: Mapping[str, Number | None] = Field(
        description="Figures of the hook pytest_aiperf_metrics, by name; null where one is not finite."
    )
    artifacts: tuple[str, ...] | None = Field(
        description="Files with the requests of its runs, as seen from the directory; null without "
        "--aiperf-artifacts."
    )
    gpu: tuple[Mapping[str, Any], ...] = Field(description="Empty today.")
    server_metrics: Mapping[str, Any] = Field(description="Empty today.")


class Measured(_Entry):
    """A measurement that was made, valid or not."""

    key: BaselineKey = Field(description="What must be equal for a comparison.")
    verdict: MeasurementVerdict = Field(description="What it was called.")
    load: Mapping[str, Any] = Field(description="As in key.")
    model: str | None = Field(description="As the requests name it; null: they name none.")
    endpoint: str = Field(description="URL of the server; the real one, also for mock://.")
    transport: str = Field(description="What sent the requests: wire or aiohttp.")
    timestamps: str = Field(description="Whose stamps arrivals have: kernel, user or mixed.")
    connection_reuse: str = Field(description="pooled, never or sticky.")
    insecure: bool = Field(description="Certificates were not verified.")
    proxy: str | None = Field(description="Host and port of the proxy; null: none was used.")
    osl_source: TokenSource = Field(description="Where output tokens are counted.")
    started: str = Field(description="UTC, ISO 8601.")
    duration_s: Number = Field(ge=0, description="Seconds, rehearsal included.")
    validity: tuple[CheckRow, ...] = Field(description="Every check of every run.")
    sessions: tuple[Session, ...] = Field(
        min_length=1, max_length=2, description="The first, and the one that was to confirm a regression."
    )
    sent: tuple[tuple[SentRow, ...], ...] = Field(description="By session, for each run.")
    metrics: Figures = Field(description="By tag: every metric that the load has.")
    judged: tuple[JudgedRow, ...] = Field(description="What is judged.")
    terms: TermsRow = Field(description="How all of it is judged.")
    comparisons: tuple[ComparisonRow, ...] = Field(description="Empty where nothing was compared.")
    missed: tuple[MissedRow, ...] = Field(description="Absolute limits that were not kept.")
    against: str | None = Field(
        description="URL of the server that it was compared with; null: with a baseline, or with nothing."
    )
    against_sessions: tuple[Session, ...] = Field(
        max_length=1, description="That server's runs; empty without one."
    )
    changes: tuple[ChangeRow, ...] = Field(description="What forbids no comparison and may explain a change.")
    errors: tuple[ErrorRow, ...] = Field(description="Failed requests of all runs.")
    baseline: str | None = Field(
        description="Path of the file that it was compared with or is written to; null: there is none."
    )
    baseline_sessions: Count = Field(description="Sessions of the baseline that it was compared with.")
    stored: StoredAs | None = Field(description="As what it is stored; null: it is not.")


class NotMeasured(_Entry):
    """A measurement that could not be made: every list is empty, and what is not known is null."""

    key: None = Field(description="null: it could not be made.")
    verdict: Literal["invalid"] = Field(description="Nothing can be said.")
    load: None = Field(description="null: it could not be made.")
    model: None = Field(description="null: it could not be made.")
    endpoint: None = Field(description="null: it could not be made.")
    transport: None = Field(description="null: it could not be made.")
    timestamps: None = Field(description="null: it could not be made.")
    connection_reuse: None = Field(description="null: it could not be made.")
    insecure: None = Field(description="null: it could not be made.")
    proxy: None = Field(description="null: it could not be made.")
    osl_source: None = Field(description="null: it could not be made.")
    started: None = Field(description="null: it could not be made.")
    duration_s: None = Field(description="null: it could not be made.")
    validity: tuple[CheckRow, ...] = Field(max_length=0, description="Empty.")
    sessions: tuple[Session, ...] = Field(max_length=0, description="Empty.")
    sent: tuple[tuple[SentRow, ...], ...] = Field(max_length=0, description="Empty.")
    metrics: Figures = Field(max_length=0, description="Empty.")
    judged: tuple[JudgedRow, ...] = Field(max_length=0, description="Empty.")
    terms: None = Field(description="null: it could not be made.")
    comparisons: tuple[ComparisonRow, ...] = Field(max_length=0, description="Empty.")
    missed: tuple[MissedRow, ...] = Field(max_length=0, description="Empty.")
    against: None = Field(description="null: it could not be made.")
    against_sessions: tuple[Session, ...] = Field(max_length=0, description="Empty.")
    changes: tuple[ChangeRow, ...] = Field(max_length=0, description="Empty.")
    errors: tuple[ErrorRow, ...] = Field(max_length=0, description="Empty.")
    baseline: None = Field(description="null: it could not be made.")
    baseline_sessions: Literal[0] = Field(description="None was compared with.")
    stored: None = Field(description="null: it could not be made.")


def _kind_of(entry: Any) -> str:
    key = entry.get("key") if isinstance(entry, Mapping) else entry.key
    return "not measured" if key is None else "measured"


Entry = Annotated[
    Annotated[Measured, Tag("measured")] | Annotated[NotMeasured, Tag("not measured")],
    Discriminator(_kind_of),
]
"""Told apart by their key, so that an error names the place in the one that is meant."""


class ResultDocument(AIPerfBaseModel):
    """What --aiperf-json writes: one document a pytest session, whatever the outcome.

    Numbers are finite; null stands where there is nothing to say. Shares and changes are fractions: 0.05 is 5 %.
    """

    schema_: Literal[1] = Field(alias="schema", description="Version of this format.")
    stats_version: Count = Field(
        description="Version of the statistics: figures of two versions are not compared."
    )
    session: PytestSession = Field(description="The pytest session.")
    measurements: tuple[Entry, ...] = Field(
        description="In the order in which they were made; empty where nothing was measured."
    )
