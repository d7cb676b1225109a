"""The flags of `profile`: those of a load, and of what is said of it; each under the names that it is declared with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from pytest_aiperf.cli_commands.load_flags import LOAD_FIELDS, Flags, flags_of
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.option_table import parameter_of, rows

PROFILE_FIELDS: Final = (
    "config_file",
    *LOAD_FIELDS,
    "against",
    "mode",
    "alpha",
    "max_time",
    "max_mde",
    "strict",
    "isolation",
    "json_path",
    "markdown_path",
    "artifacts",
)

if TYPE_CHECKING:
    ProfileFlags = Flags
else:
    ProfileFlags = flags_of(PROFILE_FIELDS, greedy=True)


def metavars() -> Mapping[str, str]:
    """Return the word for the value of each flag: ``--isl`` has ``TOKENS``."""
    words = {
        row["field"]: row.get("metavar") or "|".join(row.get("choices", ()))
        for row in rows()
        if row["kind"] != "bool"
    }
    return {
        flag: words[field]
        for field in PROFILE_FIELDS
        if words.get(field)
        for flag in parameter_of(CLIConfig.model_fields[field]).name
    }


def in_flags_of_profile(text: str) -> str:
    """Return a message with this command's flags: ``--max-time`` where it has pytest's ``--aiperf-max-time``."""
    return _PYTESTS.sub(lambda found: f"--{found[1]}" if found[1] in _KNOWN else found[0], text)


_PYTESTS: Final = re.compile(r"--aiperf-([a-z][a-z-]*)")
_KNOWN: Final = frozenset(
    parameter_of(CLIConfig.model_fields[field]).name[0].removeprefix("--") for field in PROFILE_FIELDS
)
