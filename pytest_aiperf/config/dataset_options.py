"""Options of data that is read from files, and of text that stands before every prompt."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pytest_aiperf.config.cli_parameter import CLIParameter, Groups


class DatasetOptions(BaseModel):
    """What is asked, where it is not made up here."""

    input_file: Annotated[
        str | None,
        Field(
            description="File or folder with the requests: JSON Lines of a known shape, see docs/datasets.md."
        ),
        CLIParameter(name=("--input-file",), group=Groups.INPUT, marker=True, metavar="PATH", path=True),
    ] = None
    custom_dataset_type: Annotated[
        str | None,
        Field(
            description="Shape of the input file: a registered dataset loader. Default: told by its "
            "first line."
        ),
        CLIParameter(name=("--custom-dataset-type",), group=Groups.INPUT, marker=True, metavar="NAME"),
    ] = None
    dataset_sampling_strategy: Annotated[
        str | None,
        Field(
            description="In which order conversations of the data are used: a registered sampler. "
            "Default: sequential."
        ),
        CLIParameter(name=("--dataset-sampling-strategy",), group=Groups.INPUT, marker=True, metavar="NAME"),
    ] = None
    num_dataset_entries: Annotated[
        int | None,
        Field(
            ge=1,
            le=10000000,
            description="Distinct conversations of synthetic data; they come again after the last. "
            "Default: each request has its own.",
        ),
        CLIParameter(
            name=("--num-dataset-entries", "--num-prompts"),
            group=Groups.CONVERSATION_INPUT,
            marker=True,
            metavar="N",
        ),
    ] = None
    system_prompt: Annotated[
        str | None,
        Field(description="System prompt of every conversation, as it is."),
        CLIParameter(name=("--system-prompt",), group=Groups.PREFIX_PROMPT, marker=True, metavar="TEXT"),
    ] = None
    system_prompt_file: Annotated[
        str | None,
        Field(description="UTF-8 file with the system prompt of every conversation."),
        CLIParameter(
            name=("--system-prompt-file",),
            group=Groups.PREFIX_PROMPT,
            marker=True,
            metavar="PATH",
            path=True,
        ),
    ] = None
    tokenizer: Annotated[
        str | None,
        Field(
            description="Local tokenizer.json by which synthetic prompts are made exact in length. "
            "Default: none; words of about one token each. Nothing is ever downloaded."
        ),
        CLIParameter(name=("--tokenizer",), group=Groups.TOKENIZER, marker=True, metavar="PATH", path=True),
    ] = None
    accuracy_grader: Annotated[
        Literal["exact", "regex", "choice"] | None,
        Field(
            description="How answers are held against the expected ones of the data: exact, regex or "
            "choice. Default: what a row says, else exact."
        ),
        CLIParameter(name=("--accuracy-grader",), group=Groups.ACCURACY, marker=True, metavar="NAME"),
    ] = None
