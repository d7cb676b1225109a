"""`pytest-aiperf profile`: one measurement without pytest, judged where there is something to judge it against."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from pytest_aiperf.cli_commands.help_text import HelpText
from pytest_aiperf.cli_commands.load_flags import shown_group
from pytest_aiperf.cli_commands.profile_flags import ProfileFlags, in_flags_of_profile, metavars
from pytest_aiperf.cli_commands.progress_screen import progress_on_stderr
from pytest_aiperf.cli_utils import ExitCode, exit_code_of, exit_on_error, show, terminated_as_interrupted
from pytest_aiperf.config.cli_parameter import Groups

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pytest_aiperf.exporters.profile_files import ProfileFiles
    from pytest_aiperf.measure.measurement import Measurement
    from pytest_aiperf.measure.profiling import Profiling

_TITLE: Final = "pytest-aiperf profile"
_OWN_METAVARS: Final = {
    "--baseline": "FILE",
    "--record": "FILE",
    "--tolerance": "METRIC=TOLERANCE",
    "--metrics": "METRICS",
    "--slo": "METRIC=LIMIT",
}
_BASELINE: Final = shown_group(Groups.BASELINE)
_VERDICT: Final = shown_group(Groups.VERDICT)

app = App(
    name="profile",
    help="Run a load against a server and show what it measured. No test is needed, and no baseline.",
    usage="Usage: pytest-aiperf profile --url URL [OPTIONS]",
    help_format="plaintext",
    help_formatter=HelpText({**metavars(), **_OWN_METAVARS}),
)


@app.default
def profile(
    *,
    baseline: Annotated[
        Path | None,
        Parameter(
            group=_BASELINE,
            help="Compare with this: a baseline file, or a result document with one measurement. The load is that of "
            "the file, unless flags say otherwise.",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        Parameter(
            group=_BASELINE,
            help="Record the measurement as a baseline in this file, or add a session to the one in it.",
        ),
    ] = None,
    tolerance: Annotated[
        tuple[str, ...],
        Parameter(
            group=_VERDICT,
            help="How much worse a metric may be: ttft.p50=5%, ttft.p99=15% or 5ms. Repeatable.",
            negative=(),
        ),
    ] = (),
    metrics: Annotated[
        str | None,
        Parameter(group=_VERDICT, help="What is judged instead of the usual, e.g. ttft.p50,latency.p95."),
    ] = None,
    slo: Annotated[
        tuple[str, ...],
        Parameter(
            group=_VERDICT,
            help="An absolute limit in the metric's unit, e.g. ttft.p95=400. Repeatable.",
            negative=(),
        ),
    ] = (),
    fail_on_inconclusive: Annotated[
        bool, Parameter(group=_VERDICT, help="End with 4 where the verdict is inconclusive.", negative=())
    ] = False,
    flags: Annotated[ProfileFlags | None, Parameter(name="*")] = None,
) -> int:
    """Run a load against a server and show what it measured."""
    with _configuration_errors():
        from pytest_aiperf.cli_commands.config_file import read_file
        from pytest_aiperf.cli_commands.metric_pairs import limits, tolerances
        from pytest_aiperf.config.coercion import parse_str_or_list
        from pytest_aiperf.exporters.measurement_text import measurement_lines
        from pytest_aiperf.measure.profiling import ProfileRequest, Profiling

        given, environment = flags.given() if flags else {}, ProfileFlags.environment()
        config_file = given.get("config_file") or environment.get("config_file")
        asked = ProfileRequest(
            given=given,
            environment=environment,
            file=read_file(Path(config_file)) if config_file else None,
            baseline=baseline,
            record=record,
            tolerance=tolerances(tolerance),
            metrics=parse_str_or_list(metrics),  # type: ignore[arg-type]  # a text becomes a list
            slo=limits(slo),
        )
        profiling = Profiling(asked)
        files = _files(profiling)
        files.check()
    with _run_errors(), _configuration_errors():
        measurement, write = _measured(profiling, files)
        text = in_flags_of_profile("\n".join(measurement_lines(measurement)))
    try:
        with _configuration_errors():
            write()
    finally:
        show(text)
    return _exit_code(measurement, fail_on_inconclusive=fail_on_inconclusive)


def _files(profiling: Profiling) -> ProfileFiles:
    from pytest_aiperf.exporters.profile_files import ProfileFiles

    options = profiling.options
    json, markdown, artifacts = (
        None if path is None else Path(path).expanduser()
        for path in (options.json_path, options.markdown_path, options.artifacts)
    )
    return ProfileFiles(
        endpoint=str(options.endpoint),
        test=profiling.test,
        name=profiling.name,
        json=json,
        markdown=markdown,
        artifacts=artifacts,
    )


def _measured(profiling: Profiling, files: ProfileFiles) -> tuple[Measurement, Callable[[], None]]:
    """Return the measurement, and what writes its files."""
    from pytest_aiperf.common.errors import MeasurementError
    from pytest_aiperf.gpu_telemetry.identity import profile_name
    from pytest_aiperf.measure.measure import measure
    from pytest_aiperf.services.own_services import Services, log_directory

    log_dir = files.artifacts / "logs" if files.artifacts else log_directory(Path.cwd())
    records = files.records()
    with (
        terminated_as_interrupted("no result was written"),
        progress_on_stderr("profile") as on_progress,
        # The innermost: a terminal that takes no more text keeps no process alive.
        Services(log_dir) as services,
    ):
        request = profiling.request(
            real_url=services.resolve, accelerator=lambda: services.accelerator, on_run=records
        )
        hardware = profile_name(services.accelerator if request.accelerator else None)
        urls = [*request.config.endpoint.urls, *request.against]
        try:
            with _turn(urls, profiling.options.isolation):
                measurement = measure(request, load=services.load(0), on_progress=on_progress)
        except MeasurementError as error:
            files.write_failure(in_flags_of_profile(str(error)), profile=hardware, records=records)
            raise
    return measurement, partial(files.write, measurement, profile=hardware, records=records)


def _turn(urls: Sequence[str], isolation: str) -> AbstractContextManager[None]:
    """Wait until nobody else on this machine measures these servers."""
    if isolation == "none":
        return nullcontext()
    from pytest_aiperf.services.endpoint_lock import endpoint_lock

    owner = f"{_TITLE} (pid {os.getpid()}) in {Path.cwd()}"
    return endpoint_lock(urls, owner=owner, on_wait=_tell)


def _tell(text: str) -> None:
    print(f"{_TITLE} {text}", file=sys.stderr, flush=True)


def _exit_code(measurement: Measurement, *, fail_on_inconclusive: bool) -> int:
    if measurement.missed and measurement.verdict != "invalid":
        return ExitCode.REGRESSED
    return exit_code_of(measurement.verdict, fail_on_inconclusive=fail_on_inconclusive)


@contextmanager
def _configuration_errors() -> Iterator[None]:
    """What the user can correct: no traceback, and no load."""
    from pytest_aiperf.common.errors import BaselineError, ConfigurationError

    errors = (ConfigurationError, BaselineError)
    with (
        exit_on_error(*errors, title=_TITLE, show_traceback=False, exit_code=ExitCode.USAGE),
        _in_own_flags(),
    ):
        yield


@contextmanager
def _run_errors() -> Iterator[None]:
    """A measurement that could not be made has no traceback; a defect of ours does."""
    from pytest_aiperf.common.errors import MeasurementError

    quiet = (MeasurementError,)
    with exit_on_error(title=_TITLE, quiet_for=quiet, exit_code=ExitCode.INVALID), _in_own_flags():
        yield


@contextmanager
def _in_own_flags() -> Iterator[None]:
    """Messages name the flags of pytest; here they are others."""
    from pytest_aiperf.common.errors import AiperfError

    try:
        yield
    except AiperfError as error:
        error.args = (in_flags_of_profile(str(error)),)
        raise
