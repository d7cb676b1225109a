"""Options that say when requests are sent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.coercion import parse_duration_s, parse_workers


class LoadOptions(BaseModel):
    """Closed loop and open loop, how long, and by how many processes."""

    concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="Requests in flight: alone a closed loop, in which each request is followed by the "
            "next; with a request rate or a schedule the most that may be in flight. Default: 1 "
            "where neither is given, else no limit.",
        ),
        CLIParameter(name=("--concurrency",), group=Groups.LOAD_GENERATOR, marker=True, metavar="N"),
    ] = None
    prefill_concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="Most requests that may wait for their first token at the same time.",
        ),
        CLIParameter(name=("--prefill-concurrency",), group=Groups.LOAD_GENERATOR, marker=True, metavar="N"),
    ] = None
    concurrency_ramp_duration: Annotated[
        FiniteFloat | None,
        BeforeValidator(parse_duration_s),
        Field(
            gt=0,
            le=86_400,
            description="The concurrency grows from 1 to its value over this long, in seconds (or 10s).",
        ),
        CLIParameter(
            name=("--concurrency-ramp-duration",), group=Groups.LOAD_GENERATOR, marker=True, metavar="TIME"
        ),
    ] = None
    ramp_shape: Annotated[
        Literal["linear", "exponential"],
        Field(description="How a ramp of the concurrency or of the request rate grows."),
        CLIParameter(name=("--ramp-shape",), group=Groups.LOAD_GENERATOR, marker=True),
    ] = "linear"
    request_rate: Annotated[
        FiniteFloat | None,
        Field(
            gt=0,
            le=1_000_000,
            description="Requests per second, sent at their times whether the server keeps up or not (open "
            "loop).",
        ),
        CLIParameter(
            name=("--request-rate",), group=Groups.LOAD_GENERATOR, marker=True, metavar="PER_SECOND"
        ),
    ] = None
    arrival_pattern: Annotated[
        Literal["constant", "poisson", "gamma"],
        Field(
            description="Times between the requests of a request rate: all equal, as of independent users, "
            "or as smooth as arrival_smoothness says."
        ),
        CLIParameter(
            name=("--arrival-pattern", "--request-rate-mode"), group=Groups.LOAD_GENERATOR, marker=True
        ),
    ] = "poisson"
    arrival_smoothness: Annotated[
        FiniteFloat | None,
        Field(
            gt=0,
            le=1_000_000,
            description="Shape of gamma arrivals: below 1 they come in bursts, 1 is poisson, above 1 they "
            "are more regular. Default: 1.",
        ),
        CLIParameter(
            name=("--arrival-smoothness", "--vllm-burstiness"),
            group=Groups.LOAD_GENERATOR,
            marker=True,
            metavar="SHAPE",
        ),
    ] = None
    request_rate_ramp_duration: Annotated[
        FiniteFloat | None,
        BeforeValidator(parse_duration_s),
        Field(
            gt=0,
            le=86_400,
            description="The request rate grows to its value over this long, in seconds (or 10s).",
        ),
        CLIParameter(
            name=("--request-rate-ramp-duration",), group=Groups.LOAD_GENERATOR, marker=True, metavar="TIME"
        ),
    ] = None
    request_count: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000_000,
            description="Measured requests per run. Warm-up, and in a closed loop the drain, are sent on "
            "top. A p95 needs 200, a p99 needs 1000 to be judged. Default: 200; with a benchmark "
            "duration or a fixed schedule as many as it holds.",
        ),
        CLIParameter(
            name=("--request-count", "--num-requests"), group=Groups.LOAD_GENERATOR, marker=True, metavar="N"
        ),
    ] = None
    benchmark_duration: Annotated[
        FiniteFloat | None,
        BeforeValidator(parse_duration_s),
        Field(
            gt=0,
            le=86_400,
            description="No request of a run is sent after this long, in seconds (or 30s), warm-up included.",
        ),
        CLIParameter(
            name=("--benchmark-duration",), group=Groups.LOAD_GENERATOR, marker=True, metavar="TIME"
        ),
    ] = None
    benchmark_grace_period: Annotated[
        FiniteFloat,
        BeforeValidator(parse_duration_s),
        Field(
            ge=0,
            le=86_400,
            description="What is in flight at the end of the benchmark duration may take so long to end, in "
            "seconds (or 30s); then it is cancelled.",
        ),
        CLIParameter(
            name=("--benchmark-grace-period",), group=Groups.LOAD_GENERATOR, marker=True, metavar="TIME"
        ),
    ] = 30.0
    warmup_request_count: Annotated[
        int | None,
        Field(
            ge=0,
            le=100_000_000,
            description="Requests at the start of each run that are not measured. Default: 20, and at least "
            "twice the concurrency.",
        ),
        CLIParameter(
            name=("--warmup-request-count", "--num-warmup-requests"),
            group=Groups.WARMUP,
            marker=True,
            metavar="N",
        ),
    ] = None
    workers: Annotated[
        int,
        BeforeValidator(parse_workers),
        Field(
            ge=0,
            le=256,
            description="Load processes that share the load; auto: as many as the expected messages need.",
        ),
        CLIParameter(
            name=("--workers", "--workers-max", "--max-workers"),
            group=Groups.WORKERS,
            marker=True,
            metavar="N|auto",
        ),
    ] = 1
