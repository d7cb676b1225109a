"""Gate the performance of model-serving endpoints in pytest.

Importing this package costs nothing but this file: names are resolved on first use, because pytest imports
the package in every run of every user who has it installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_aiperf.common.errors import (
        AiperfError,
        BaselineError,
        ConfigurationError,
        EndpointError,
        InconclusiveError,
        InvalidMeasurementError,
        MeasurementError,
        MissingBaselineError,
        ProcessDiedError,
        Regression,
        SloMissed,
    )
    from pytest_aiperf.measure.result import Result
    from pytest_aiperf.services.server_process import ServerProcess

__version__ = "0.1.0"

_HOMES = {
    "AiperfError": "pytest_aiperf.common.errors",
    "BaselineError": "pytest_aiperf.common.errors",
    "ConfigurationError": "pytest_aiperf.common.errors",
    "EndpointError": "pytest_aiperf.common.errors",
    "InconclusiveError": "pytest_aiperf.common.errors",
    "InvalidMeasurementError": "pytest_aiperf.common.errors",
    "MeasurementError": "pytest_aiperf.common.errors",
    "MissingBaselineError": "pytest_aiperf.common.errors",
    "ProcessDiedError": "pytest_aiperf.common.errors",
    "Regression": "pytest_aiperf.common.errors",
    "SloMissed": "pytest_aiperf.common.errors",
    "Result": "pytest_aiperf.measure.result",
    "ServerProcess": "pytest_aiperf.services.server_process",
}

__all__ = [
    "AiperfError",
    "BaselineError",
    "ConfigurationError",
    "EndpointError",
    "InconclusiveError",
    "InvalidMeasurementError",
    "MeasurementError",
    "MissingBaselineError",
    "ProcessDiedError",
    "Regression",
    "Result",
    "ServerProcess",
    "SloMissed",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Import a public name from its home when it is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
