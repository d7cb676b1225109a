"""The part of the configuration that says what is asked: prompts that are made up, or data from files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.common.models import BaseConfig
from pytest_aiperf.config.dataset_options import DatasetOptions
from pytest_aiperf.config.input_checks import problems_of
from pytest_aiperf.config.media_options import MediaOptions
from pytest_aiperf.config.synthesis_options import SynthesisOptions


class InputConfig(MediaOptions, SynthesisOptions, DatasetOptions, BaseConfig):
    """What it is asked. Most of it is called and bounded as the options are, and declared there."""

    isl: int = Field(default=128, ge=1, description="Words of a prompt.")
    osl: int = Field(default=64, ge=1, description="Tokens asked for.")
    seed: int = Field(default=1, ge=0, description="Seed of the prompts and of their times.")
    cache_bust: bool = Field(default=False, description="Every run has its own beginnings of prompts.")
    turns: int = Field(default=1, ge=1, description="Requests of a conversation.")
    turn_delay_ms: FiniteFloat = Field(default=0.0, ge=0, description="Pause before a further turn.")

    @property
    def unusual(self) -> Mapping[str, Any]:
        """What is not its default, by field. What was set is another matter: a dumped configuration sets all."""
        fields = type(self).model_fields
        return {name: value for name, value in self if value != fields[name].default}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := list(problems_of(self.unusual)):
            raise ValueError("; ".join(problems))
        return self
