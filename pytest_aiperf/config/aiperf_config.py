"""The validated whole: what a measurement is told. Checks across fields live here and in its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import BaseConfig
from pytest_aiperf.config.endpoint_config import EndpointConfig
from pytest_aiperf.config.input_checks import problems_of
from pytest_aiperf.config.input_config import InputConfig
from pytest_aiperf.config.load_config import LoadConfig
from pytest_aiperf.config.tolerance import Tolerance


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
        given, load = self.input, self.load
        if load.prefill_concurrency is not None and not self.endpoint.streaming:
            raise ValueError("prefill_concurrency takes streaming: without it there is no first token")
        if given.turn_delay_ms and given.turns == 1 and not given.session_turns_stddev:
            raise ValueError("session_turn_delay_mean takes session_turns_mean of at least 2")
        if load.fixed_schedule is not None:
            self._check_replayed(load.fixed_schedule)
        elif given.input_file is None:
            alone = [name for name in _OF_A_FILE if name in given.unusual]
            if given.session_delay_ratio != 1 and not given.turn_delay_ms:
                raise ValueError(
                    "session_delay_ratio takes session_turn_delay_mean or a data file: there is no pause"
                )
            if alone:
                raise ValueError(f"{alone[0]} takes input_file or fixed_schedule; give both, or neither")
        return self

    def _check_replayed(self, schedule: str) -> None:
        """The file of a fixed schedule says what is asked, too."""
        if self.input.input_file is not None:
            raise ValueError("fixed_schedule names the data file itself: leave input_file out")
        if self.input.dataset_sampling_strategy is not None:
            raise ValueError(
                "dataset_sampling_strategy does not go with fixed_schedule: timestamps say the order"
            )
        problems = [*problems_of(dict(self.input.unusual) | {"input_file": schedule})]
        if problems:
            raise ValueError("; ".join(problems).replace("input_file", "fixed_schedule"))


_OF_A_FILE: Final = ("custom_dataset_type", "isl_block_size", "accuracy_grader")
"""Options that say something only of data that is read."""
