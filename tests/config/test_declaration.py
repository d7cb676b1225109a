"""Every option is declared once (systems.md B1, B2, B4, B7) and what is generated from it is not stale."""

from __future__ import annotations

import ast
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin

import annotated_types
import pytest

import pytest_aiperf
from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config import aiperf_config, tolerance
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.converter import _KEYS
from pytest_aiperf.config.option_table import parameter_of, render_markdown, rows
from pytest_aiperf.config.section_fields import SECTIONS
from pytest_aiperf.pytest_plugin.option_table import OPTIONS, Option

PACKAGE = Path(pytest_aiperf.__file__).parent
FIELDS = CLIConfig.model_fields
MODELS = [
    m for m in vars(aiperf_config).values() if hasattr(m, "model_fields") and m.__name__.endswith("Config")
]


@pytest.mark.parametrize("name", FIELDS)
def test_an_option_is_described_and_in_a_group(name):
    parameters = [item for item in FIELDS[name].metadata if isinstance(item, CLIParameter)]
    assert len(parameters) == 1
    assert isinstance(parameters[0].group, Groups)
    description = FIELDS[name].description
    assert description
    assert description[0].isupper() or description.startswith(("check:", "pooled:"))
    assert description.rstrip().endswith(".")


def test_no_flag_is_declared_twice():
    flags = [flag for field in FIELDS.values() for flag in parameter_of(field).name]
    assert len(flags) == len(set(flags))
    assert all(flag.startswith("--") and flag == flag.lower() and "_" not in flag for flag in flags)


def test_the_sections_are_disjoint_and_together_all_options():
    listed = [name for fields in SECTIONS.values() for name in fields]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(FIELDS)


def test_what_the_converter_puts_into_a_section_belongs_to_that_section():
    for option, (section, _) in _KEYS.items():
        assert option in SECTIONS[section], option


def test_every_option_that_describes_a_load_reaches_the_configuration():
    # A second server is a configuration of its own: config.converter.elsewhere.
    for name in FIELDS.keys() - {"against"}:
        if parameter_of(FIELDS[name]).marker:
            assert name in _KEYS


def _members(annotation):
    return set(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else {annotation}


@pytest.mark.parametrize("name", [n for n in FIELDS if _members(FIELDS[n].annotation) & {int, float}])
def test_a_number_is_finite_and_bounded(name):
    kinds, metadata = _members(FIELDS[name].annotation), FIELDS[name].metadata
    assert any(isinstance(m, (annotated_types.Ge, annotated_types.Gt)) for m in metadata)
    assert any(isinstance(m, (annotated_types.Le, annotated_types.Lt)) for m in metadata)
    if float in kinds:
        assert set(get_args(FiniteFloat)[1:]) <= set(metadata)


@pytest.mark.parametrize("model", [*MODELS, tolerance.Tolerance], ids=lambda m: m.__name__)
def test_every_field_of_the_configuration_is_described(model):
    assert all(field.description for field in model.model_fields.values())


HOME = "config/cli_config.py"
READERS = ("config/resolver.py", "config/converter.py", "config/option_table.py")
SURFACES = ("pytest_plugin/", "cli_commands/", "cli.py")


def test_only_resolver_converter_and_surfaces_know_the_flat_options():
    sources = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    outsiders = {
        name: path for name, path in sources.items() if not name.startswith((HOME, *READERS, *SURFACES))
    }
    assert len(outsiders) > 50
    guilty = [name for name, path in outsiders.items() if _mentions(path, "CLIConfig")]
    assert guilty == []
    assert all(
        _mentions(sources[name], "CLIConfig") for name in READERS
    )  # the search finds what it looks for


def _mentions(path, name):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.alias) and node.name == name)
        for node in ast.walk(tree)
    )


def test_the_table_for_pytest_holds_what_the_options_say():
    assert [_given(option) for option in OPTIONS] == list(rows())


def _given(option):
    required = ("field", "flag", "kind", "group", "help")
    bare = Option(**dict.fromkeys(required, ""))
    named = (*required, *(name for name in Option.__slots__ if name not in required))
    return {
        name: value
        for name in named
        if (value := getattr(option, name)) != getattr(bare, name) or name in required
    }


def test_the_page_of_options_holds_what_the_options_say():
    page = Path(__file__).resolve().parents[2] / "docs" / "cli-options.md"
    assert page.read_text(encoding="utf-8").split() == render_markdown().split()


def test_the_page_of_options_has_a_row_for_every_option():
    page = render_markdown()
    for row in rows():
        assert f"`--aiperf-{row['flag']}" in page
        assert f"`aiperf_{row['field']}`" in page
