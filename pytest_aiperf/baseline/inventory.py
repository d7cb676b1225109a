"""The baseline files below a folder: known by where they lie and how they are named, a broken one among good ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.common.errors import BaselineError

FOLDER: Final = "__aiperf__"
"""Where baselines lie unless ``--aiperf-baseline-dir`` says otherwise."""
_NAME: Final = re.compile(r".-[0-9a-f]{8}\.json\Z")
_DEPTH: Final = 3
"""``<profile>/<module>/<test>-<hash8>.json``, see :func:`pytest_aiperf.baseline.keys.baseline_path`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file, and what it holds or why that cannot be said."""

    path: Path
    """As the user would write it."""
    baseline: Baseline | None = None
    problem: str | None = None
    """Names the file and the place in it."""

    @property
    def directory(self) -> Path:
        """The baseline directory, absolute: what holds the profiles."""
        return _directory(self.path)

    @property
    def profile(self) -> str:
        """The folder of the profile."""
        return self.path.absolute().parts[-_DEPTH]


def stored_files(start: Path | None) -> Sequence[StoredFile]:
    """Return every baseline file below a folder, sorted by path.

    Searched are the directories named ``__aiperf__``. Where `start` has none, it is taken for a baseline directory of
    another name itself. Hidden folders and symbolic links to folders are passed over.

    Args:
        start: a folder that holds such directories, one of them, or a folder within one; None: the current directory.

    Raises:
        BaselineError: there is no such folder, or no baseline in it. A file that cannot be read is none: it is
            returned with its problem.
    """
    folder = Path(os.path.normpath(start or "."))
    if not folder.is_dir():
        what = "is not a directory" if folder.exists() else "no such directory"
        raise BaselineError(f"{folder}: {what}. Give the directory that holds the baselines.")
    paths = sorted(_candidates(folder))
    found = [path for path in paths if _directory(path).name == FOLDER]
    if not found and start is not None:
        found = [path for path in paths if len(path.relative_to(folder).parts) == _DEPTH]
    if not found:
        where = "" if start is not None else ", or name the directory that --aiperf-baseline-dir was given"
        raise BaselineError(
            f"{folder.absolute()}: no baselines in it. Record them with pytest --aiperf-update=missing{where}."
        )
    return [stored_file(path) for path in found]


def profile_paths(directory: Path, folder: str) -> Sequence[Path]:
    """Return the paths of the baselines in one profile's folder of one baseline directory, sorted.

    What lies behind a symbolic link is not looked at.

    Raises:
        BaselineError: a folder there cannot be read.
    """
    home = directory / folder
    if home.is_symlink() or not home.is_dir():
        return ()
    found = (path for path in _candidates(home) if len(path.relative_to(home).parts) == _DEPTH - 1)
    return sorted(path for path in found if not path.is_symlink())


def read_one(path: Path) -> Baseline:
    """Return the baseline in a file.

    Raises:
        BaselineError: there is no such file, or as in :func:`pytest_aiperf.baseline.store.load`.
    """
    baseline = store.load(path)
    if baseline is None:
        raise BaselineError(
            f"{path}: no such file. 'pytest-aiperf baseline list' shows those that there are."
        )
    return baseline


def _candidates(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, onerror=_refuse_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in names if _NAME.search(name))


def _refuse_unreadable(error: OSError) -> None:
    """A folder that may not be read is no matter, unless baselines are in it."""
    if FOLDER in Path(str(error.filename)).absolute().parts:
        raise BaselineError(f"{error.filename}: cannot be read: {error.strerror}") from None


def _directory(path: Path) -> Path:
    return Path(*path.absolute().parts[:-_DEPTH])


def stored_file(path: Path) -> StoredFile:
    """Return what a file holds, or why that cannot be said."""
    home = Path(os.path.realpath(_directory(path)))
    if not Path(os.path.realpath(path)).is_relative_to(home):
        return StoredFile(
            path=path, problem=f"{path}: a symbolic link that leads out of {home}. It was not read."
        )
    try:
        return StoredFile(path=path, baseline=read_one(path))
    except BaselineError as error:
        return StoredFile(path=path, problem=str(error))
