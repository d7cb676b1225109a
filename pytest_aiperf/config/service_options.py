"""Options of the processes beside a measurement."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pytest_aiperf.config.cli_parameter import CLIParameter, Groups


class ServiceOptions(BaseModel):
    """How much they tell."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"] | None,
        Field(
            description="From which level on records of pytest-aiperf and its processes are logged. Default: as the "
            "logging of the process that measures is set up."
        ),
        CLIParameter(name=("--log-level",), group=Groups.SERVICE),
    ] = None
