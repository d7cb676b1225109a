"""No NaN gets out (systems.md I5, I6): mechanical checks of the whole package.

What breaks a rule for a reason stands in `finite_exceptions.txt`, a line each. The file may only shrink: a line that is
not needed any more fails the test too.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from all_models import models
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import pytest_aiperf
from pytest_aiperf.common.finite import FiniteFloat

PACKAGE = Path(pytest_aiperf.__file__).parent
EXCEPTIONS = Path(__file__).with_name("finite_exceptions.txt")
WRITERS = ("baseline", "exporters", "post_processors", "plot")
"""Packages that write figures."""
MEANS = {"mean", "std", "average", "var"}


def listed(rule: str) -> Counter[str]:
    lines = [
        line.split(maxsplit=1) for line in EXCEPTIONS.read_text().splitlines() if line and line[0] != "#"
    ]
    return Counter(where for kind, where in lines if kind == rule)


def calls(folder: Path) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.relative_to(PACKAGE).as_posix(), node


def called(node: ast.Call) -> tuple[str, str]:
    """What is called, of what: ``("orjson", "dumps")``."""
    if isinstance(node.func, ast.Attribute):
        return (node.func.value.id if isinstance(node.func.value, ast.Name) else "", node.func.attr)
    return "", node.func.id if isinstance(node.func, ast.Name) else ""


def is_scrubbed(node: ast.Call) -> bool:
    refuses = any(k.arg == "allow_nan" and getattr(k.value, "value", True) is False for k in node.keywords)
    first = node.args[0] if node.args else None
    return refuses or (isinstance(first, ast.Call) and called(first)[1] == "scrub_non_finite")


def test_what_writes_json_of_figures_scrubs_them_or_refuses_nan():
    """I6."""
    found = Counter(
        where
        for name in WRITERS
        for where, node in calls(PACKAGE / name)
        if called(node) in {("orjson", "dumps"), ("json", "dumps"), ("json", "dump")}
        and not is_scrubbed(node)
    )
    found += Counter(
        where
        for name in WRITERS
        for where, node in calls(PACKAGE / name)
        if called(node)[1] == "model_dump_json"
    )
    assert found == listed("json")


def test_means_are_taken_where_it_is_known_that_no_nan_is_among_them():
    """I6: elsewhere `nan_safe_mean` and `nan_safe_std` are."""
    found = Counter(
        where
        for where, node in calls(PACKAGE)
        if called(node)[0] == "np" and called(node)[1] in MEANS and not where.startswith("common/finite")
    )
    assert found == listed("mean")


def floats_in(annotation: Any, metadata: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The metadata of each float in an annotation."""
    if annotation is float:
        yield metadata
    elif hasattr(annotation, "__metadata__"):
        yield from floats_in(annotation.__origin__, (*metadata, *annotation.__metadata__))
    else:
        for part in get_args(annotation):
            yield from floats_in(part, metadata)


def is_finite(field: FieldInfo) -> bool:
    guard = set(get_args(FiniteFloat)[1:])
    return all(guard <= set(metadata) for metadata in floats_in(field.annotation, tuple(field.metadata)))


def test_every_float_of_a_model_is_finite():
    """I6."""
    broken = Counter(
        f"{model.__module__}.{model.__qualname__}.{name}"
        for model in models()
        for name, field in model.model_fields.items()
        if not is_finite(field)
    )
    assert broken == listed("float")


class Broken(BaseModel):
    plain: float
    inside: list[float] | None = None
    fine: list[FiniteFloat] | None = None


@pytest.mark.parametrize(("name", "expected"), [("plain", False), ("inside", False), ("fine", True)])
def test_the_check_of_models_finds_what_it_should(name, expected):
    assert is_finite(Broken.model_fields[name]) is expected
