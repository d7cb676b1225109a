"""PYTEST_DONT_REWRITE. The configuration file of a session. Imported where one is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.loader.config_file import ConfigFile, read_config_file
from pytest_aiperf.exporters.config_checks import CONFIG_CHECKS


def read(config: pytest.Config, given: str) -> ConfigFile:
    """Return the file, checked. A relative path is relative to where pytest was started.

    Raises:
        UsageError: everything that is wrong with it.
    """
    path = Path(os.path.normpath(config.invocation_params.dir / Path(given).expanduser()))
    shown = path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path
    try:
        file = read_config_file(path, shown=shown.as_posix(), checks=CONFIG_CHECKS)
    except ConfigurationError as error:
        raise pytest.UsageError(f"configuration file: {error}") from None
    for warning in file.warnings:
        config.issue_config_time_warning(pytest.PytestConfigWarning(f"aiperf: {warning}"), stacklevel=2)
    return file
