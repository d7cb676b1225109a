"""What the published schemas say of a file: the model, and the JSON Schema as it lies in docs/."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from pytest_aiperf.baseline.schema import Baseline
from pytest_aiperf.exporters.document_model import ResultDocument

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"


def assert_result(document: dict[str, Any]) -> None:
    """A result document fits both, to the key."""
    ResultDocument.model_validate(document)
    _assert_fits("result", document)


def assert_baseline(document: dict[str, Any]) -> None:
    """A baseline file fits both, to the key."""
    Baseline.model_validate(document)
    _assert_fits("baseline", document)


def _assert_fits(name: str, document: dict[str, Any]) -> None:
    error = best_match(_validator(name).iter_errors(document))
    assert error is None, f"{error.json_path}: {error.message[:300]}"


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
