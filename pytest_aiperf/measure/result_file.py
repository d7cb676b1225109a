"""The result document as it is read back: the parts that a verdict needs, as models; the rest is passed over.

A document may have been edited by hand or cut by a script. What a verdict rests on is checked here, field by field, so
that a mistake is an error with its place and not a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, model_validator

from pytest_aiperf.baseline.consistency import run_contradictions
from pytest_aiperf.baseline.schema import BaselineKey, Session
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import AIPerfBaseModel
from pytest_aiperf.measure.measurement import MeasurementVerdict

SCHEMA: Final = 1
"""The newest version of the document that is understood."""
NOT_READ: Final = frozenset(
    {
        "artifacts",
        "changes",
        "baseline",
        "baseline_sessions",
        "connection_reuse",
        "duration_s",
        "endpoint",
        "errors",
        "extra",
        "failure",
        "gpu",
        "headline",
        "insecure",
        "load",
        "location",
        "metrics",
        "missed",
        "model",
        "osl_source",
        "profile",
        "proxy",
        "sent",
        "server_metrics",
        "started",
        "stored",
        "text",
        "timestamps",
        "transport",
    }
)
"""Fields of a measurement that no verdict depends on."""

Risk = Annotated[FiniteFloat, Field(gt=0, lt=0.5)]
Runs = Annotated[int, Field(ge=1, le=100)]


class FiledMetric(AIPerfBaseModel):
    """A judged metric."""

    metric: str = Field(description="Name with its statistic, time_to_first_token.p50.")
    tolerance: FiniteFloat = Field(ge=0, le=100, description="Share of the baseline.")
    floor: FiniteFloat = Field(ge=0, description="Absolute part, in the metric's unit.")


class FiledTerms(AIPerfBaseModel):
    """The terms of all judged metrics."""

    looks: tuple[Runs, ...] = Field(min_length=1, description="After how many runs it is looked at.")
    alpha_fail: tuple[Risk, ...] = Field(description="By look: risk of a false alarm.")
    alpha_pass: tuple[Risk, ...] = Field(description="By look: risk of a wrong pass.")
    strict: bool = Field(description="The whole interval must lie beyond the tolerance.")
    max_mde: FiniteFloat | None = Field(gt=0, description="Largest MDE that a pass may have.")
    paired: bool = Field(description="Both sides were measured in turn.")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if any(a >= b for a, b in pairwise(self.looks)):
            raise ValueError(f"looks are numbers of runs in ascending order, got {list(self.looks)}")
        for name in ("alpha_fail", "alpha_pass"):
            if len(getattr(self, name)) != len(self.looks):
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} values for {len(self.looks)} looks: give one each"
                )
        return self


class FiledMeasurement(AIPerfBaseModel):
    """One measurement."""

    test: str = Field(description="Node id.")
    name: str | None = Field(description="Name within the test.")
    verdict: MeasurementVerdict = Field(description="What it was called when it was made.")
    reason: str = Field(description="Why.")
    key: BaselineKey | None = Field(description="Null where it could not be made.")
    judged: tuple[FiledMetric, ...] = Field(description="What was judged.")
    terms: FiledTerms | None = Field(description="Null where it could not be made.")
    sessions: tuple[Session, ...] = Field(max_length=2, description="The first, then the confirmation's.")
    against: str | None = Field(description="URL of the other server.")
    against_sessions: tuple[Session, ...] = Field(max_length=1, description="The other server's.")
    comparisons: tuple[Mapping[str, Any], ...] = Field(description="As they were then.")
    validity: tuple[Mapping[str, Any], ...] = Field(description="Checks and their limits.")

    @model_validator(mode="before")
    @classmethod
    def _pass_over(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if key not in NOT_READ}

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if self.verdict == "invalid":
            return self
        if not self.sessions:
            raise ValueError(f"{self.test}: it has no sessions, so there is nothing to judge")
        if self.key is None or self.terms is None:
            raise ValueError(f"{self.test}: key and terms are null only where the verdict is 'invalid'")
        return self

    @property
    def unconfirmed(self) -> bool:
        """It found a regression, and its time budget left no second session to confirm it.

        A verdict is that of its gravest figure; this is the one case in which it is milder.
        """
        return self.verdict == "inconclusive" and any(
            c.get("verdict") == "regressed" for c in self.comparisons
        )


class ResultFile(AIPerfBaseModel):
    """The document."""

    schema_: int = Field(alias="schema", description="Version of this format.")
    stats_version: int = Field(ge=1, description="Version of the statistics.")
    session: Mapping[str, Any] = Field(description="Facts of the pytest session.")
    measurements: tuple[FiledMeasurement, ...] = Field(
        min_length=1, description="In the order in which they were made."
    )


def parse_results(document: Mapping[str, Any], *, source: str) -> ResultFile:
    """Return the document; `source` is the file's name, for messages.

    Raises:
        ConfigurationError: it is newer than this version, or does not fit the schema; the message names the place.
    """
    schema = document.get("schema")
    if type(schema) is not int or schema < 1:
        raise ConfigurationError(
            f"{source}: not a result document: its 'schema' is {schema!r}, not a version from 1 on"
        )
    if schema > SCHEMA:
        raise ConfigurationError(
            f"{source}: written by a newer pytest-aiperf (schema {schema}, this one reads up to {SCHEMA}); "
            "upgrade pytest-aiperf."
        )
    if document.get("measurements") == []:
        raise ConfigurationError(f"{source}: it holds no measurement: nothing was measured")
    try:
        results = ResultFile.model_validate(document)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise _wrong(source, ".".join(str(part) for part in problem["loc"]), problem["msg"]) from None
    for place, what in _contradictions(results):
        raise _wrong(source, place, what)
    return results


def _contradictions(results: ResultFile) -> Iterator[tuple[str, str]]:
    """Yield figures that cannot be of one run; a run in which every request failed can be, and is judged."""
    for i, one in enumerate(results.measurements):
        for field in ("sessions", "against_sessions"):
            for j, session in enumerate(getattr(one, field)):
                for k, run in enumerate(session.runs):
                    start = f"measurements.{i}.{field}.{j}.runs.{k}"
                    found = run_contradictions(run)
                    yield from ((f"{start}.{place}", what) for place, what in found if place != "n_ok")


def _wrong(source: str, place: str, what: str) -> ConfigurationError:
    where = f"at {place}: " if place else ""
    return ConfigurationError(f"{source}: {where}{what}. Write it again with --aiperf-json.")
