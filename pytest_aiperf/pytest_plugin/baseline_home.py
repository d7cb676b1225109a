"""PYTEST_DONT_REWRITE. Which baseline directory a test file has, and that no two tests share a file in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from pytest_aiperf.pytest_plugin import options
from pytest_aiperf.pytest_plugin.item_id import item_id

FOLDER: Final = "__aiperf__"


def baseline_directory(config: pytest.Config, test_file: Path) -> Path:
    """Return the directory, absolute: the one that ``--aiperf-baseline-dir`` names, or the one beside the file."""
    return shared_directory(config) or test_file.parent / FOLDER


def shared_directory(config: pytest.Config) -> Path | None:
    """Return the directory that ``--aiperf-baseline-dir`` names for all tests, None without it."""
    given = options.value_of(config, "baseline_dir")
    if given is None:
        return None
    return Path(os.path.normpath(config.invocation_params.dir / Path(given).expanduser()))


def refuse_namesake(item: pytest.Item) -> None:
    """Refuse a test that would share its baselines with another one of the session.

    Raises:
        ConfigurationError: it lies outside the root directory, where a file is known by its name alone, and another
            file of that name has the same test and the same baseline directory.
    """
    if shared_directory(item.config) is None:
        return
    alike = (o for o in item.session.items if o.path.name == item.path.name and o.path != item.path)
    other = next((other for other in alike if item_id(other) == item_id(item)), None)
    if other is not None:
        from pytest_aiperf.common.errors import ConfigurationError

        raise ConfigurationError(
            f"{item.path} and {other.path} would have the same baseline: outside pytest's root directory, "
            f"{item.config.rootpath}, a test file is known by its name alone. Give --rootdir a folder that holds both."
        )
