"""Options that say what becomes of a measurement: verdict, baseline, files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.coercion import (
    parse_duration_s,
    parse_fraction,
    parse_str_or_list,
    parse_thresholds,
)

UpdateCategory = Literal["missing", "regressed", "improved", "all"]


class VerdictOptions(BaseModel):
    """Verdict, baseline, files."""

    config_file: Annotated[
        str | None,
        Field(
            min_length=1,
            description="YAML file with options for every measurement; all other places where options are given "
            "go before it. See docs/config-file.md.",
        ),
        CLIParameter(name=("--config", "-f"), group=Groups.CONFIGURATION, metavar="FILE", path=True),
    ] = None
    mode: Annotated[
        Literal["check", "measure", "quick", "off"],
        Field(
            description="check: judge against the baseline. measure: report, never fail on a baseline. "
            "quick: one short run, correctness only, never compared. off: skip."
        ),
        CLIParameter(name=("--mode",), group=Groups.VERDICT),
    ] = "check"
    against: Annotated[
        str | None,
        Field(
            min_length=1,
            description="URL of a second server to compare with, instead of a stored baseline: both are measured "
            "now, their runs in turn. mock:// starts an embedded one.",
        ),
        CLIParameter(name=("--against",), group=Groups.VERDICT, marker=True, metavar="URL"),
    ] = None
    num_profile_runs: Annotated[
        int,
        Field(
            ge=3,
            le=100,
            description="Most runs of a measurement. It ends earlier when it knows: the verdict is looked at after "
            "three, after about half, and after all.",
        ),
        CLIParameter(name=("--num-profile-runs",), group=Groups.MULTI_RUN, marker=True, metavar="N"),
    ] = 8
    alpha: Annotated[
        FiniteFloat,
        BeforeValidator(parse_fraction),
        Field(
            gt=0,
            le=0.2,
            description="Largest chance of a false alarm, of all judged metrics of a measurement together, e.g. 1%%.",
        ),
        CLIParameter(name=("--alpha",), group=Groups.VERDICT, metavar="PERCENT"),
    ] = 0.01
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
    isolation: Annotated[
        Literal["host", "endpoint", "none"],
        Field(
            description="What may not run beside a measurement. host: any other test of the session. endpoint: "
            "measurements of the same endpoint. none: nothing is kept apart."
        ),
        CLIParameter(name=("--isolation",), group=Groups.VERDICT),
    ] = "host"
    validity: Annotated[
        dict[str, FiniteFloat] | None,
        BeforeValidator(parse_thresholds),
        Field(
            description="Limits of validity checks by their names, instead of the usual ones: name:value "
            "pairs separated by spaces or commas, e.g. error_share:0.1."
        ),
        CLIParameter(name=("--validity",), group=Groups.VERDICT, marker=True, metavar="CHECK:LIMIT"),
    ] = None
    update: Annotated[
        list[UpdateCategory] | None,
        BeforeValidator(parse_str_or_list),
        Field(
            description="Record baselines: missing, regressed, improved, all; several with commas. "
            "Alone it means all of the selected tests."
        ),
        CLIParameter(name=("--update",), group=Groups.BASELINE, metavar="WHICH", bare="all"),
    ] = None
    prune: Annotated[
        bool,
        Field(
            description="Delete the baselines of this profile that no collected test owns. Refused when anything "
            "was deselected, failed to be collected, crashed or did not run."
        ),
        CLIParameter(name=("--prune",), group=Groups.BASELINE),
    ] = False
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
        CLIParameter(name=("--baseline-dir",), group=Groups.BASELINE, metavar="DIR", path=True),
    ] = None
    json_path: Annotated[
        str | None,
        Field(min_length=1, description="Write the result document to this file, whatever the outcome."),
        CLIParameter(name=("--json",), group=Groups.OUTPUT, metavar="PATH", path=True),
    ] = None
    markdown_path: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Write the summary as Markdown to this file: for a comment on a pull request.",
        ),
        CLIParameter(name=("--markdown",), group=Groups.OUTPUT, metavar="PATH", path=True),
    ] = None
    artifacts: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Write every request of every run to this directory, a JSONL file a run, and the logs of "
            "the load processes.",
        ),
        CLIParameter(
            name=("--artifacts", "--artifact-dir", "--output-artifact-dir"),
            group=Groups.OUTPUT,
            metavar="DIR",
            path=True,
        ),
    ] = None
    columns: Annotated[
        list[str] | None,
        BeforeValidator(parse_str_or_list),
        Field(
            description="What the summary shows of each measurement, in this order: metrics with a statistic, with "
            "commas, e.g. ttft.p50,itl.p99,throughput. Default: ttft, itl, latency, token throughput."
        ),
        CLIParameter(name=("--columns",), group=Groups.OUTPUT, metavar="METRICS"),
    ] = None
