"""The validated whole: what a measurement is told. Checks across fields live here and in its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import BaseConfig
from pytest_aiperf.config.endpoint_config import EndpointConfig
from pytest_aiperf.config.load_config import LoadConfig
from pytest_aiperf.config.tolerance import Tolerance


class InputConfig(BaseConfig):
    """What it is asked."""

    isl: int = Field(default=128, ge=1, description="Words of a prompt.")
    osl: int = Field(default=64, ge=1, description="Tokens asked for.")
    seed: int = Field(default=1, ge=0, description="Seed of the prompts and of their times.")
    cache_bust: bool = Field(default=False, description="Every run has its own beginnings of prompts.")
    turns: int = Field(default=1, ge=1, description="Requests of a conversation.")
    turn_delay_ms: FiniteFloat = Field(default=0.0, ge=0, description="Pause before a further turn.")


class VerdictConfig(BaseConfig):
    """How it is judged."""

    mode: Literal["check", "measure", "quick"] = Field(default="check", description="What the run is for.")
    runs: int = Field(default=8, ge=3, le=100, description="Most runs of a measurement.")
    alpha: FiniteFloat = Field(
        default=0.01, gt=0, le=0.2, description="Chance of a false alarm, of all metrics together."
    )
    max_time_s: FiniteFloat | None = Field(default=None, gt=0, description="Time budget of the measurement.")
    max_mde: FiniteFloat | None = Field(default=None, gt=0, description="Largest MDE that a pass may have.")
    strict: bool = Field(default=False, description="The whole interval must lie beyond the tolerance.")
    tolerance: Mapping[str, Tolerance] = Field(
        default_factory=dict, description="By metric and statistic: {'ttft.p50': ...}."
    )
    metrics: tuple[str, ...] | None = Field(
        default=None, description="Judged metrics; None for the defaults."
    )
    goodput: Mapping[str, FiniteFloat] = Field(
        default_factory=dict, description="What a good request keeps, by metric, in its unit."
    )
    validity: Mapping[str, FiniteFloat] = Field(
        default_factory=dict, description="Limits of validity checks by name, instead of the usual ones."
    )


class AIPerfConfig(BaseConfig):
    """One measurement: endpoint, load, input, verdict."""

    endpoint: EndpointConfig = Field(description="The server under test.")
    load: LoadConfig = Field(default_factory=LoadConfig, description="How it is loaded.")
    input: InputConfig = Field(default_factory=InputConfig, description="What it is asked.")
    verdict: VerdictConfig = Field(default_factory=VerdictConfig, description="How it is judged.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.load.prefill_concurrency is not None and not self.endpoint.streaming:
            raise ValueError("prefill_concurrency takes streaming: without it there is no first token")
        if self.input.turns > 1 and self.load.fixed_schedule is not None:
            raise ValueError("session_turns_mean does not go with fixed_schedule: each line is one request")
        if self.input.turn_delay_ms and self.input.turns == 1:
            raise ValueError("session_turn_delay_mean takes session_turns_mean of at least 2")
        return self
