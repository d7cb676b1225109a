"""`pytest-aiperf baseline list|show|diff|prune`: what is stored, what became of it, and what nobody needs any more."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pytest_aiperf.cli_utils import ExitCode, exit_on_error
from pytest_aiperf.common.errors import BaselineError

app = App(name="baseline", help="List, show, compare and prune baseline files.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of text.")]
Folder = Annotated[
    Path | None,
    Parameter(
        help="Folder to search, or a baseline directory. Default: each `__aiperf__` below this folder."
    ),
]


@app.command(name="list")
def list_baselines(directory: Folder = None, /, *, as_json: Json = False) -> None:
    """List the baselines: sessions, runs, dates and figures of each."""
    from pytest_aiperf.baseline.inventory import stored_files
    from pytest_aiperf.exporters.baseline_documents import list_document, rendered
    from pytest_aiperf.exporters.baseline_tables import list_lines

    with exit_on_error(BaselineError, title="baseline list", show_traceback=False, exit_code=ExitCode.USAGE):
        files = stored_files(directory)
    width = shutil.get_terminal_size().columns
    print(*[rendered(list_document(files))] if as_json else list_lines(files, width=width), sep="\n")
    if any(file.problem for file in files):
        raise SystemExit(ExitCode.USAGE)


@app.command(name="show")
def show(file: Annotated[Path, Parameter(help="A baseline file.")], /, *, as_json: Json = False) -> None:
    """Show one baseline: key, sessions, variances, and what a check against it can find."""
    from pytest_aiperf.baseline.inventory import read_one
    from pytest_aiperf.exporters.baseline_documents import rendered, show_document
    from pytest_aiperf.exporters.baseline_tables import show_lines

    with exit_on_error(BaselineError, title="baseline show", show_traceback=False, exit_code=ExitCode.USAGE):
        stored = read_one(file)
    lines = [rendered(show_document(file, stored))] if as_json else show_lines(file, stored)
    print(*lines, sep="\n")


@app.command(name="diff")
def diff(
    old: Annotated[Path, Parameter(help="A baseline file; alone, its newest session against the earlier.")],
    new: Annotated[Path | None, Parameter(help="A later state of that file.")] = None,
    /,
    *,
    as_json: Json = False,
) -> None:
    """Compare two states of a baseline; exit status 1 where something regressed."""
    from pytest_aiperf.baseline.inventory import read_one
    from pytest_aiperf.exporters.baseline_changes import diff_lines
    from pytest_aiperf.exporters.baseline_documents import diff_document, rendered
    from pytest_aiperf.measure.baseline_diff import diff_files, diff_newest

    with exit_on_error(BaselineError, title="baseline diff", show_traceback=False, exit_code=ExitCode.USAGE):
        before = read_one(old)
        found = diff_files(before, read_one(new)) if new is not None else diff_newest(before, source=str(old))
    names = [old] if new is None else [old, new]
    print(*[rendered(diff_document(names, found))] if as_json else diff_lines(names, found), sep="\n")
    statuses = {"regressed": ExitCode.REGRESSED, "not_comparable": ExitCode.USAGE}
    raise SystemExit(statuses.get(found.judgement.verdict, ExitCode.PASS))


@app.command(name="prune")
def prune(
    directory: Folder = None,
    /,
    *,
    rootdir: Annotated[Path, Parameter(help="pytest's root directory, which tests are named from.")] = Path(),
    yes: Annotated[
        bool, Parameter(negative="", help="Delete them; without it they are only listed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find baselines whose test is gone, and delete them with --yes."""
    from pytest_aiperf.baseline.inventory import stored_files
    from pytest_aiperf.baseline.orphans import find_orphans, remove
    from pytest_aiperf.exporters.baseline_changes import prune_lines
    from pytest_aiperf.exporters.baseline_documents import prune_document, rendered

    with exit_on_error(BaselineError, title="baseline prune", show_traceback=False, exit_code=ExitCode.USAGE):
        findings = find_orphans(stored_files(directory), rootdir)
        if yes:
            for finding in findings:
                if finding.state == "orphan":
                    remove(finding.file)
    document = [rendered(prune_document(findings, deleted=yes))] if as_json else None
    print(*document or prune_lines(findings, deleted=yes), sep="\n")
    if any(finding.state == "broken" for finding in findings):
        raise SystemExit(ExitCode.USAGE)
