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

from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.cli_parameter import Groups
from pytest_aiperf.config.option_table import parameter_of, rows

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
        """Return the flags that were given; ``--no-streaming`` is one."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}

    @classmethod
    def environment(cls) -> Mapping[str, str]:
        """Return what the environment gives of the same options: ``AIPERF_<FIELD>``."""
        found = {f.name: os.environ.get(f"AIPERF_{f.name.upper()}") for f in fields(cls)}
        return {name: text for name, text in found.items() if text}


def flags_of(names: Sequence[str]) -> type[Flags]:
    """Return a dataclass with a field for each of these options, for cyclopts to take apart."""
    by_field = {row["field"]: row for row in rows()}
    shown = {
        group: Group(group.value, sort_key=number) for number, group in enumerate(Groups)
    }  # in the order in which they are declared
    columns = [
        (
            name,
            Annotated[_type_of(by_field[name]), _parameter(name, by_field[name], shown)],
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


def flag_of(name: str) -> str:
    """Return what is typed for an option: ``--request-count``."""
    return parameter_of(CLIConfig.model_fields[name]).name[0]


def _type_of(row: Mapping[str, Any]) -> Any:
    if row["kind"] == "bool":
        return bool | None
    if row["kind"] == "choice":
        return Literal[row["choices"]] | None
    return str | None


def _parameter(name: str, row: Mapping[str, Any], shown: Mapping[Groups, Group]) -> Parameter:
    declared = parameter_of(CLIConfig.model_fields[name])
    return Parameter(
        name=declared.name,
        group=shown[declared.group],
        help=row["help"].replace("%%", "%"),
        negative=f"--no-{row['flag']}" if row["kind"] == "bool" else None,
        show_default=False,
    )


if TYPE_CHECKING:
    LoadFlags = Flags
else:
    LoadFlags = flags_of(LOAD_FIELDS)
