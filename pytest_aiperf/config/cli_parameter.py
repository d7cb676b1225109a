"""How an option is shown: its flags, its group in the help, where else it may be given."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Groups(enum.StrEnum):
    """Groups of the help, in the order in which they are shown."""

    ENDPOINT = "Endpoint"
    TRANSPORT = "Transport"
    LOAD_GENERATOR = "Load generator"
    WARMUP = "Warm-up"
    FIXED_SCHEDULE = "Fixed schedule"
    USER_CENTRIC = "User-centric load"
    REQUEST_CANCELLATION = "Request cancellation"
    WORKERS = "Workers"
    ISL = "Input sequence length"
    OSL = "Output sequence length"
    INPUT = "Input"
    CONVERSATION_INPUT = "Conversations"
    GOODPUT = "Goodput"
    MULTI_RUN = "Runs"
    VERDICT = "Verdict"
    BASELINE = "Baseline"
    OUTPUT = "Output"


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
