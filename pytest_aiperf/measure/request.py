"""What a surface asks for when it wants something measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pytest_aiperf.baseline import store
from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.aiperf_config import AIPerfConfig
from pytest_aiperf.measure.runs import MadeRun
from pytest_aiperf.measure.slo import Slo
from pytest_aiperf.measure.terms import FIRST_LOOK
from pytest_aiperf.measure.validity import Limits
from pytest_aiperf.metrics.goodput import parse_slos

QUICK_REQUESTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRequest:
    """One measurement of one test."""

    config: AIPerfConfig
    test: str
    """Stable id of the test: path, class, function, parameters."""
    name: str | None = None
    baseline_path: Path | None = None
    """None measures without a baseline."""
    against: tuple[str, ...] = ()
    """URLs of the server to compare with, instead of a baseline; none: a stored one."""
    update: frozenset[str] = frozenset()
    """Categories to record: missing, regressed, improved, all."""
    accelerator: Mapping[str, object] = field(default_factory=dict)
    """Part of the hard key: accelerator, accelerator_count, power_limit_w and so on."""
    software: Mapping[str, str | None] = field(default_factory=dict)
    """Soft facts that a surface knows: driver, cuda, server."""
    slos: tuple[Slo, ...] = ()
    """Absolute limits."""
    load_baseline: Callable[[Path], Baseline | None] = store.load
    """Reads a baseline."""
    runs: int = FIRST_LOOK
    """Runs of a measurement that is compared with nothing; others make as many as their verdict takes."""
    must_compare: bool = False
    """A baseline that cannot be compared is an error before the load; otherwise it is a verdict, with the figures."""
    restart: Callable[[], object] | None = None
    """Restarts the server before a confirmation session."""
    on_run: Callable[[MadeRun], None] | None = None
    """Is given every run but probes and rehearsals, as soon as it is over; it delays the next one."""

    @property
    def quick(self) -> bool:
        """One short run, compared with nothing."""
        return self.config.verdict.mode == "quick"

    def checked_config(self) -> AIPerfConfig:
        """Return the configuration, cut down for a quick run. Nothing is sent yet.

        Raises:
            ConfigurationError: a goodput limit or a validity check does not exist, or what is asked for does not go
                together.
        """
        config = self.config
        streaming, open_loop = config.endpoint.streaming, config.load.open_loop
        parse_slos(config.verdict.goodput, streaming=streaming, open_loop=open_loop)
        Limits(config)
        if self.against and self.update:
            raise ConfigurationError(
                "--aiperf-update does not go with --aiperf-against: two servers are compared, nothing is recorded"
            )
        if not self.quick:
            return config
        if self.update:
            raise ConfigurationError(
                "--aiperf-update does not go with quick mode: a quick run is no baseline"
            )
        load = config.load
        short: dict[str, object] = {
            "request_count": min(load.request_count or QUICK_REQUESTS, QUICK_REQUESTS)
        }
        if load.open_loop and load.warm_up is None:
            short["warm_up"] = 0
        return config.model_copy(update={"load": load.model_copy(update=short)})
