"""The baseline file as models. Runs and sessions of a fresh measurement have the same shape."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import log1p
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, NonNegativeInt, Tag, model_validator

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import AIPerfBaseModel

SCHEMA: Final = 1
STATS_VERSION: Final = 1
"""Raised when a statistic is computed differently: values of two versions are not comparable."""

Direction = Literal["lower", "higher", "neutral"]
_LARGEST_LOG: Final = 700.0


class Histogram(AIPerfBaseModel):
    """Sparse log-histogram: bin i holds values from ``(1 + growth) ** i`` up to ``(1 + growth) ** (i + 1)``."""

    growth: FiniteFloat = Field(gt=0, description="Relative width of a bin.")
    offset: int = Field(description="Added to every index.")
    index: tuple[int, ...] = Field(description="Bins that are not empty, ascending, relative to offset.")
    count: tuple[NonNegativeInt, ...] = Field(description="Values in each of these bins.")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        """Whoever draws it relies on this."""
        if len(self.index) != len(self.count):
            raise ValueError(f"{len(self.index)} bins but {len(self.count)} counts")
        if any(a >= b for a, b in pairwise(self.index)):
            raise ValueError("the bins are not in ascending order")
        edges = [self.offset + i for i in (*self.index[:1], *self.index[-1:])]
        if any(abs(edge) * log1p(self.growth) > _LARGEST_LOG for edge in edges):
            raise ValueError(f"a bin at {max(edges, key=abs)} is beyond what a float can hold")
        return self


class Distribution(AIPerfBaseModel):
    """One record metric over one run."""

    unit: str = Field(description="Unit of all values.")
    direction: Direction = Field(description="What is better.")
    count: int = Field(ge=0, description="Requests with a value.")
    avg: FiniteFloat | None = Field(default=None, description="Mean.")
    min: FiniteFloat | None = Field(default=None, description="Least value.")
    max: FiniteFloat | None = Field(default=None, description="Greatest value.")
    std: FiniteFloat | None = Field(default=None, description="Standard deviation (ddof 0).")
    p50: FiniteFloat | None = Field(default=None, description="Median.")
    p90: FiniteFloat | None = Field(default=None, description="90th percentile.")
    p95: FiniteFloat | None = Field(default=None, description="95th percentile.")
    p99: FiniteFloat | None = Field(default=None, description="99th percentile, null below 1000 requests.")
    var_within: Mapping[str, FiniteFloat | None] = Field(
        default_factory=dict, description="Variance of log(statistic) from sections of the run."
    )
    hist: Histogram | None = Field(default=None, description="All values, for later re-analysis.")


class SingleValue(AIPerfBaseModel):
    """One window metric over one run."""

    unit: str = Field(description="Unit of the value.")
    direction: Direction = Field(description="What is better.")
    value: FiniteFloat | None = Field(description="Amount over the window.")


def _kind_of(summary: Any) -> str:
    single = "value" in summary if isinstance(summary, Mapping) else isinstance(summary, SingleValue)
    return "per run" if single else "per request"


Summary = Annotated[
    Annotated[SingleValue, Tag("per run")] | Annotated[Distribution, Tag("per request")],
    Discriminator(_kind_of),
]
"""Told apart by their fields, so that an error names the place in the one that is meant."""


class Stalls(AIPerfBaseModel):
    """Requests much slower than the baseline's median."""

    threshold_ms: FiniteFloat = Field(gt=0, description="1.5 x the baseline's median request latency.")
    count: int = Field(ge=0, description="Requests slower than that.")


class Run(AIPerfBaseModel):
    """One pass over the workload."""

    n_ok: int = Field(ge=0, description="Good requests in the window.")
    n_err: int = Field(ge=0, description="Failed and truncated requests in the window.")
    window_s: FiniteFloat = Field(ge=0, description="Length of the steady window.")
    metrics: Mapping[str, Summary] = Field(description="By tag.")
    stalls: Stalls | None = Field(default=None, description="Null without a request latency.")


class Environment(AIPerfBaseModel):
    """What is noted beside a session but does not forbid a comparison."""

    client: str = Field(description="This package and its version.")
    server: str | None = Field(default=None, description="Server software and version, where it tells.")
    host: str | None = Field(default=None, description="Hash of the load generator's host name.")
    osl_source: str | None = Field(default=None, description="Where output token counts came from.")


class Recorded(AIPerfBaseModel):
    """When and from what."""

    at: str = Field(description="UTC, ISO 8601.")
    commit: str | None = Field(default=None, description="Commit of the tests' repository.")
    dirty: bool | None = Field(default=None, description="It had uncommitted changes.")


class Session(AIPerfBaseModel):
    """The runs of one pytest invocation against one server boot."""

    id: str = Field(description="Random, unique within the file.")
    runs: tuple[Run, ...] = Field(min_length=1, description="In the order in which they were made.")
    environment: Environment = Field(description="Soft facts.")
    recorded: Recorded = Field(description="Provenance.")


class BaselineKey(AIPerfBaseModel):
    """The hard key: two measurements whose keys differ are not comparable."""

    test: str = Field(description="Path, class, function and parameters of the test.")
    name: str | None = Field(default=None, description="Name of the measurement within the test.")
    workload: str = Field(description="SHA-256 over every request body, in order.")
    load: Mapping[str, Any] = Field(description="Load model, level and lengths.")
    model: str | None = Field(default=None, description="Model as the requests name it.")
    accelerator: str | None = Field(default=None, description="Part name of the accelerator, where known.")
    accelerator_count: int | None = Field(default=None, description="How many of them.")
    power_limit_w: FiniteFloat | None = Field(default=None, description="Their power limit.")


class Variance(AIPerfBaseModel):
    """Calibrated variances of one judged statistic."""

    run_sd: FiniteFloat = Field(ge=0, description="sd of log(value) between runs of a session.")
    tau: FiniteFloat = Field(ge=0, description="sd of log(value) between sessions.")
    df: FiniteFloat = Field(gt=0, description="Degrees of freedom of tau.")


class Baseline(AIPerfBaseModel):
    """One file: all that is stored about one measurement of one test on one profile."""

    schema_: int = Field(default=SCHEMA, alias="schema", description="Version of this format.")
    stats_version: int = Field(default=STATS_VERSION, description="Version of the statistics.")
    key: BaselineKey = Field(description="What it is comparable with.")
    anchor: str = Field(description="Id of the pinned session.")
    variance: Mapping[str, Variance] = Field(default_factory=dict, description="By judged statistic.")
    sessions: tuple[Session, ...] = Field(min_length=1, description="Oldest first.")
