"""Options of prompts that are made up: how their lengths spread and what they share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups


class SynthesisOptions(BaseModel):
    """Synthetic prompts."""

    isl_stddev: Annotated[
        FiniteFloat,
        Field(
            ge=0,
            le=10000000,
            description="Standard deviation of the input length around isl; 0 gives every prompt the same.",
        ),
        CLIParameter(
            name=("--isl-stddev", "--prompt-input-tokens-stddev", "--synthetic-input-tokens-stddev"),
            group=Groups.ISL,
            marker=True,
            metavar="TOKENS",
        ),
    ] = 0.0
    isl_distribution: Annotated[
        Literal["normal", "lognormal"],
        Field(
            description="How input lengths spread around isl: normal, or lognormal with a long tail. "
            "Both have this mean and deviation."
        ),
        CLIParameter(name=("--isl-distribution",), group=Groups.ISL, marker=True, metavar="NAME"),
    ] = "normal"
    isl_block_size: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000000,
            description="Tokens of one block, where rows of a trace name blocks by hash ids. "
            "Default: that of the trace's kind.",
        ),
        CLIParameter(
            name=(
                "--isl-block-size",
                "--prompt-input-tokens-block-size",
                "--synthetic-input-tokens-block-size",
            ),
            group=Groups.ISL,
            marker=True,
            metavar="TOKENS",
        ),
    ] = None
    seq_dist: Annotated[
        str | None,
        Field(
            description="Mix of input and output lengths, in percent: 256,128:40;512|20,256|10:60. "
            "It replaces isl and osl."
        ),
        CLIParameter(
            name=("--seq-dist", "--sequence-distribution"), group=Groups.ISL, marker=True, metavar="DIST"
        ),
    ] = None
    osl_stddev: Annotated[
        FiniteFloat,
        Field(
            ge=0,
            le=10000000,
            description="Standard deviation of the output length around osl; 0 asks every request "
            "for the same.",
        ),
        CLIParameter(
            name=("--osl-stddev", "--prompt-output-tokens-stddev", "--output-tokens-stddev"),
            group=Groups.OSL,
            marker=True,
            metavar="TOKENS",
        ),
    ] = 0.0
    osl_distribution: Annotated[
        Literal["normal", "lognormal"],
        Field(description="How output lengths spread around osl: normal, or lognormal with a long tail."),
        CLIParameter(name=("--osl-distribution",), group=Groups.OSL, marker=True, metavar="NAME"),
    ] = "normal"
    prompt_batch_size: Annotated[
        int,
        Field(
            ge=1, le=100000, description="Texts in each request, for endpoints that take several: embeddings."
        ),
        CLIParameter(
            name=("--prompt-batch-size", "--batch-size-text", "--batch-size", "-b"),
            group=Groups.PROMPT,
            marker=True,
            metavar="N",
        ),
    ] = 1
    prefix_prompt_pool_size: Annotated[
        int,
        Field(
            ge=0,
            le=1000000,
            description="Distinct prefixes, of which each conversation begins with one: what a "
            "prefix cache can share. 0: none.",
        ),
        CLIParameter(
            name=("--prefix-prompt-pool-size", "--num-prefix-prompts", "--prompt-prefix-pool-size"),
            group=Groups.PREFIX_PROMPT,
            marker=True,
            metavar="N",
        ),
    ] = 0
    prefix_prompt_length: Annotated[
        int,
        Field(ge=0, le=10000000, description="Length of each prefix; isl is the length of what follows it."),
        CLIParameter(
            name=("--prefix-prompt-length", "--prompt-prefix-length"),
            group=Groups.PREFIX_PROMPT,
            marker=True,
            metavar="TOKENS",
        ),
    ] = 0
    shared_system_prompt_length: Annotated[
        int,
        Field(
            ge=0, le=10000000, description="Length of a made-up system prompt that all conversations share."
        ),
        CLIParameter(
            name=("--shared-system-prompt-length",), group=Groups.PREFIX_PROMPT, marker=True, metavar="TOKENS"
        ),
    ] = 0
    user_context_prompt_length: Annotated[
        int,
        Field(
            ge=0, le=10000000, description="Length of a text of its own with which each conversation begins."
        ),
        CLIParameter(
            name=("--user-context-prompt-length",), group=Groups.PREFIX_PROMPT, marker=True, metavar="TOKENS"
        ),
    ] = 0
    session_turns_stddev: Annotated[
        FiniteFloat,
        Field(
            ge=0, le=10000, description="Standard deviation of the number of turns around session_turns_mean."
        ),
        CLIParameter(
            name=("--session-turns-stddev", "--conversation-turn-stddev"),
            group=Groups.CONVERSATION_INPUT,
            marker=True,
            metavar="N",
        ),
    ] = 0.0
    session_turn_delay_stddev: Annotated[
        FiniteFloat,
        Field(
            ge=0, le=3600000, description="Standard deviation of the pause around session_turn_delay_mean."
        ),
        CLIParameter(
            name=("--session-turn-delay-stddev", "--conversation-turn-delay-stddev"),
            group=Groups.CONVERSATION_INPUT,
            marker=True,
            metavar="MS",
        ),
    ] = 0.0
    session_delay_ratio: Annotated[
        FiniteFloat,
        Field(ge=0, le=1000, description="Factor of all pauses between turns, also of those in the data."),
        CLIParameter(
            name=("--session-delay-ratio", "--conversation-turn-delay-ratio"),
            group=Groups.CONVERSATION_INPUT,
            marker=True,
            metavar="FACTOR",
        ),
    ] = 1.0
    rankings_passages_mean: Annotated[
        int,
        Field(ge=1, le=100000, description="Passages of each ranking request."),
        CLIParameter(name=("--rankings-passages-mean",), group=Groups.RANKINGS, marker=True, metavar="N"),
    ] = 10
    rankings_passages_stddev: Annotated[
        FiniteFloat,
        Field(ge=0, le=100000, description="Standard deviation of the number of passages."),
        CLIParameter(name=("--rankings-passages-stddev",), group=Groups.RANKINGS, marker=True, metavar="N"),
    ] = 0.0
    rankings_passages_prompt_token_mean: Annotated[
        int | None,
        Field(ge=1, le=10000000, description="Length of a passage. Default: isl."),
        CLIParameter(
            name=("--rankings-passages-prompt-token-mean",),
            group=Groups.RANKINGS,
            marker=True,
            metavar="TOKENS",
        ),
    ] = None
    rankings_passages_prompt_token_stddev: Annotated[
        FiniteFloat,
        Field(ge=0, le=10000000, description="Standard deviation of a passage's length."),
        CLIParameter(
            name=("--rankings-passages-prompt-token-stddev",),
            group=Groups.RANKINGS,
            marker=True,
            metavar="TOKENS",
        ),
    ] = 0.0
    rankings_query_prompt_token_mean: Annotated[
        int | None,
        Field(ge=1, le=10000000, description="Length of the query. Default: isl."),
        CLIParameter(
            name=("--rankings-query-prompt-token-mean",), group=Groups.RANKINGS, marker=True, metavar="TOKENS"
        ),
    ] = None
    rankings_query_prompt_token_stddev: Annotated[
        FiniteFloat,
        Field(ge=0, le=10000000, description="Standard deviation of the query's length."),
        CLIParameter(
            name=("--rankings-query-prompt-token-stddev",),
            group=Groups.RANKINGS,
            marker=True,
            metavar="TOKENS",
        ),
    ] = 0.0
