"""docs/patterns.md names what is there, and each numbered behaviour of the patterns has a test that names it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PAGE = (ROOT / "docs" / "patterns.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| pattern")]
BEHAVIOURS = {
    "commands": ("A", 7),
    "flags": ("B", 9),
    "services": ("C", 9),
    "models": ("D", 5),
    "messages": ("E", 7),
    "registry": ("F", 11),
    "errors": ("G", 7),
    "logging": ("H", 6),
    "finite numbers": ("I", 7),
    "paths": ("J", 6),
    "tests": ("K", 5),
    "validators": ("P", 5),
    "endpoints": ("Q", 8),
    "per-turn extra": ("R", 10),
}
"""What the letters of the behaviours are about, and how many there are."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_what_a_row_names_is_there(row):
    _, _, places, tests, _ = row.split("|")
    for column in (places, tests):
        named = re.findall(r"`([^`]+)`", column)
        assert named
        for path in named:
            assert (ROOT / path).exists(), path
    assert all(path.startswith("tests/") for path in re.findall(r"`([^`]+)`", tests))


@cache
def named():
    """Names of tests by behaviour: in the docstring, or in the name as ``test_f4_...``."""
    found = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                ids = set(re.findall(r"\b([A-U]\d{1,2})\b", ast.get_docstring(node) or ""))
                if match := re.match(r"test_([a-u]\d{1,2})_", node.name):
                    ids.add(match[1].upper())
                for one in ids:
                    found[one].append(f"{path.name}::{node.name}")
    return found


@pytest.mark.parametrize("subject", BEHAVIOURS)
def test_each_numbered_behaviour_has_a_test_that_names_it(subject):
    letter, count = BEHAVIOURS[subject]
    assert [one for n in range(1, count + 1) if not named()[one := f"{letter}{n}"]] == []
