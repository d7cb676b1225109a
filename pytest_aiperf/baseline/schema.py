"""The baseline file as models. Runs and sessions of a fresh measurement have the same shape."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import log1p
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, Strict, StrictBool, Tag, model_validator

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import AIPerfBaseModel

SCHEMA: Final = 1
STATS_VERSION: Final = 1
"""Raised when a statistic is computed differently: values of two versions are not comparable."""

SMALLEST: Final = 1e-6
"""Values below this are in the histogram's bin of this: zero has no logarithm."""

Direction = Literal["lower", "higher", "neutral"]
Number = Annotated[FiniteFloat, Strict()]
"""A number, not a text that reads like one: a file that was mended by hand is believed to the letter or not at all."""
Whole = Annotated[int, Strict()]
Count = Annotated[Whole, Field(ge=0)]
_LARGEST_LOG: Final = 700.0


class Histogram(AIPerfBaseModel):
    """Sparse log-histogram: bin i holds values from ``(1 + growth) ** i`` up to ``(1 + growth) ** (i + 1)``."""

    growth: Number = Field(gt=0, description="Relative width of a bin: 0.01 is 1 %.")
    offset: Whole = Field(description="Added to every index.")
    index: tuple[Whole, ...] = Field(description="Bins that are not empty, ascending, relative to offset.")
    count: tuple[Count, ...] = Field(description="Values in each of these bins.")

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
    count: Count = Field(description="Requests with a value.")
    avg: Number | None = Field(default=None, description="Mean, in unit; null: not known.")
    min: Number | None = Field(default=None, description="Least value, in unit; null: not known.")
    max: Number | None = Field(default=None, description="Greatest value, in unit; null: not known.")
    std: Number | None = Field(
        default=None, ge=0, description="Standard deviation (ddof 0), in unit; null: not known."
    )
    p50: Number | None = Field(default=None, description="Median, in unit; null: it is a failed request.")
    p90: Number | None = Field(
        default=None, description="90th percentile, in unit; null: it is a failed request."
    )
    p95: Number | None = Field(
        default=None, description="95th percentile, in unit; null: it is a failed request."
    )
    p99: Number | None = Field(
        default=None,
        description="99th percentile, in unit; null: less than 1000 requests, or it is a failed one.",
    )
    var_within: Mapping[str, Annotated[Number, Field(ge=0)] | None] = Field(
        default_factory=dict,
        description="By statistic: variance of log(statistic) within the run, no unit; null: too few requests.",
    )
    hist: Histogram | None = Field(
        default=None, description="All values, for later re-analysis; null: not kept."
    )


class SingleValue(AIPerfBaseModel):
    """One window metric over one run."""

    unit: str = Field(description="Unit of the value.")
    direction: Direction = Field(description="What is better.")
    value: Number | None = Field(description="Amount over the window, in unit; null: not known.")


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

    threshold_ms: Number = Field(gt=0, description="1.5 x the baseline's median request latency, ms.")
    count: Count = Field(description="Requests slower than that.")


class Run(AIPerfBaseModel):
    """One pass over the workload."""

    n_ok: Count = Field(description="Good requests in the window.")
    n_err: Count = Field(description="Failed and truncated requests in the window.")
    window_s: Number = Field(ge=0, description="Length of the steady window, seconds.")
    metrics: Mapping[str, Summary] = Field(description="By tag.")
    stalls: Stalls | None = Field(default=None, description="Null: no request has a latency.")


class Environment(AIPerfBaseModel):
    """What is noted beside a session but does not forbid a comparison."""

    client: str = Field(description="This package and its version.")
    python: str | None = Field(
        default=None, description="Version of the interpreter that sent the load; null: not known."
    )
    server: str | None = Field(
        default=None, description="Server software and version; null: it does not tell."
    )
    driver: str | None = Field(
        default=None, description="Version of the accelerator's driver; null: not known."
    )
    cuda: str | None = Field(
        default=None, description="Version of CUDA that the driver offers; null: not known."
    )
    host: str | None = Field(
        default=None, description="Hash of the load generator's host name; null: not known."
    )
    transport: str | None = Field(
        default=None, description="What sent the requests: wire or aiohttp; null: not known."
    )
    timestamps: str | None = Field(
        default=None, description="Who stamped arrivals: kernel, user or mixed; null: not known."
    )
    osl_source: str | None = Field(
        default=None, description="Where output token counts came from; null: not known."
    )


class Recorded(AIPerfBaseModel):
    """When and from what."""

    at: str = Field(description="UTC, ISO 8601.")
    commit: str | None = Field(
        default=None, description="Commit of the tests' repository; null: there is none, or it is not stored."
    )
    dirty: StrictBool | None = Field(
        default=None, description="It had uncommitted changes; null: there is no commit."
    )


class Session(AIPerfBaseModel):
    """The runs of one pytest invocation against one server boot."""

    id: str = Field(description="Random, unique within the file.")
    runs: tuple[Run, ...] = Field(min_length=1, description="In the order in which they were made.")
    environment: Environment = Field(description="Soft facts.")
    recorded: Recorded = Field(description="Provenance.")


UNDIVIDED: Final = "undivided"
"""MIG of whole accelerators: known not to be slices, which is not the same as not known."""


class BaselineKey(AIPerfBaseModel):
    """The hard key: two measurements whose keys differ are not comparable."""

    test: str = Field(description="Path, class, function and parameters of the test.")
    name: str | None = Field(
        default=None, description="Name of the measurement within the test; null: it has none."
    )
    workload: str = Field(description="SHA-256 over every request body, in order.")
    load: Mapping[str, Any] = Field(description="Load model, level and lengths.")
    model: str | None = Field(
        default=None, description="Model as the requests name it; null: they name none."
    )
    accelerator: str | None = Field(
        default=None, description="Part name of the accelerator, form factor included; null: not known."
    )
    accelerator_count: Whole | None = Field(default=None, description="How many of them; null: not known.")
    accelerator_memory_bytes: Whole | None = Field(
        default=None, description="Memory of one of them, bytes; null: not known."
    )
    accelerator_mig: str | None = Field(
        default=None,
        description="What slices of it they are; undivided for whole ones, null: not known.",
    )
    power_limit_w: Number | None = Field(
        default=None, description="Power limit of one of them, watts; null: not known."
    )


class Variance(AIPerfBaseModel):
    """Calibrated variances of one judged statistic."""

    run_sd: Number = Field(ge=0, description="sd of log(value) between runs of a session.")
    tau: Number = Field(ge=0, description="sd of log(value) between sessions.")
    df: Number = Field(gt=0, description="Degrees of freedom of tau.")


class Baseline(AIPerfBaseModel):
    """One file: all that is stored about one measurement of one test on one profile."""

    schema_: Whole = Field(default=SCHEMA, alias="schema", description="Version of this format.")
    stats_version: Whole = Field(default=STATS_VERSION, description="Version of the statistics.")
    key: BaselineKey = Field(description="What it is comparable with.")
    anchor: str = Field(description="Id of the pinned session.")
    variance: Mapping[str, Variance] = Field(default_factory=dict, description="By judged statistic.")
    sessions: tuple[Session, ...] = Field(min_length=1, description="Oldest first.")
