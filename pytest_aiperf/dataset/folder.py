"""Folders of data files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_aiperf.common.path_safety import checked_listing
from pytest_aiperf.dataset.problems import refusal

SUFFIXES: Final = (".json", ".jsonl")


def data_files(folder: Path) -> list[Path]:
    """Return the data files of a folder, sorted by name.

    Raises:
        ConfigurationError: it cannot be read, or has none.
    """
    names, why = checked_listing(folder)
    if names is None:
        raise refusal(folder, f"cannot be read: {why or 'there is no such folder'}")
    found = [folder / name for name in names if name.endswith(SUFFIXES) and not name.startswith(".")]
    if not found:
        raise refusal(
            folder, f"has no data file; should hold files whose names end with {' or '.join(SUFFIXES)}"
        )
    return found
