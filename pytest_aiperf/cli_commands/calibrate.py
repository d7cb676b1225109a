"""`pytest-aiperf calibrate`: how much an unchanged server varies, measured, and given to the gate."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter

from pytest_aiperf.cli_commands.load_flags import LoadFlags

if TYPE_CHECKING:
    from pytest_aiperf.measure.calibrating import SessionReport

app = App(
    name="calibrate", help="Measure an unchanged server again and again: how much its runs and sessions vary."
)
_TITLE: Final = "pytest-aiperf calibrate"
_LONGEST_S: Final = 86_400.0


@app.default
def calibrate(
    *baselines: Annotated[
        Path,
        Parameter(
            help="Baseline files, or folders of them: their loads are measured, and what is found is written into "
            "them, where the gate reads it. Without any, the flags below describe the load."
        ),
    ],
    sessions: Annotated[int, Parameter(help="A/A sessions of each load. Six are few, twenty are good.")] = 6,
    restart_command: Annotated[
        str | None,
        Parameter(
            help="Shell command that restarts the server, run before each session. It returns while the new server "
            "runs on. Without it all sessions share one boot, and look more alike than those of a check will."
        ),
    ] = None,
    ready_timeout: Annotated[
        str,
        Parameter(help="Longest time for the restart command, and then for the server to answer: 90s, 5m."),
    ] = "5m",
    wanted: Annotated[
        str, Parameter(help="The smallest worsening that a check is to find: advice is given for it.")
    ] = "10%",
    metrics: Annotated[
        str | None,
        Parameter(
            help="Judged metrics, with commas, as in the tests' metrics=, e.g. 'ttft.p50,latency.p95'."
        ),
    ] = None,
    tolerance: Annotated[
        tuple[str, ...],
        Parameter(
            help="A tolerance that the tests have, e.g. 'ttft.p50=10%' or 'ttft.p99=15% or 5ms'. Repeatable.",
            negative=(),
        ),
    ] = (),
    json_path: Annotated[
        Path | None, Parameter(name="--json", help="Write everything that was found to this file.")
    ] = None,
    load: Annotated[LoadFlags | None, Parameter(name="*")] = None,
) -> None:
    """Measure an unchanged server again and again: how much its runs and sessions vary.

    The figures go into the baselines given. From then on the gate takes them in the place of its guesses.
    """
    from pytest_aiperf.cli_commands.metric_pairs import tolerances
    from pytest_aiperf.cli_utils import ExitCode, exit_on_error
    from pytest_aiperf.common.errors import BaselineError, ConfigurationError, MeasurementError
    from pytest_aiperf.config.coercion import parse_str_or_list

    with (
        exit_on_error(
            ConfigurationError,
            BaselineError,
            title=_TITLE,
            show_traceback=False,
            exit_code=ExitCode.USAGE,
        ),
        exit_on_error(MeasurementError, title=_TITLE, show_traceback=False, exit_code=ExitCode.INVALID),
    ):
        _calibrate(
            baselines,
            load.given() if load else {},
            sessions=sessions,
            restart_command=restart_command,
            ready_timeout_s=_seconds(ready_timeout),
            wanted=_share(wanted),
            metrics=parse_str_or_list(metrics),  # type: ignore[arg-type]  # a text becomes a list
            tolerance=tolerances(tolerance),
            json_path=json_path,
        )


def _calibrate(
    baselines: Sequence[Path],
    given: Mapping[str, Any],
    *,
    sessions: int,
    restart_command: str | None,
    ready_timeout_s: float,
    wanted: float,
    metrics: Sequence[str] | None,
    tolerance: Mapping[str, str],
    json_path: Path | None,
) -> None:
    from pytest_aiperf.cli_utils import terminated_as_interrupted
    from pytest_aiperf.config.coercion import parse_urls
    from pytest_aiperf.exporters.calibration_document import calibration_document, check_json_path, write_json
    from pytest_aiperf.exporters.calibration_tables import calibration_lines
    from pytest_aiperf.measure.calibrated import figures_of, store_variances
    from pytest_aiperf.measure.calibrating import Calibrating
    from pytest_aiperf.measure.calibration_task import tasks_of
    from pytest_aiperf.services.load_pool import LoadPool
    from pytest_aiperf.services.own_services import Services, log_directory
    from pytest_aiperf.services.restart_command import RestartCommand

    if json_path is not None:
        check_json_path(json_path)
    log_dir, environment = log_directory(Path.cwd()), LoadFlags.environment()
    with terminated_as_interrupted(), Services(log_dir) as services:
        calibrating = Calibrating(
            tasks_of(
                baselines,
                given=given,
                environment=environment,
                urls_of=lambda text: [services.resolve(url) for url in parse_urls(text)],
                accelerator=lambda: services.accelerator,
                tolerance=tolerance,
                metrics=metrics,
            ),
            sessions=sessions,
            new_load=lambda workers: LoadPool(workers, log_dir=log_dir),
            given={**environment, **given},
            restart=None
            if restart_command is None
            else RestartCommand(restart_command, deadline_s=ready_timeout_s, log_dir=log_dir),
            ready_timeout_s=ready_timeout_s,
            on_session=_tell,
        )
        made = calibrating.measure()
    loads = [figures_of(one, wanted=wanted) for one in made]
    for load in loads:
        print(*calibration_lines(load), "", sep="\n")
    if json_path is not None:
        write_json(json_path, calibration_document(loads))
    for load in loads:
        if store_variances(load):
            print(f"written into {load.made.task.request.baseline_path}: the gate takes it from now on")


def _tell(report: SessionReport) -> None:
    from pytest_aiperf.exporters.calibration_tables import session_line

    print(session_line(report), file=sys.stderr, flush=True)


def _share(text: str) -> float:
    from pytest_aiperf.common.errors import ConfigurationError
    from pytest_aiperf.config.coercion import parse_fraction

    try:
        share = float(parse_fraction(text))  # type: ignore[arg-type]  # of a text it is a float
    except ValueError as error:
        raise ConfigurationError(f"--wanted: {error}") from None
    if not 0 < share <= 1:
        raise ConfigurationError(f"--wanted must be above 0 and at most 100%, got {text}; write 10% or 0.1")
    return share


def _seconds(text: str) -> float:
    from pytest_aiperf.common.errors import ConfigurationError
    from pytest_aiperf.config.coercion import parse_duration_s

    try:
        seconds = float(parse_duration_s(text))  # type: ignore[arg-type]  # of a text it is a float
    except ValueError as error:
        raise ConfigurationError(f"--ready-timeout: {error}") from None
    if not 0 < seconds <= _LONGEST_S:
        raise ConfigurationError(f"--ready-timeout must be above 0 and at most a day, got {text}")
    return seconds
