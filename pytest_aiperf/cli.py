"""The `pytest-aiperf` command. Commands are named by import strings and imported when they are run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

from cyclopts import App, CycloptsError

import pytest_aiperf
from pytest_aiperf.cli_utils import ExitCode, exit_on_error

COMMANDS: Final = {
    "profile": "pytest_aiperf.cli_commands.profile:app",
    "baseline": "pytest_aiperf.cli_commands.baseline:app",
    "judge": "pytest_aiperf.cli_commands.judge:app",
    "calibrate": "pytest_aiperf.cli_commands.calibrate:app",
    "config": "pytest_aiperf.cli_commands.config:app",
    "plugins": "pytest_aiperf.cli_commands.plugins:app",
    "mock-server": "pytest_aiperf.cli_commands.mock_server:app",
}
"""Name and import string of each command's `App`; one file a command."""


def build_app() -> App:
    """Return the root application with its commands, none of them imported."""
    app = App(
        name="pytest-aiperf",
        help="Performance of model-serving endpoints, beside pytest.",
        version=pytest_aiperf.__version__,
    )
    for name, target in COMMANDS.items():
        app.command(target, name=name)
    return app


def _refuse_flags_of_aiperf(tokens: Sequence[str]) -> None:
    """Before anything is parsed: their values, too, must not be read as something else, or shown."""
    if tokens[:1] != ["profile"]:
        return
    from pytest_aiperf.cli_commands.aiperf_flags import refuse
    from pytest_aiperf.common.errors import ConfigurationError

    title = "pytest-aiperf profile"
    with exit_on_error(ConfigurationError, title=title, show_traceback=False, exit_code=ExitCode.USAGE):
        refuse(tokens[1:])


def main() -> None:
    """Run the command line."""
    try:
        _refuse_flags_of_aiperf(sys.argv[1:])
        try:
            build_app()(exit_on_error=False)
        except CycloptsError:  # it was printed; older versions would end with 1, which says "regressed"
            raise SystemExit(ExitCode.USAGE) from None
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # `... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None
