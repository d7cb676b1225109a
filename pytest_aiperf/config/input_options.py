"""Options that say what is asked, and what a good answer is."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.coercion import parse_mapping, parse_thresholds


class InputOptions(BaseModel):
    """Prompts, and what is expected of the answers."""

    isl: Annotated[
        int,
        Field(ge=1, le=10_000_000, description="Input sequence length: words of the synthetic prompt."),
        CLIParameter(
            name=("--isl", "--prompt-input-tokens-mean", "--synthetic-input-tokens-mean"),
            group=Groups.ISL,
            marker=True,
            metavar="TOKENS",
        ),
    ] = 128
    osl: Annotated[
        int,
        Field(ge=1, le=10_000_000, description="Output sequence length asked for, in tokens."),
        CLIParameter(
            name=("--osl", "--prompt-output-tokens-mean", "--output-tokens-mean"),
            group=Groups.OSL,
            marker=True,
            metavar="TOKENS",
        ),
    ] = 64
    extra_inputs: Annotated[
        dict[str, Any] | None,
        BeforeValidator(parse_mapping),
        Field(
            description="Further fields for every request body: key:value pairs separated by commas, "
            "or a JSON object, e.g. ignore_eos:true."
        ),
        CLIParameter(name=("--extra-inputs",), group=Groups.INPUT, marker=True, metavar="KEY:VALUE"),
    ] = None
    seed: Annotated[
        int,
        Field(
            ge=0,
            le=2**63 - 1,
            description="Seed of everything random: the same seed sends the same prompts at the same times.",
        ),
        CLIParameter(name=("--seed", "--random-seed"), group=Groups.INPUT, marker=True, metavar="N"),
    ] = 1
    cache_bust: Annotated[
        bool,
        Field(
            description="Every run has prompts with a beginning of their own, so that no prefix cache knows "
            "them."
        ),
        CLIParameter(name=("--cache-bust",), group=Groups.INPUT, marker=True),
    ] = False
    goodput: Annotated[
        dict[str, FiniteFloat] | None,
        BeforeValidator(parse_thresholds),
        Field(
            description="What a request must keep to be good, in the metrics' units: name:value pairs "
            "separated by spaces or commas, e.g. ttft:400 itl:20."
        ),
        CLIParameter(name=("--goodput",), group=Groups.GOODPUT, marker=True, metavar="METRIC:VALUE"),
    ] = None
