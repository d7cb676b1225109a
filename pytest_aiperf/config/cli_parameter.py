"""How an option is shown: its flags, its group in the help, where else it may be given."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final


class Groups(enum.StrEnum):
    """Groups of the help, in the order in which they are shown; one without options is not shown."""

    CONFIGURATION = "Configuration"
    ENDPOINT = "Endpoint"
    TRANSPORT = "Transport"
    LOAD_GENERATOR = "Load generator"
    WARMUP = "Warm-up"
    FIXED_SCHEDULE = "Fixed schedule"
    USER_CENTRIC = "User-centric load"
    REQUEST_CANCELLATION = "Request cancellation"
    WORKERS = "Workers"
    SERVICE = "Service"
    ZMQ_COMMUNICATION = "Communication of services"
    ISL = "Input sequence length"
    OSL = "Output sequence length"
    INPUT = "Input"
    CONVERSATION_INPUT = "Conversations"
    PROMPT = "Prompt"
    PREFIX_PROMPT = "Prefix prompt"
    RANKINGS = "Rankings"
    IMAGE_INPUT = "Image input"
    AUDIO_INPUT = "Audio input"
    VIDEO_INPUT = "Video input"
    SYNTHESIS = "Synthesis"
    TOKENIZER = "Tokenizer"
    ACCURACY = "Accuracy"
    GOODPUT = "Goodput"
    MULTI_RUN = "Runs"
    VERDICT = "Verdict"
    BASELINE = "Baseline"
    OUTPUT = "Output"
    UI = "User interface"
    HTTP_TRACE = "HTTP trace"
    GPU_TELEMETRY = "GPU telemetry"
    SERVER_METRICS = "Server metrics"


SELDOM: Final = frozenset(
    {
        Groups.PROMPT,
        Groups.PREFIX_PROMPT,
        Groups.RANKINGS,
        Groups.IMAGE_INPUT,
        Groups.AUDIO_INPUT,
        Groups.VIDEO_INPUT,
        Groups.TOKENIZER,
    }
)
"""Groups that ``pytest --help`` does not show: their options stand in markers, if anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CLIParameter:
    """The surface of one `CLIConfig` field."""

    name: tuple[str, ...]
    """Flags of the `profile` command; the first gives the pytest option: ``--isl`` is ``--aiperf-isl``."""
    group: Groups
    marker: bool = False
    """It describes a load: it may stand in the marker and in `aiperf.run(...)`."""
    metavar: str | None = None
    bare: str | None = None
    """The value when the flag stands alone, without ``=value``."""
    path: bool = False
    """It names a file or a folder: in a file it is relative to that file."""
