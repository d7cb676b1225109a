"""Where the processes of one pytest process keep their logs; the processes themselves are those of any program."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aiperf.pytest_plugin import artifacts
from pytest_aiperf.services import own_services
from pytest_aiperf.services.own_services import Services

__all__ = ["Services", "log_directory"]


def log_directory(config: pytest.Config) -> Path:
    """Return where ``--aiperf-artifacts`` wants them, else ``.aiperf/logs`` below pytest's root."""
    return artifacts.log_directory(config) or own_services.log_directory(config.rootpath)
