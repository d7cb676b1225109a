"""`pytest-aiperf judge`: the verdict from files alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pytest_aiperf.cli_utils import ExitCode, exit_code_of, exit_on_error

app = App(
    name="judge",
    help="Judge RESULT against BASELINE, as pytest would have: 0 pass, 1 regressed, 2 usage or not comparable, "
    "3 invalid, 4 inconclusive with --fail-on-inconclusive.",
    usage="Usage: pytest-aiperf judge [OPTIONS] [BASELINE] RESULT",
)


@app.default
def judge(
    first: Annotated[
        Path | None,
        Parameter(
            name="BASELINE",
            help="A baseline file, a folder of them, or a result document. Left out, two servers that RESULT "
            "compared with each other (--aiperf-against) are judged once more.",
        ),
    ] = None,
    second: Annotated[
        Path | None,
        Parameter(
            name="RESULT",
            help="A result document (--aiperf-json), or a baseline file, the newest session of which is judged.",
        ),
    ] = None,
    /,
    *,
    tolerance: Annotated[
        tuple[str, ...],
        Parameter(
            help="Another tolerance for a metric, e.g. 'ttft.p50=5%' or 'ttft.p99=15% or 5ms'. Repeatable.",
            negative=(),
        ),
    ] = (),
    metrics: Annotated[
        str | None,
        Parameter(help="What to judge, e.g. 'ttft.p50,itl.p50'; instead of what the measurement judged."),
    ] = None,
    strict: Annotated[
        bool | None, Parameter(help="Regressed only when the whole interval lies beyond the tolerance.")
    ] = None,
    alpha: Annotated[
        str | None, Parameter(help="Largest chance of a false alarm, of all metrics together, e.g. 1%.")
    ] = None,
    max_mde: Annotated[
        str | None, Parameter(help="A pass that could not have seen a change this large is inconclusive.")
    ] = None,
    json: Annotated[
        str | None, Parameter(help="Write the verdict as JSON to this file; - writes it to stdout.")
    ] = None,
    fail_on_inconclusive: Annotated[
        bool, Parameter(help="Exit with 4 when the verdict is inconclusive.", negative=())
    ] = False,
) -> int:
    """Judge RESULT against BASELINE."""
    from pytest_aiperf.common.errors import BaselineError, ConfigurationError

    title = "pytest-aiperf judge"
    with (
        exit_on_error(title=title, exit_code=ExitCode.INVALID),
        exit_on_error(
            ConfigurationError, BaselineError, title=title, show_traceback=False, exit_code=ExitCode.USAGE
        ),
    ):
        from pytest_aiperf.exporters.document import json_bytes, write_json
        from pytest_aiperf.exporters.finding import verdict_document, verdict_text
        from pytest_aiperf.measure.filed_terms import wishes_of
        from pytest_aiperf.measure.filed_verdict import gravest, judge_files

        wishes = wishes_of(
            tolerance=tolerance,
            metrics=metrics,
            strict=strict,
            alpha=alpha,
            max_mde=max_mde,
        )
        if first is None:
            raise ConfigurationError(
                "give BASELINE and RESULT, or RESULT alone where two servers were compared"
            )
        baseline, result = (None, first) if second is None else (first, second)
        findings = judge_files(result, baseline, wishes)
        if json == "-":
            sys.stdout.buffer.write(json_bytes(verdict_document(findings)))
        else:
            print(verdict_text(findings))
        if json not in (None, "-"):
            write_json(Path(json), verdict_document(findings), option="--json")
        return exit_code_of(gravest(findings), fail_on_inconclusive=fail_on_inconclusive)
