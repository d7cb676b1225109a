"""Every option, declared once, flat. From here come the pytest options, the ini keys, the marker's keywords, the
`profile` flags and docs/cli-options.md. Checks across fields live on `AIPerfConfig`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.coercion import parse_duration_s, parse_fraction, parse_mapping, parse_str_or_list

UpdateCategory = Literal["missing", "regressed", "improved", "all"]


class CLIConfig(BaseModel):
    """What a user may give. None means "not given" wherever a default depends on something else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: Annotated[
        str | None,
        Field(
            description="URL of the server under test, e.g. http://localhost:8000. "
            "mock:// starts the embedded server. Without it, performance tests are skipped."
        ),
        CLIParameter(name=("--endpoint", "--url"), group=Groups.ENDPOINT, metavar="URL"),
    ] = None
    model: Annotated[
        str | None,
        Field(description="Model name to send. Default: the first that the server's /v1/models lists."),
        CLIParameter(name=("--model",), group=Groups.ENDPOINT, marker=True, metavar="NAME"),
    ] = None
    endpoint_type: Annotated[
        str,
        Field(description="API that the endpoint speaks: a registered endpoint name."),
        CLIParameter(name=("--endpoint-type",), group=Groups.ENDPOINT, marker=True, metavar="NAME"),
    ] = "chat"
    streaming: Annotated[
        bool,
        Field(description="Ask for a stream of messages; without it there is no TTFT and no ITL."),
        CLIParameter(name=("--streaming",), group=Groups.ENDPOINT, marker=True),
    ] = True
    request_timeout: Annotated[
        FiniteFloat,
        BeforeValidator(parse_duration_s),
        Field(gt=0, le=86_400, description="Longest time for one request, in seconds (or 90s, 5m)."),
        CLIParameter(
            name=("--request-timeout", "--request-timeout-seconds"),
            group=Groups.ENDPOINT,
            marker=True,
            metavar="TIME",
        ),
    ] = 300.0
    extra_inputs: Annotated[
        dict[str, Any] | None,
        BeforeValidator(parse_mapping),
        Field(
            description="Further fields for every request body: key:value pairs separated by commas, "
            "or a JSON object, e.g. ignore_eos:true."
        ),
        CLIParameter(name=("--extra-inputs",), group=Groups.INPUT, marker=True, metavar="KEY:VALUE"),
    ] = None
    concurrency: Annotated[
        int,
        Field(ge=1, le=100_000, description="Requests in flight, kept constant (closed loop)."),
        CLIParameter(name=("--concurrency",), group=Groups.LOAD_GENERATOR, marker=True, metavar="N"),
    ] = 1
    request_count: Annotated[
        int,
        Field(
            ge=1,
            le=100_000_000,
            description="Measured requests per run. Warm-up and drain are sent on top. "
            "A p95 needs 200, a p99 needs 1000 to be judged.",
        ),
        CLIParameter(name=("--request-count",), group=Groups.LOAD_GENERATOR, marker=True, metavar="N"),
    ] = 200
    isl: Annotated[
        int,
        Field(ge=1, le=10_000_000, description="Input sequence length: words of the synthetic prompt."),
        CLIParameter(name=("--isl",), group=Groups.ISL, marker=True, metavar="TOKENS"),
    ] = 128
    osl: Annotated[
        int,
        Field(ge=1, le=10_000_000, description="Output sequence length asked for, in tokens."),
        CLIParameter(name=("--osl",), group=Groups.OSL, marker=True, metavar="TOKENS"),
    ] = 64
    seed: Annotated[
        int,
        Field(
            ge=0, le=2**63 - 1, description="Seed of everything random: the same seed sends the same prompts."
        ),
        CLIParameter(name=("--seed", "--random-seed"), group=Groups.INPUT, marker=True, metavar="N"),
    ] = 1
    mode: Annotated[
        Literal["check", "measure", "quick", "off"],
        Field(
            description="check: judge against the baseline. measure: report, never fail on a baseline. "
            "quick: one short run, correctness only, never compared. off: skip."
        ),
        CLIParameter(name=("--mode",), group=Groups.VERDICT),
    ] = "check"
    max_time: Annotated[
        FiniteFloat | None,
        BeforeValidator(parse_duration_s),
        Field(gt=0, le=86_400, description="Time budget of one measurement, in seconds (or 120s, 5m)."),
        CLIParameter(name=("--max-time",), group=Groups.VERDICT, metavar="TIME"),
    ] = None
    max_mde: Annotated[
        FiniteFloat | None,
        BeforeValidator(parse_fraction),
        Field(
            gt=0,
            le=10,
            description="A pass that could not have seen a change this large is inconclusive, e.g. 10%%.",
        ),
        CLIParameter(name=("--max-mde",), group=Groups.VERDICT, metavar="PERCENT"),
    ] = None
    inconclusive: Annotated[
        Literal["warn", "fail", "xfail"],
        Field(description="What a test does whose verdict is inconclusive after the last look."),
        CLIParameter(name=("--inconclusive",), group=Groups.VERDICT),
    ] = "warn"
    missing: Annotated[
        Literal["fail", "warn"],
        Field(description="What a test does that has no baseline yet."),
        CLIParameter(name=("--missing",), group=Groups.VERDICT),
    ] = "fail"
    strict: Annotated[
        bool,
        Field(description="Fail only when the whole interval of the change lies beyond the tolerance."),
        CLIParameter(name=("--strict",), group=Groups.VERDICT),
    ] = False
    require: Annotated[
        bool,
        Field(description="Exit with 1 when nothing was measured."),
        CLIParameter(name=("--require",), group=Groups.VERDICT),
    ] = False
    update: Annotated[
        list[UpdateCategory] | None,
        BeforeValidator(parse_str_or_list),
        Field(
            description="Record baselines: missing, regressed, improved, all; several with commas. "
            "Alone it means all of the selected tests."
        ),
        CLIParameter(name=("--update",), group=Groups.BASELINE, metavar="WHICH", bare="all"),
    ] = None
    profile: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=100,
            description="Hardware or deployment that the baselines belong to. "
            "Default: from the local GPUs, or 'default'.",
        ),
        CLIParameter(name=("--profile",), group=Groups.BASELINE, metavar="NAME"),
    ] = None
    baseline_dir: Annotated[
        str | None,
        Field(min_length=1, description="Where baselines live. Default: __aiperf__ beside the test file."),
        CLIParameter(name=("--baseline-dir",), group=Groups.BASELINE, metavar="DIR"),
    ] = None
    json_path: Annotated[
        str | None,
        Field(min_length=1, description="Write the result document to this file, whatever the outcome."),
        CLIParameter(name=("--json",), group=Groups.OUTPUT, metavar="PATH"),
    ] = None
