"""`pytest-aiperf config init|expand|validate`: configuration files, started, shown as they are read, checked."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pytest_aiperf.cli_commands.config_file import read_file
from pytest_aiperf.cli_utils import ExitCode, exit_on_error
from pytest_aiperf.common.errors import ConfigurationError

app = App(name="config", help="Start, show and check configuration files.")


@app.command(name="init")
def init(
    path: Annotated[Path, Parameter(help="File to write.")] = Path("aiperf.yaml"),
    /,
    *,
    force: Annotated[bool, Parameter(negative="", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a file to start from, with comments."""
    from pytest_aiperf.config.loader.starting_file import STARTING_FILE

    with _usage_errors("config init"):
        try:
            with path.open("w" if force else "x", encoding="utf-8") as file:
                file.write(STARTING_FILE)
        except FileExistsError:
            raise ConfigurationError(f"{path} is there already; --force overwrites it") from None
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror or error}") from None
    print(f"written: {path}")


@app.command(name="expand")
def expand(path: Annotated[Path, Parameter(help="Configuration file.")], /) -> None:
    """Print a file as it is read: variables and the environment replaced, defaults filled in.

    A header that takes its value from the environment is shown with the name of the variable.
    """
    from pytest_aiperf.config.loader.envelope import expanded

    with _usage_errors("config expand"):
        text = expanded(read_file(path))
    print(text, end="")


@app.command(name="validate")
def validate(*paths: Annotated[Path, Parameter(help="Configuration files.")]) -> None:
    """Check files, each as if nothing else gave options; exit status 2 where something is wrong."""
    from pytest_aiperf.config.loader.envelope import whole_config

    wrong = False
    with _usage_errors("config validate"):
        if not paths:
            raise ConfigurationError("which file? Name one or more")
    for path in paths:
        try:
            whole_config(read_file(path))
        except ConfigurationError as error:
            wrong = True
            print(error)
        else:
            print(f"{path}: no problem found")
    if wrong:
        raise SystemExit(ExitCode.USAGE)


def _usage_errors(title: str) -> AbstractContextManager[None]:
    return exit_on_error(ConfigurationError, title=title, show_traceback=False, exit_code=ExitCode.USAGE)
