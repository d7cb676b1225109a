"""The options that describe a load, as flags of a command: generated from their one declaration in `CLIConfig`.

A command takes them as one argument, ``load: Annotated[LoadFlags | None, Parameter(name="*")] = None``. Values stay the
texts that were typed: whoever merges them with what other places give reads them, and forms the messages. That costs
the import of pydantic (0.1 s), nothing of numpy, and happens only when such a command is run or asked for its help.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Group, Parameter

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.cli_parameter import Groups
from pytest_aiperf.config.coercion import parse_headers, parse_mapping, parse_thresholds
from pytest_aiperf.config.option_table import parameter_of, rows

_URLS: Final = ("endpoint", "against")
_PAIRS: Final = {"mapping": parse_mapping, "thresholds": parse_thresholds, "headers": parse_headers}
_NOT_OF_A_LOAD: Final = ("against",)
"""A keyword of the marker, because a test may have it; it says what a load is compared with."""
LOAD_FIELDS: Final = (
    "endpoint",
    *(
        name
        for name, declared in CLIConfig.model_fields.items()
        if parameter_of(declared).marker and name not in _NOT_OF_A_LOAD
    ),
)


@dataclass(frozen=True)
class Flags:
    """What was given of some options, by field: texts, and bools of flags that take no value."""

    def given(self) -> Mapping[str, Any]:
        """Return the flags that were given; ``--no-streaming`` is one, and 0 is a value.

        Raises:
            ConfigurationError: a flag was given several times, with values that cannot be put together.
        """
        found = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return {
            name: _together(name, value) if isinstance(value, tuple) else value
            for name, value in found.items()
        }

    @classmethod
    def environment(cls) -> Mapping[str, str]:
        """Return what the environment gives of the same options: ``AIPERF_<FIELD>``."""
        found = {f.name: os.environ.get(f"AIPERF_{f.name.upper()}") for f in fields(cls)}
        return {name: text for name, text in found.items() if text}


def flags_of(names: Sequence[str], *, greedy: bool = False) -> type[Flags]:
    """Return a dataclass with a field for each of these options, for cyclopts to take apart.

    Args:
        names: fields of `CLIConfig`.
        greedy: a flag that may be given several times takes all values that follow it; for commands without arguments
            of their own.
    """
    by_field = {row["field"]: row for row in rows()}
    columns = [
        (
            name,
            Annotated[_type_of(by_field[name]), _parameter(name, by_field[name], greedy=greedy)],
            field(default=None),
        )
        for name in names
    ]
    return make_dataclass(
        "LoadFlags",
        columns,
        bases=(Flags,),
        namespace={"__module__": __name__},  # else `types`, whose classes cyclopts takes for built-in ones
        frozen=True,
        kw_only=True,
    )


def shown_group(group: Groups) -> Group:
    """Return a group of the help; they stand in the order in which they are declared."""
    return Group(group.value, sort_key=list(Groups).index(group))


def flag_of(name: str) -> str:
    """Return what is typed for an option: ``--request-count``."""
    return parameter_of(CLIConfig.model_fields[name]).name[0]


def _together(name: str, texts: tuple[str, ...]) -> Any:
    """Return the values of a flag that was given several times as one: pairs in one mapping, URLs in one text."""
    parse = _PAIRS.get(_row(name)["kind"])
    if len(texts) == 1 or parse is None:
        return ",".join(texts)
    try:
        return {key: value for text in texts for key, value in parse(text).items()}  # type: ignore[attr-defined]  # a dict
    except ValueError as error:
        raise ConfigurationError(f"{flag_of(name)}: {error}") from None


def _several(row: Mapping[str, Any]) -> bool:
    return row["kind"] in _PAIRS or row["field"] in _URLS


def _row(name: str) -> Mapping[str, Any]:
    return next(row for row in rows() if row["field"] == name)


def _type_of(row: Mapping[str, Any]) -> Any:
    if _several(row):
        return tuple[str, ...] | None
    if row["kind"] == "bool":
        return bool | None
    if row["kind"] == "choice":
        return Literal[row["choices"]] | None
    return str | None


def _parameter(name: str, row: Mapping[str, Any], *, greedy: bool) -> Parameter:
    declared = parameter_of(CLIConfig.model_fields[name])
    return Parameter(
        name=declared.name,
        group=shown_group(declared.group),
        help=row["help"].replace("%%", "%"),
        negative=f"--no-{row['flag']}" if row["kind"] == "bool" else (),
        consume_multiple=greedy and _several(row),
        show_default=False,
    )


if TYPE_CHECKING:
    LoadFlags = Flags
else:
    LoadFlags = flags_of(LOAD_FIELDS)
