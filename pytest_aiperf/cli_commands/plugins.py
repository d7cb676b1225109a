"""`pytest-aiperf plugins list|show|validate`: what is registered, by whom, and whether it is there."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Final

from cyclopts import App, Parameter

from pytest_aiperf.cli_utils import ExitCode, exit_on_error
from pytest_aiperf.common.errors import ConfigurationError

app = App(name="plugins", help="List, show and check what is registered: endpoints, metrics and the like.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of text.")]
PROBLEMS: Final = 1
"""Exit status of `validate` when something is wrong."""


@app.command(name="list")
def list_plugins(
    category: Annotated[str | None, Parameter(help="One category, e.g. endpoint. Default: all.")] = None,
    /,
    *,
    as_json: Json = False,
) -> None:
    """List what is registered. Nothing of it is imported."""
    from pytest_aiperf.plugin.contents import read_contents
    from pytest_aiperf.plugin.listing import list_document, list_lines, rendered

    with _usage_errors("plugins list"):
        contents = read_contents()
        lines = (
            [rendered(list_document(contents, category))] if as_json else [*list_lines(contents, category)]
        )
    print(*lines, sep="\n")


@app.command(name="show")
def show(
    category: Annotated[str, Parameter(help="A category, e.g. endpoint.")],
    name: Annotated[str, Parameter(help="A name in it, e.g. chat.")],
    /,
) -> None:
    """Show one name: its class, its package, its file, and what it holds in the place of."""
    from pytest_aiperf.plugin.listing import show_lines

    with _usage_errors("plugins show"):
        lines = list(show_lines(category, name))
    print(*lines, sep="\n")


@app.command(name="validate")
def validate_plugins(*, as_json: Json = False) -> None:
    """Check every package's file, and that its classes are there; exit status 1 where something is wrong.

    Nothing is imported: modules are looked for and parsed.
    """
    from pytest_aiperf.plugin.listing import rendered, validate_document, validate_lines
    from pytest_aiperf.plugin.validation import validate

    found = validate()
    lines = [rendered(validate_document(found))] if as_json else list(validate_lines(found))
    print(*lines, sep="\n")
    if found.problems:
        raise SystemExit(PROBLEMS)


def _usage_errors(title: str) -> AbstractContextManager[None]:
    return exit_on_error(ConfigurationError, title=title, show_traceback=False, exit_code=ExitCode.USAGE)
