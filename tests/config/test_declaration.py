"""Every option is declared once (systems.md B1 to B4, B7) and what is generated from it is not stale."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin

import annotated_types
import pytest

import pytest_aiperf
from pytest_aiperf.common.finite import FiniteFloat
from pytest_aiperf.config import aiperf_config, coercion, tolerance
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.cli_parameter import CLIParameter, Groups
from pytest_aiperf.config.field_maps import KEYS
from pytest_aiperf.config.option_table import parameter_of, render_markdown, rows
from pytest_aiperf.config.section_fields import SECTIONS
from pytest_aiperf.pytest_plugin.option_table import OPTIONS, Option

PACKAGE = Path(pytest_aiperf.__file__).parent
FIELDS = CLIConfig.model_fields
MODELS = [
    m for m in vars(aiperf_config).values() if hasattr(m, "model_fields") and m.__name__.endswith("Config")
]


PATTERN_GROUPS = """
    ENDPOINT INPUT FIXED_SCHEDULE GOODPUT OUTPUT HTTP_TRACE TOKENIZER LOAD_GENERATOR WARMUP USER_CENTRIC
    REQUEST_CANCELLATION CONVERSATION_INPUT ISL OSL PROMPT PREFIX_PROMPT RANKINGS SYNTHESIS AUDIO_INPUT IMAGE_INPUT
    VIDEO_INPUT SERVICE SERVER_METRICS GPU_TELEMETRY UI WORKERS ZMQ_COMMUNICATION ACCURACY MULTI_RUN
"""


def test_b1_the_groups_of_the_pattern_document_exist_and_those_without_options_are_not_shown():
    names = PATTERN_GROUPS.split()
    assert len(names) == 29
    assert set(names) <= set(Groups.__members__)
    used = {parameter_of(field).group for field in FIELDS.values()}
    page = render_markdown()
    assert {group for group in Groups if f"\n## {group.value}\n" in page} == used


@pytest.mark.parametrize("name", FIELDS)
def test_b1_an_option_is_described_and_in_a_group(name):
    parameters = [item for item in FIELDS[name].metadata if isinstance(item, CLIParameter)]
    assert len(parameters) == 1
    assert isinstance(parameters[0].group, Groups)
    description = FIELDS[name].description
    assert description
    assert description[0].isupper() or description.startswith(("check:", "pooled:"))
    assert description.rstrip().endswith(".")


def test_b1_no_flag_is_declared_twice():
    flags = [flag for field in FIELDS.values() for flag in parameter_of(field).name]
    assert len(flags) == len(set(flags))
    assert all(re.fullmatch("--[a-z][a-z0-9-]*|-[a-zA-Z]", flag) for flag in flags)
    assert all(parameter_of(field).name[0].startswith("--") for field in FIELDS.values())


def test_b2_the_sections_are_disjoint_and_together_all_options():
    listed = [name for fields in SECTIONS.values() for name in fields]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(FIELDS)


def test_what_the_converter_puts_into_a_section_belongs_to_that_section():
    for option, (section, _) in KEYS.items():
        assert option in SECTIONS[section], option


def test_every_option_that_describes_a_load_reaches_the_configuration():
    # A second server is a configuration of its own: config.converter.elsewhere.
    for name in FIELDS.keys() - {"against"}:
        if parameter_of(FIELDS[name]).marker:
            assert name in KEYS


def test_b3_the_flat_options_have_no_validators_but_coercion_of_texts():
    decorators = CLIConfig.__pydantic_decorators__
    assert not decorators.field_validators
    assert not decorators.model_validators
    finite = get_args(FiniteFloat)[1:]
    for name, field in FIELDS.items():
        validators = [item for item in field.metadata if hasattr(item, "func") and item not in finite]
        assert all(item.func.__module__ == coercion.__name__ for item in validators), name


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


def test_b4_only_resolver_converter_and_surfaces_know_the_flat_options():
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


def test_b4_only_converter_option_table_and_surfaces_read_the_attributes_of_the_flat_options():
    sources = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    reading = {name for name, path in sources.items() if _options_read(path.read_text(encoding="utf-8"))}
    assert "config/converter.py" in reading
    assert [name for name in reading if not name.startswith((*READERS, *SURFACES))] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a = resolve(layers)\nb = a.concurrency", {"concurrency"}),
        ("resolve(layers).isl", {"isl"}),
        ("def f(options: CLIConfig): return options.osl", {"osl"}),
        ("def f(options: CLIConfig | None): return getattr(options, name)", {"getattr"}),
        ("for one in [resolve(layers)]:\n    one.seed", {"seed"}),
        ("a = [x.seed for x in (resolve(layers),)]", {"seed"}),
        ("a = resolve(layers)\nb = config.load.concurrency", set()),
    ],
)
def test_b4_the_search_finds_what_it_looks_for(source, found):
    assert _options_read(source) == found


def _options_read(source):
    """Attributes that are read of what `resolve` returned, or of an argument that is said to be a `CLIConfig`."""
    nodes = [*ast.walk(ast.parse(source))]
    names = {name for node in nodes for name in _flat_names(node)}
    calls = [
        n
        for n in nodes
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "getattr"
    ]
    read = [n for n in nodes if isinstance(n, ast.Attribute) and n.attr in FIELDS]
    return {"getattr" for call in calls if _is_flat(call.args[0], names)} | {
        node.attr for node in read if _is_flat(node.value, names)
    }


def _flat_names(node):
    """Names that this node binds to flat options."""
    if isinstance(node, ast.Assign) and _is_flat(node.value):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, (ast.For, ast.comprehension)) and _is_flat(node.iter):
        return {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
    if isinstance(node, ast.arg) and node.annotation and "CLIConfig" in ast.unparse(node.annotation):
        return {node.arg}
    return set()


def _is_flat(node, names=frozenset()):
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, (ast.List, ast.Tuple)):
        return any(_is_flat(item) for item in node.elts)
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("resolve", "CLIConfig")
    )


def _mentions(path, name):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.alias) and node.name == name)
        for node in ast.walk(tree)
    )


def test_b7_the_table_for_pytest_holds_what_the_options_say():
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


def test_b7_the_page_of_options_holds_what_the_options_say():
    page = Path(__file__).resolve().parents[2] / "docs" / "cli-options.md"
    assert page.read_text(encoding="utf-8").split() == render_markdown().split()


def test_the_page_of_options_has_a_row_for_every_option():
    page = render_markdown()
    for row in rows():
        assert f"`--aiperf-{row['flag']}" in page
        assert f"`aiperf_{row['field']}`" in page
