"""The sections and keys of a file, and the option that each stands for. Nothing has two names here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from pydantic.alias_generators import to_camel

from pytest_aiperf.common.errors import did_you_mean
from pytest_aiperf.config.field_maps import KEYS
from pytest_aiperf.config.option_table import rows
from pytest_aiperf.config.section_fields import SECTIONS

SCHEMA_VERSION: Final = "1.0"
VERSION_KEY: Final = "schemaVersion"
VARIABLES_KEY: Final = "variables"
FURTHER_URLS: Final = "further_urls"
NOT_OPTIONS: Final = {"endpoint": (FURTHER_URLS,), "verdict": ("tolerance", "metrics")}
"""Keys that no option stands for: what they say is given in another way elsewhere."""
FILE_SECTIONS: Final = tuple(name for name in SECTIONS if name != "configuration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of the file."""

    section: str
    name: str
    """In snake_case."""
    kind: str
    """What its value is, as in the option table."""

    @property
    def shown(self) -> str:
        """As it is written."""
        return to_camel(self.name)


@cache
def keys_by_option() -> Mapping[str, Key]:
    """Return the key of every option that may stand in a file; of a key without one, by its own name."""
    kinds = {row["field"]: row["kind"] for row in rows()}
    own = {"endpoint": ("endpoint", "url")} | dict(KEYS)
    places = {
        option: own.get(option, (section, option))
        for section in FILE_SECTIONS
        for option in SECTIONS[section]
    }
    ordered = [option for option in kinds if option in places]  # as the options are declared
    found = {
        option: Key(section=places[option][0], name=places[option][1], kind=kinds[option])
        for option in ordered
    }
    more = ((section, name) for section, names in NOT_OPTIONS.items() for name in names)
    return found | {name: Key(section=section, name=name, kind="free") for section, name in more}


@cache
def options_by_key(section: str) -> Mapping[str, str]:
    """Return the options of a section by their keys, in snake_case and in camelCase."""
    members = {option: key for option, key in keys_by_option().items() if key.section == section}
    return {name: option for option, key in members.items() for name in (key.name, key.shown)}


@cache
def path_options() -> frozenset[str]:
    """Return the options whose values are files or folders."""
    return frozenset(row["field"] for row in rows() if row.get("path"))


def unknown_key(section: str, name: str) -> str:
    """Return what is said of a key that is none of a section: where it belongs, or the nearest one."""
    flags = {row["flag"].replace("-", "_"): row["field"] for row in rows()}
    options = flags | {shown: option for option in keys_by_option() for shown in (option, to_camel(option))}
    elsewhere = next((other for other in FILE_SECTIONS if name in options_by_key(other)), None)
    if (option := options.get(name.removeprefix("--").replace("-", "_"))) in keys_by_option():
        key = keys_by_option()[str(option)]
        flag = next((row["flag"] for row in rows() if row["field"] == option), option)
        return f"unknown key; the option {flag} is {key.section}.{key.shown} here"
    if elsewhere is not None:
        return f"unknown key in this section; it belongs to the section {elsewhere}"
    shown = {keys_by_option()[option].shown for option in options_by_key(section).values()}
    return f"unknown key{did_you_mean(name, sorted(shown))}"


def unknown_section(name: str) -> str:
    """Return what is said of a key at the top level that is none: the section of the option, or the nearest one."""
    if (
        owner := next((section for section in FILE_SECTIONS if name in options_by_key(section)), None)
    ) is not None:
        return f"unknown key; it belongs into the section {owner}"
    known = (VERSION_KEY, VARIABLES_KEY, *FILE_SECTIONS)
    return f"unknown key{did_you_mean(name, known)}; there is: {', '.join(known)}"
