"""What a window says of each quantity: plain data, finite, for a document and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import AIPerfBaseModel
from pytest_aiperf.server_metrics import quantities as q


class GaugeFigure(AIPerfBaseModel):
    """What was so, over time."""

    kind: Literal["gauge"] = Field(default="gauge", description="Mean and maximum over time.")
    mean: FiniteFloat = Field(description="Each sample counts for the time that is nearest to it.")
    max: FiniteFloat = Field(description="The largest sample; what lay between samples is not seen.")
    samples: int = Field(ge=1, description="Samples inside the window.")


class CounterFigure(AIPerfBaseModel):
    """What happened, how often."""

    kind: Literal["counter"] = Field(default="counter", description="A counter's growth.")
    delta: FiniteFloat = Field(ge=0, description="How far it went over the span of its page.")
    per_s: FiniteFloat = Field(ge=0, description="That, per second of the span.")


class Quantile(AIPerfBaseModel):
    """A quantile, as well as a page tells it."""

    value: FiniteFloat | None = Field(
        default=None, description="Interpolated in its bucket; absent where the bucket has no upper edge."
    )
    low: FiniteFloat | None = Field(default=None, description="Lower edge of its bucket: it is not less.")
    high: FiniteFloat | None = Field(default=None, description="Upper edge of its bucket: it is not more.")


class TimesFigure(AIPerfBaseModel):
    """How long something took, seconds."""

    kind: Literal["times"] = Field(default="times", description="Times in seconds.")
    count: FiniteFloat | None = Field(
        default=None, ge=0, description="How many; absent where it is not told."
    )
    sum: FiniteFloat | None = Field(default=None, description="All of them together.")
    mean: FiniteFloat | None = Field(default=None, description="Sum by count: exact, unlike the quantiles.")
    quantiles: dict[str, Quantile] = Field(default_factory=dict, description="By name: p50, p90, p99.")


Figure = Annotated[GaugeFigure | CounterFigure | TimesFigure, Field(discriminator="kind")]


class PageSpan(AIPerfBaseModel):
    """Which samples of a page a window rests on."""

    url: str = Field(description="The page, without its query.")
    server: str | None = Field(default=None, description="The server whose names are on it.")
    samples: int = Field(ge=0, description="Samples between the two below, these included.")
    before_s: FiniteFloat = Field(description="First sample before the window's start; negative: behind it.")
    after_s: FiniteFloat = Field(description="Last sample behind the window's end; negative: before it.")
    restarted: bool = Field(default=False, description="Counters went back, or the server's start changed.")


class ServerWindow(AIPerfBaseModel):
    """What the servers said of themselves over a window."""

    span_s: FiniteFloat = Field(ge=0, description="Length of the window.")
    figures: dict[str, Figure] = Field(default_factory=dict, description="By name of the quantity.")
    pages: tuple[PageSpan, ...] = Field(default=(), description="What they rest on.")
    notes: tuple[str, ...] = Field(default=(), description="What is missing, and why; a sentence each.")

    def to_builtin(self) -> dict[str, Any]:
        """Return it JSON-ready, what is absent left out."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def from_builtin(cls, stored: Mapping[str, Any]) -> Self:
        """Return what `to_builtin` gave.

        Raises:
            pydantic.ValidationError: it is not of that form.
        """
        return cls.model_validate(stored)

    def gauge(self, name: str) -> GaugeFigure | None:
        """Return a gauge of this window, None where it is not told."""
        figure = self.figures.get(name)
        return figure if isinstance(figure, GaugeFigure) else None

    def counter(self, name: str) -> CounterFigure | None:
        """Return a counter of this window, None where it is not told."""
        figure = self.figures.get(name)
        return figure if isinstance(figure, CounterFigure) else None

    def times(self, name: str) -> TimesFigure | None:
        """Return times of this window, None where they are not told."""
        figure = self.figures.get(name)
        return figure if isinstance(figure, TimesFigure) else None

    @property
    def hit_rate(self) -> float | None:
        """Share of the prompts that was found in the prefix cache: by the counters, else as the server tells it."""
        hits, queries = self.counter(q.CACHE_HITS), self.counter(q.CACHE_QUERIES)
        if hits is not None and queries is not None:
            return min(hits.delta / queries.delta, 1.0) if queries.delta else None
        told = self.gauge(q.HIT_RATE)
        return None if told is None else told.mean

    @property
    def restarted(self) -> bool:
        """Whether a server was restarted within it."""
        return any(page.restarted for page in self.pages)
