"""PYTEST_DONT_REWRITE. The options as pytest sees them: declared, checked at start-up, read back as layers.

Everything comes from the generated table; pydantic is not imported here.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_aiperf.pytest_plugin.option_table import OPTIONS, Option

if TYPE_CHECKING:
    from pytest_aiperf.config.loader.config_file import ConfigFile
    from pytest_aiperf.config.resolver import Layer

_TITLE: Final = (
    "performance of model-serving endpoints (pytest-aiperf); further options, of what is asked: "
    "pytest-aiperf profile --help"
)
INI_ONLY: Final = {
    "aiperf_tolerance": "Allowed worsening by metric, one a line: ttft.p99 = 15% or 5ms",
    "aiperf_judge": "false measures without a baseline (default: true)",
}
TRUE: Final = ("true", "yes", "on", "1")
FALSE: Final = ("false", "no", "off", "0")
_NOT_GIVEN: Final[tuple[object, ...]] = (None, "", [])
_BY_FIELD: Final = {option.field: option for option in OPTIONS}
_FILE: Final = pytest.StashKey["ConfigFile"]()


def add_options(parser: pytest.Parser) -> None:
    """Declare every option and ini key."""
    group = parser.getgroup("aiperf", _TITLE)
    for option in OPTIONS:
        _add(group, option)
        parser.addini(f"aiperf_{option.field}", f"as --aiperf-{option.flag}", default=None)
    parser.addini("aiperf_tolerance", INI_ONLY["aiperf_tolerance"], type="linelist", default=[])
    parser.addini("aiperf_judge", INI_ONLY["aiperf_judge"], default="true")


def _add(group: Any, option: Option) -> None:
    flag, dest = f"--aiperf-{option.flag}", f"aiperf_{option.field}"
    if option.kind == "bool":
        group.addoption(flag, dest=dest, action="store_true", default=None, help=_help(option))
        group.addoption(f"--aiperf-no-{option.flag}", dest=dest, action="store_false", help=argparse.SUPPRESS)
        return
    shown = option.metavar if option.kind != "choice" else "|".join(option.choices)
    extra: dict[str, Any] = {"nargs": "?", "const": option.bare} if option.bare is not None else {}
    group.addoption(
        flag, dest=dest, default=None, metavar=shown, type=_checker(option), help=_help(option), **extra
    )


def _help(option: Option) -> str:
    """Return what ``pytest --help`` shows: the options of a load are not all worth the space, nor the time."""
    return argparse.SUPPRESS if option.seldom else option.help


def _checker(option: Option) -> Callable[[str], str]:
    def check(text: str) -> str:
        problem = _problem(option, text)
        if problem:
            raise argparse.ArgumentTypeError(problem)
        return text

    return check


def check(config: pytest.Config) -> None:
    """Read the configuration file, where one is given; it is read once in each process.

    Raises:
        UsageError: an ini value, an environment variable or the file cannot be: exit status 4, before collection.
    """
    check_ini(config)
    if (given := value_of(config, "config_file")) is not None:
        from pytest_aiperf.pytest_plugin.config_file import read

        config.stash[_FILE] = read(config, str(given))


def check_ini(config: pytest.Config) -> None:
    """Raise a UsageError for an ini value or environment variable that cannot be; exit status 4, before collection."""
    for source, values in (("ini file", ini_values(config)), ("environment", environment_values())):
        for option in OPTIONS if values else ():
            text = values.get(option.field)
            problem = _problem(option, text) if isinstance(text, str) else None
            if problem:
                name = _name_in(source, option)
                raise pytest.UsageError(f"{source}: {name}: {problem}")
    tolerance_of(config)
    judges(config)


def _problem(option: Option, text: str) -> str | None:
    """Return why a text cannot be the option's value; what it takes to tell is imported where one is given."""
    from pytest_aiperf.pytest_plugin.option_checks import what_is_wrong

    return what_is_wrong(option, text)


def _name_in(source: str, option: Option) -> str:
    return f"AIPERF_{option.field.upper()}" if source == "environment" else f"aiperf_{option.field}"


def command_line_values(config: pytest.Config) -> Mapping[str, Any]:
    """Return the options given on the command line, by field."""
    given = {o.field: config.getoption(f"aiperf_{o.field}", None) for o in OPTIONS}
    return {field: value for field, value in given.items() if value is not None}


def environment_values() -> Mapping[str, str]:
    """Return the options given in the environment, by field: ``AIPERF_<FIELD>``."""
    given = {o.field: os.environ.get(f"AIPERF_{o.field.upper()}") for o in OPTIONS}
    return {field: value for field, value in given.items() if value}


def ini_values(config: pytest.Config) -> Mapping[str, Any]:
    """Return the options given in the ini file, by field."""
    given = {o.field: (o, config.getini(f"aiperf_{o.field}")) for o in OPTIONS}
    return {
        field: _below_root(config, value) if option.path else value
        for field, (option, value) in given.items()
        if value not in _NOT_GIVEN
    }


def _below_root(config: pytest.Config, value: str) -> str:
    """A path in the ini file does not depend on where pytest is started."""
    return os.path.normpath(config.rootpath / Path(value).expanduser())


def file_of(config: pytest.Config) -> ConfigFile | None:
    """Return the configuration file of this session, read; None without one."""
    return config.stash.get(_FILE, None)


def session_layers(config: pytest.Config) -> list[Layer]:
    """Return what is given beside the tests, strongest first."""
    from pytest_aiperf.config.resolver import Layer

    file = file_of(config)
    return [
        Layer("command line", command_line_values(config)),
        Layer("environment", environment_values()),
        Layer("ini file", ini_values(config)),
        *([file.layer] if file else []),
    ]


def value_of(config: pytest.Config, field: str) -> Any:
    """Return one plugin-level option by precedence: command line, environment, ini, configuration file; else None.

    A text; a bool from a flag, and what the file has may be a number.
    """
    given = config.getoption(f"aiperf_{field}", None)
    if given is not None:
        return given
    if text := os.environ.get(f"AIPERF_{field.upper()}"):
        return text
    if (text := config.getini(f"aiperf_{field}")) not in _NOT_GIVEN:
        return _below_root(config, text) if _BY_FIELD[field].path else text
    file = file_of(config)
    return file.values.get(field) if file else None


def flag_of(config: pytest.Config, field: str) -> bool:
    """Return a boolean plugin-level option."""
    value = value_of(config, field)
    return value.lower() in TRUE if isinstance(value, str) else bool(value)


def categories_of(config: pytest.Config) -> frozenset[str]:
    """Return what ``--aiperf-update`` names."""
    return frozenset(item for text in (value_of(config, "update") or "").split(",") if (item := text.strip()))


def tolerance_of(config: pytest.Config) -> Mapping[str, str]:
    """Return the tolerances by metric of the ini file.

    Raises:
        UsageError: a line is no pair; whether its parts can be is checked when a test measures.
    """
    lines = config.getini("aiperf_tolerance") or []
    pairs = [line.partition("=") for line in lines]
    bad = next((line for line, (_, equals, _) in zip(lines, pairs, strict=True) if not equals), None)
    if bad is not None:
        raise pytest.UsageError(f"ini file: aiperf_tolerance: {bad!r} is not 'metric.statistic = 5%'")
    return {name.strip(): value.strip() for name, _, value in pairs}


def judges(config: pytest.Config) -> bool:
    """Tell whether tests are judged that say nothing about it: the ini key ``aiperf_judge``.

    Raises:
        UsageError: it is neither true nor false.
    """
    text = str(config.getini("aiperf_judge")).lower() or "true"  # the `false` of a TOML file comes as "False"
    if text not in (*TRUE, *FALSE):
        raise pytest.UsageError(f"ini file: aiperf_judge: {text!r} is neither true nor false")
    return text in TRUE


def options_given(config: pytest.Config) -> Mapping[str, Any]:
    """Return every option that is given outside of tests, by field; those of the configuration file by its name."""
    return {**ini_values(config), **environment_values(), **command_line_values(config)}


def header(config: pytest.Config) -> str | None:
    """Return the header line; None when nothing of ours is in play."""
    given = options_given(config)
    if not given:
        return None
    endpoint = value_of(config, "endpoint") or "no endpoint"
    mode = "record" if categories_of(config) else value_of(config, "mode") or "check"
    shown = [
        key if key == "headers" else f"{key}={value}"  # what a header holds may be meant for the server alone
        for key, value in given.items()
        if key not in ("endpoint", "mode", "update")
    ]
    return f"aiperf: {', '.join([str(endpoint), str(mode), *shown])}"


def skip_when_off(config: pytest.Config) -> None:
    """Skip the test that calls it under ``--aiperf-mode=off``."""
    if value_of(config, "mode") == "off":
        pytest.skip("--aiperf-mode=off")
