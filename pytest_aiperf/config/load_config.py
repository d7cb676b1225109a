"""The part of the configuration that says when requests are sent."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import BaseConfig

LoadMode = Literal["concurrency", "request_rate", "fixed_schedule", "user_centric"]
DEFAULT_REQUESTS: Final = 200
DEFAULT_WARM_UP: Final = 20


class LoadConfig(BaseConfig):
    """How it is loaded. What was not given and follows from the rest is filled in."""

    concurrency: int | None = Field(
        default=None, ge=1, description="Most requests in flight; None: no limit (open loop only)."
    )
    prefill_concurrency: int | None = Field(
        default=None, ge=1, description="Most requests that wait for their first token."
    )
    concurrency_ramp_s: FiniteFloat | None = Field(
        default=None, gt=0, description="How long the concurrency grows."
    )
    ramp_shape: Literal["linear", "exponential"] = Field(default="linear", description="How ramps grow.")
    request_rate: FiniteFloat | None = Field(default=None, gt=0, description="Requests per second.")
    arrival_pattern: Literal["constant", "poisson", "gamma"] = Field(
        default="poisson", description="Distribution of the times between requests."
    )
    arrival_smoothness: FiniteFloat | None = Field(default=None, gt=0, description="Shape of the gamma.")
    request_rate_ramp_s: FiniteFloat | None = Field(default=None, gt=0, description="How long it grows.")
    request_count: int | None = Field(
        default=None, ge=1, description="Measured requests per run; None: duration or schedule decide."
    )
    duration_s: FiniteFloat | None = Field(
        default=None, gt=0, description="Nothing is sent after this long; None: the requests decide."
    )
    grace_period_s: FiniteFloat = Field(
        default=30.0, ge=0, description="What is in flight then may take so long to end."
    )
    warm_up: int | None = Field(default=None, ge=0, description="Requests before the measured ones.")
    workers: int = Field(default=1, ge=0, description="Load processes; 0: as many as needed.")
    fixed_schedule: str | None = Field(default=None, description="JSONL file of timestamps.")
    schedule_start_ms: int | None = Field(default=None, ge=0, description="First timestamp of the run.")
    schedule_end_ms: int | None = Field(default=None, ge=0, description="Last timestamp of the run.")
    schedule_auto_offset: bool = Field(default=False, description="Begin with the first timestamp.")
    schedule_speedup: FiniteFloat | None = Field(default=None, gt=0, description="Replayed so much faster.")
    user_centric_rate: FiniteFloat | None = Field(
        default=None, gt=0, description="Requests per second of all users together."
    )
    num_users: int | None = Field(default=None, ge=1, description="Users of the user-centric load.")
    cancellation_percent: FiniteFloat | None = Field(
        default=None, ge=0, le=100, description="Share of the measured requests that are cancelled."
    )
    cancellation_delay_s: FiniteFloat | None = Field(
        default=None, ge=0, description="How long after they were sent."
    )

    @property
    def mode(self) -> LoadMode:
        """What decides when a request is sent."""
        if self.fixed_schedule is not None:
            return "fixed_schedule"
        if self.user_centric_rate is not None:
            return "user_centric"
        return "concurrency" if self.request_rate is None else "request_rate"

    @property
    def open_loop(self) -> bool:
        """Requests have times of their own."""
        return self.mode != "concurrency"

    @property
    def warm_up_requests(self) -> int:
        """Requests of a run that are dropped at its start."""
        if self.warm_up is not None:
            return self.warm_up
        return max(DEFAULT_WARM_UP, 2 * (self.concurrency or 0))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_mode()
        self._check_companions()
        if (
            self.schedule_start_ms is not None
            and self.schedule_end_ms is not None
            and self.schedule_start_ms > self.schedule_end_ms
        ):
            raise ValueError(
                f"fixed_schedule_start_offset={self.schedule_start_ms} lies after "
                f"fixed_schedule_end_offset={self.schedule_end_ms}"
            )
        return self._filled_in()

    def _check_mode(self) -> None:
        given = [name for name in ("request_rate", "user_centric_rate", "fixed_schedule") if self._has(name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are different loads; give one of them")
        if self.schedule_auto_offset and self.schedule_start_ms is not None:
            raise ValueError(
                "fixed_schedule_auto_offset and fixed_schedule_start_offset say different things; give one of them"
            )
        if (
            self.prefill_concurrency is not None
            and self.concurrency is not None
            and self.prefill_concurrency > self.concurrency
        ):
            raise ValueError(
                f"prefill_concurrency={self.prefill_concurrency} is more than concurrency={self.concurrency}"
            )

    def _check_companions(self) -> None:
        """An option that only says something about another one is a mistake without it."""
        if self.arrival_smoothness is not None and self.arrival_pattern != "gamma":
            raise ValueError("arrival_smoothness takes arrival_pattern=gamma")
        for name, needs in _COMPANIONS.items():
            if self._has(name) and not self._has(needs):
                raise ValueError(f"{_OPTION.get(name, name)} takes {_OPTION.get(needs, needs)}; give both")

    def _has(self, name: str) -> bool:
        return getattr(self, name) not in (None, False)

    def _filled_in(self) -> Self:
        """Fill in what is the default of this mode: `object.__setattr__`, because the model is frozen for others."""
        if self.concurrency is None and not self.open_loop:
            object.__setattr__(self, "concurrency", 1)
        if self.request_count is None and self.duration_s is None and self.fixed_schedule is None:
            object.__setattr__(self, "request_count", DEFAULT_REQUESTS)
        return self


_COMPANIONS: Final = {
    "arrival_smoothness": "request_rate",
    "request_rate_ramp_s": "request_rate",
    "concurrency_ramp_s": "concurrency",
    "schedule_start_ms": "fixed_schedule",
    "schedule_end_ms": "fixed_schedule",
    "schedule_auto_offset": "fixed_schedule",
    "schedule_speedup": "fixed_schedule",
    "user_centric_rate": "num_users",
    "num_users": "user_centric_rate",
    "cancellation_delay_s": "cancellation_percent",
}
_OPTION: Final = {
    "request_rate_ramp_s": "request_rate_ramp_duration",
    "concurrency_ramp_s": "concurrency_ramp_duration",
    "schedule_start_ms": "fixed_schedule_start_offset",
    "schedule_end_ms": "fixed_schedule_end_offset",
    "schedule_auto_offset": "fixed_schedule_auto_offset",
    "schedule_speedup": "fixed_schedule_speedup",
    "cancellation_percent": "request_cancellation_rate",
    "cancellation_delay_s": "request_cancellation_delay",
}
"""What people type, where the configuration calls it otherwise."""
