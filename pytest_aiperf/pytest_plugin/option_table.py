"""PYTEST_DONT_REWRITE. Generated from pytest_aiperf/config/cli_config.py by docs/generate.py; do not edit."""

from __future__ import annotations

from typing import NamedTuple


class Option(NamedTuple):
    """One option as pytest needs it: no pydantic is imported to print ``--help``."""

    field: str
    flag: str
    kind: str
    group: str
    help: str
    choices: tuple[str, ...] = ()
    bounds: tuple[float | None, float | None, float | None] = (None, None, None)
    """Least value, least value exclusive, greatest value."""
    metavar: str | None = None
    bare: str | None = None
    marker: bool = False


OPTIONS: tuple[Option, ...] = (
    Option(
        field="endpoint",
        flag="endpoint",
        kind="str",
        group="Endpoint",
        help="URL of the server under test, e.g. http://localhost:8000. mock:// starts the embedded server. Without it, performance tests are skipped.",
        metavar="URL",
    ),
    Option(
        field="model",
        flag="model",
        kind="str",
        group="Endpoint",
        help="Model name to send. Default: the first that the server's /v1/models lists.",
        metavar="NAME",
        marker=True,
    ),
    Option(
        field="endpoint_type",
        flag="endpoint-type",
        kind="str",
        group="Endpoint",
        help="API that the endpoint speaks: a registered endpoint name. Default: chat.",
        metavar="NAME",
        marker=True,
    ),
    Option(
        field="streaming",
        flag="streaming",
        kind="bool",
        group="Endpoint",
        help="Ask for a stream of messages; without it there is no TTFT and no ITL.",
        marker=True,
    ),
    Option(
        field="request_timeout",
        flag="request-timeout",
        kind="duration",
        group="Endpoint",
        help="Longest time for one request, in seconds (or 90s, 5m). Default: 300.0.",
        bounds=(None, 0, 86400),
        metavar="TIME",
        marker=True,
    ),
    Option(
        field="extra_inputs",
        flag="extra-inputs",
        kind="mapping",
        group="Input",
        help="Further fields for every request body: key:value pairs separated by commas, or a JSON object, e.g. ignore_eos:true.",
        metavar="KEY:VALUE",
        marker=True,
    ),
    Option(
        field="concurrency",
        flag="concurrency",
        kind="int",
        group="Load generator",
        help="Requests in flight, kept constant (closed loop). Default: 1.",
        bounds=(1, None, 100000),
        metavar="N",
        marker=True,
    ),
    Option(
        field="request_count",
        flag="request-count",
        kind="int",
        group="Load generator",
        help="Measured requests per run. Warm-up and drain are sent on top. A p95 needs 200, a p99 needs 1000 to be judged. Default: 200.",
        bounds=(1, None, 100000000),
        metavar="N",
        marker=True,
    ),
    Option(
        field="isl",
        flag="isl",
        kind="int",
        group="Input sequence length",
        help="Input sequence length: words of the synthetic prompt. Default: 128.",
        bounds=(1, None, 10000000),
        metavar="TOKENS",
        marker=True,
    ),
    Option(
        field="osl",
        flag="osl",
        kind="int",
        group="Output sequence length",
        help="Output sequence length asked for, in tokens. Default: 64.",
        bounds=(1, None, 10000000),
        metavar="TOKENS",
        marker=True,
    ),
    Option(
        field="seed",
        flag="seed",
        kind="int",
        group="Input",
        help="Seed of everything random: the same seed sends the same prompts. Default: 1.",
        bounds=(0, None, 9223372036854775807),
        metavar="N",
        marker=True,
    ),
    Option(
        field="mode",
        flag="mode",
        kind="choice",
        group="Verdict",
        help="check: judge against the baseline. measure: report, never fail on a baseline. quick: one short run, correctness only, never compared. off: skip. Default: check.",
        choices=("check", "measure", "quick", "off"),
    ),
    Option(
        field="max_time",
        flag="max-time",
        kind="duration",
        group="Verdict",
        help="Time budget of one measurement, in seconds (or 120s, 5m).",
        bounds=(None, 0, 86400),
        metavar="TIME",
    ),
    Option(
        field="max_mde",
        flag="max-mde",
        kind="fraction",
        group="Verdict",
        help="A pass that could not have seen a change this large is inconclusive, e.g. 10%%.",
        bounds=(None, 0, 10),
        metavar="PERCENT",
    ),
    Option(
        field="inconclusive",
        flag="inconclusive",
        kind="choice",
        group="Verdict",
        help="What a test does whose verdict is inconclusive after the last look. Default: warn.",
        choices=("warn", "fail", "xfail"),
    ),
    Option(
        field="missing",
        flag="missing",
        kind="choice",
        group="Verdict",
        help="What a test does that has no baseline yet. Default: fail.",
        choices=("fail", "warn"),
    ),
    Option(
        field="strict",
        flag="strict",
        kind="bool",
        group="Verdict",
        help="Fail only when the whole interval of the change lies beyond the tolerance.",
    ),
    Option(
        field="require",
        flag="require",
        kind="bool",
        group="Verdict",
        help="Exit with 1 when nothing was measured.",
    ),
    Option(
        field="update",
        flag="update",
        kind="list",
        group="Baseline",
        help="Record baselines: missing, regressed, improved, all; several with commas. Alone it means all of the selected tests.",
        choices=("missing", "regressed", "improved", "all"),
        metavar="WHICH",
        bare="all",
    ),
    Option(
        field="profile",
        flag="profile",
        kind="str",
        group="Baseline",
        help="Hardware or deployment that the baselines belong to. Default: from the local GPUs, or 'default'.",
        metavar="NAME",
    ),
    Option(
        field="baseline_dir",
        flag="baseline-dir",
        kind="str",
        group="Baseline",
        help="Where baselines live. Default: __aiperf__ beside the test file.",
        metavar="DIR",
    ),
    Option(
        field="json_path",
        flag="json",
        kind="str",
        group="Output",
        help="Write the result document to this file, whatever the outcome.",
        metavar="PATH",
    ),
)
