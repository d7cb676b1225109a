"""A configuration file as a command reads it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_aiperf.config.loader.config_file import ConfigFile


def read_file(path: Path) -> ConfigFile:
    """Return the file, checked; what is left out of a newer one is told on stderr.

    Raises:
        ConfigFileError: everything that is wrong with it.
    """
    from pytest_aiperf.config.loader.config_file import read_config_file
    from pytest_aiperf.exporters.config_checks import CONFIG_CHECKS

    file = read_config_file(path.expanduser(), shown=str(path), checks=CONFIG_CHECKS)
    for warning in file.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return file
