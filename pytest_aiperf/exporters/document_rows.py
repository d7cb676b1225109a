"""The rows of the result document as models: what stands in its lists, one class each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from pytest_aiperf.baseline.schema import Count, Direction, Number, Whole
from pytest_aiperf.common.models import AIPerfBaseModel

Share = Annotated[Number, Field(ge=0, le=1)]
Interval = tuple[Number, Number]
FigureVerdict = Literal["pass", "regressed", "inconclusive", "no_baseline", "not_comparable"]


class CheckRow(AIPerfBaseModel):
    """One validity check of one run, or of a session."""

    check: str = Field(description="Name of the check.")
    value: Number | None = Field(
        description="What was found, in the check's unit; null where it is not known."
    )
    limit: Number = Field(description="The largest value that holds, in the same unit.")
    ok: bool = Field(description="It holds.")
    advice: str = Field(description="What to do where it does not.")


class SentRow(AIPerfBaseModel):
    """What was to be sent in one run and what was, warm-up included."""

    offered: Count = Field(
        description="Requests of the plan; those that were sent where a duration ends a closed loop."
    )
    sent: Count = Field(description="Requests sent.")
    late: Count = Field(
        description="Requests sent more than 1 ms after they were due; 0 where none has a due time."
    )
    cancelled: Count = Field(description="Requests given up by the client, as asked for.")
    reopened: Count = Field(
        description="Requests sent again over a new connection: the server had closed the idle one."
    )
    workers: Count = Field(description="Load processes.")
    late_start_ms: Number = Field(description="How long after the others the last load process began, ms.")


class FiguresCI(AIPerfBaseModel):
    """95 % intervals over runs, in the metric's unit; null where runs are too few or too short, the figure is 0, or
    baselines do not keep the metric.
    """

    avg: Interval | None = Field(description="Of the mean; null: see above.")
    p50: Interval | None = Field(description="Of the median; null: see above.")
    p90: Interval | None = Field(description="Of the 90th percentile; null: see above.")
    p95: Interval | None = Field(description="Of the 95th percentile; null: see above.")
    p99: Interval | None = Field(description="Of the 99th percentile; null: see above.")


class FiguresRow(AIPerfBaseModel):
    """One metric over the measured requests of all runs, figures in its unit; null where a figure is not finite, as
    where failed requests count as infinitely slow.
    """

    unit: str = Field(description="Unit of all figures.")
    direction: Direction = Field(description="What is better.")
    count: Count = Field(description="Values behind the figures: requests, gaps, runs or levels.")
    sum: Number | None = Field(description="Sum; null for levels, and where it is not finite.")
    avg: Number | None = Field(description="Mean; null where it is not finite.")
    min: Number | None = Field(description="Least value; null where it is not finite.")
    max: Number | None = Field(description="Greatest value; null where it is not finite.")
    std: Number | None = Field(description="Standard deviation (ddof 0); null where it is not finite.")
    p1: Number | None = Field(description="1st percentile; null where it is not finite.")
    p5: Number | None = Field(description="5th percentile; null where it is not finite.")
    p10: Number | None = Field(description="10th percentile; null where it is not finite.")
    p25: Number | None = Field(description="25th percentile; null where it is not finite.")
    p50: Number | None = Field(description="Median; null where it is not finite.")
    p75: Number | None = Field(description="75th percentile; null where it is not finite.")
    p90: Number | None = Field(description="90th percentile; null where it is not finite.")
    p95: Number | None = Field(description="95th percentile; null where it is not finite.")
    p99: Number | None = Field(description="99th percentile; null where it is not finite.")
    p99_9: Number | None = Field(
        default=None,
        description="99.9th percentile; missing with less than 10 000 values, null where it is not finite.",
    )
    ci95: FiguresCI = Field(description="Where figures would come out again on this server.")


class JudgedRow(AIPerfBaseModel):
    """A metric that was judged, and what it is allowed."""

    metric: str = Field(description="Tag with its statistic: time_to_first_token.p50.")
    tolerance: Number = Field(ge=0, description="Allowed worsening, a share of the baseline: 0.05 is 5 %.")
    floor: Number = Field(ge=0, description="Allowed worsening in the metric's unit, where that is more.")


class TermsRow(AIPerfBaseModel):
    """What holds for all judged metrics."""

    looks: tuple[Whole, ...] = Field(min_length=1, description="After how many runs it was looked at.")
    alpha_fail: tuple[Share, ...] = Field(description="By look: chance of a false alarm, a share.")
    alpha_pass: tuple[Share, ...] = Field(description="By look: chance of a wrong pass, a share.")
    strict: bool = Field(description="It fails only when the whole interval lies beyond the tolerance.")
    max_mde: Number | None = Field(
        description="Largest detectable change of a pass, a share; null: --aiperf-max-mde was not given."
    )
    paired: bool = Field(description="Two servers were measured in turn.")


class ComparisonRow(AIPerfBaseModel):
    """One judged figure on both sides. For error_share and stall_share, both are shares of the requests."""

    metric: str = Field(description="Tag with its statistic, or error_share, stall_share.")
    label: str = Field(description="Name for people.")
    against: Literal["baseline", "anchor"] = Field(
        description="baseline: all judged sessions, or the other server. anchor: the pinned session alone."
    )
    unit: str = Field(description="Unit of the figures; share for shares.")
    baseline: Number | None = Field(description="Figure of the baseline; null where it has none.")
    now: Number | None = Field(description="Figure of this measurement; null where it has none.")
    change: Number | None = Field(
        description="now / baseline - 1, averaged over runs: 0.1 is 10 % more; null where it cannot be said."
    )
    ci95: Interval | None = Field(
        description="95 % interval of the change, shares; null for shares of requests and where none can be laid."
    )
    tolerance: Number | None = Field(
        description="Allowed worsening, a share, the floor included; null for shares of requests."
    )
    mde: Number | None = Field(
        description="Least worsening that would have shown, a share; null where it cannot be said."
    )
    verdict: FigureVerdict = Field(description="Of this figure.")
    reason: str = Field(description="The verdict in a sentence.")
    improved: bool = Field(description="Better by more than the tolerance and by more than noise.")


class MissedRow(AIPerfBaseModel):
    """An absolute limit that was not kept."""

    metric: str = Field(description="Tag.")
    statistic: str = Field(description="Which figure of it.")
    limit: Number = Field(description="In the metric's unit; a lower limit where more is better.")
    value: Number | None = Field(description="In the metric's unit; null: the metric has no value.")


class ChangeRow(AIPerfBaseModel):
    """What is another than when the baseline was recorded, or differs between two servers."""

    name: str = Field(description="server, client, driver, host, model and so on.")
    before: str = Field(description="What it was.")
    now: str = Field(description="What it is.")


class ErrorRow(AIPerfBaseModel):
    """Failed requests that are the same once ids and numbers are masked."""

    type: str = Field(description="connect, reset, timeout, http, stream, json, truncated and so on.")
    code: Whole | None = Field(
        description="HTTP status, or the code in the server's error; null: there is none."
    )
    message: str = Field(description="The server's words, secrets masked.")
    count: Count = Field(description="Requests.")


class LocationRow(AIPerfBaseModel):
    """Where the test stands."""

    file: str = Field(description="Relative to pytest's root directory, with forward slashes.")
    line: Count | None = Field(description="From 1; null where it is not known.")


Figures = Mapping[str, FiguresRow]
