"""Baselines whose test is gone, found without collecting: by the files below the root directory and their syntax.

It errs to one side. A file that nobody reads costs some kilobytes; one that is deleted by mistake costs a recording. So
an orphan is only what can be shown to be one, and whatever else there is to say is said beside a file that is kept.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_aiperf.baseline.definitions import look_up
from pytest_aiperf.baseline.inventory import FOLDER, StoredFile
from pytest_aiperf.baseline.keys import baseline_path
from pytest_aiperf.baseline.schema import BaselineKey
from pytest_aiperf.common.errors import BaselineError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is to be done about one file."""

    file: StoredFile
    state: Literal["orphan", "unchecked", "used", "broken"]
    """Only an ``orphan`` is deleted; of what is ``unchecked`` nobody could tell."""
    why: str = ""


def find_orphans(files: Sequence[StoredFile], rootdir: Path) -> Sequence[Finding]:
    """Return a finding for each file, in their order.

    Args:
        files: from :func:`pytest_aiperf.baseline.inventory.stored_files`.
        rootdir: what the paths of the tests are relative to: pytest's root directory.

    Raises:
        BaselineError: there is no such directory.
    """
    if not rootdir.is_dir():
        raise BaselineError(f"{rootdir}: no such directory. --rootdir is pytest's own, see its header.")
    root = rootdir.resolve()
    fitting = {file.directory for file in files if _fits(file, root)}
    return [_finding(file, root, fits=file.directory in fitting) for file in files]


def remove(file: StoredFile) -> Sequence[Path]:
    """Delete a file and the folders that it leaves empty; return what was deleted.

    Raises:
        BaselineError: it cannot be deleted.
    """
    gone = [file.path]
    try:
        file.path.unlink()
        for folder in list(file.path.absolute().parents)[:3]:
            # A baseline directory of another name is somebody's own folder.
            elsewhere = folder == file.directory and folder.name != FOLDER
            if any(folder.iterdir()) or elsewhere or folder.is_symlink():
                break
            folder.rmdir()
            gone.append(folder)
    except OSError as error:
        raise BaselineError(f"{file.path}: cannot be deleted: {error}") from None
    return gone


def _fits(file: StoredFile, root: Path) -> bool:
    """Whether this file shows that the root directory is the one that the keys were made with."""
    if file.baseline is None:
        return False
    source = root / file.baseline.key.test.partition("::")[0]
    return source.is_file() or _lies_beside(file, source)


def _lies_beside(file: StoredFile, source: Path) -> bool:
    return file.directory.name == FOLDER and source.parent == file.directory.resolve().parent


def _finding(file: StoredFile, root: Path, *, fits: bool) -> Finding:
    if file.baseline is None:
        return Finding(file=file, state="broken", why=file.problem or "")
    key = file.baseline.key
    home = baseline_path(file.directory, profile=file.profile, test=key.test, name=key.name)
    if file.path.is_symlink() or file.path.absolute() != home:
        why = f"no test would look for it here: its key belongs to {home.name}, and to no link"
        return Finding(file=file, state="unchecked", why=why)
    return _by_its_test(file, key, root, fits=fits)


def _by_its_test(file: StoredFile, key: BaselineKey, root: Path, *, fits: bool) -> Finding:
    where, _, inner = key.test.partition("::")
    source = Path(os.path.normpath(root / where))
    if not source.is_relative_to(root):
        return Finding(file=file, state="unchecked", why=f"{where} is outside {root}")
    if not source.is_file():
        return _without_its_file(file, where, root, fits=fits)
    if source.suffix != ".py":
        return Finding(file=file, state="unchecked", why=f"{where} is not Python")
    try:
        text = source.read_bytes()
    except OSError as error:
        return Finding(file=file, state="unchecked", why=f"{where} cannot be read: {error.strerror}")
    names, bracket, _ = inner.partition("[")
    found = look_up(text, names.split("::"))
    if found.answer != "defined":
        state: Literal["orphan", "unchecked"] = "orphan" if found.answer == "absent" else "unchecked"
        return Finding(file=file, state=state, why=f"{where}: {found.why}")
    if bracket or key.name is not None:
        part = "parameters" if bracket else "name"
        why = f"{where} defines the test; its {part} cannot be told without running pytest"
        return Finding(file=file, state="unchecked", why=why)
    return Finding(file=file, state="used")


def _without_its_file(file: StoredFile, where: str, root: Path, *, fits: bool) -> Finding:
    # A test outside the root directory is known by its file's name alone, wherever it lies.
    may_be_outside = "/" not in where and not _lies_beside(file, root / where)
    if fits and not may_be_outside:
        return Finding(file=file, state="orphan", why=f"there is no {where}")
    why = f"there is no {where} below {root}, nor anything else that shows that this is the right --rootdir"
    return Finding(file=file, state="unchecked", why=why)
