"""Baselines that no test owns, found from what one session collected and measured.

Here, unlike where only files are looked at, the tests themselves said which files are theirs. What is left to decide
is what becomes of a file that nobody named. It is an orphan if its test would have named it in this session, had it
been there: its test file was collected in full, or is gone from a folder that was. Everything else is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pytest_aiperf.baseline.inventory import StoredFile, profile_paths, stored_file
from pytest_aiperf.baseline.keys import baseline_path

State = Literal["orphan", "kept", "unseen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One session that ran to its end."""

    root: Path
    """pytest's root directory, which tests are named from."""
    shared: bool
    """Whether one directory was named for all baselines; else each lies beside its test file."""
    files: Mapping[Path, Set[str]]
    """By baseline directory: the test files that were collected in full, as ids name them."""
    folders: Set[Path]
    """Folders whose test files were all collected in full."""
    claims: Mapping[Path, str]
    """By the path of a measurement's baseline: the id of the test that measured it."""
    unfinished: Set[str]
    """Ids of tests that did not pass: they may have measured less than they do."""

    def profiles_in_use(self, directory: Path) -> Set[str]:
        """Return the profile folders of what was measured there; where nothing was, of all that was measured."""
        here = {path.parents[1].name for path in self.claims if path.parents[2] == directory}
        return here or {path.parents[1].name for path in self.claims}

    def profiles_of(self, directory: Path, test: str) -> Set[str]:
        """Return the profile folders under which a test measured."""
        mine = (path for path, owner in self.claims.items() if owner == test)
        return {path.parents[1].name for path in mine if path.parents[2] == directory}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unowned:
    """A baseline that no test named, and what that means."""

    file: StoredFile
    state: State
    """``unseen``: its test file is there, but was not collected in full, so nothing may be deleted."""
    source: str = ""
    """The test file, as ids name it."""


def find_unowned(seen: Seen) -> Sequence[Unowned]:
    """Return every baseline that no test named, in the directories and of the profiles in use.

    Raises:
        BaselineError: a folder of baselines cannot be read.
    """
    return [_judged(stored_file(path), seen) for path in _unnamed(seen)]


def _unnamed(seen: Seen) -> Iterator[Path]:
    for directory in sorted(seen.files):
        for profile in sorted(seen.profiles_in_use(directory)):
            paths = profile_paths(directory, profile)
            yield from (path for path in paths if path not in seen.claims)


def _judged(file: StoredFile, seen: Seen) -> Unowned:
    if file.baseline is None:
        return Unowned(file=file, state="kept")
    key = file.baseline.key
    source = key.test.partition("::")[0]
    if file.path != baseline_path(file.directory, profile=file.profile, test=key.test, name=key.name):
        return Unowned(file=file, state="kept", source=source)  # a copy, or of a version with other names
    if source in seen.files[file.directory]:
        measured_as = seen.profiles_of(file.directory, key.test)
        other_profile = bool(measured_as) and file.profile not in measured_as
        kept = key.test in seen.unfinished or other_profile
        return Unowned(file=file, state="kept" if kept else "orphan", source=source)
    state = _state_in_shared(source, seen) if seen.shared else _state_beside(file.directory, source, seen)
    return Unowned(file=file, state=state, source=source)


def _state_beside(directory: Path, source: str, seen: Seen) -> State:
    """Of a file beside tests: those who look here lie in the folder above, whatever they were named from."""
    path = Path(os.path.normpath(seen.root / source))
    if _same(path.parent, directory.parent):
        # Without a folder in its name it may have been outside the root directory of its time, right here.
        return "unseen" if path.exists() else "orphan" if directory.parent in seen.folders else "kept"
    folder = PurePosixPath(source).parent.parts
    named_from_elsewhere = folder == directory.parent.parts[len(directory.parent.parts) - len(folder) :]
    return "kept" if path.exists() or named_from_elsewhere else "orphan"


def _state_in_shared(source: str, seen: Seen) -> State:
    """A test file that is gone must have been among others: a folder is missing under a wrong root directory too."""
    path = Path(os.path.normpath(seen.root / source))
    if path.exists():
        return "unseen"
    return "orphan" if "/" in source and path.parent in seen.folders else "kept"


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
