"""The JSON Schema (draft 2020-12) of both files that outlive a session, generated from their models."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from pytest_aiperf.baseline import schema as baseline_schema
from pytest_aiperf.exporters import document
from pytest_aiperf.exporters.document_model import ResultDocument

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
NOT_ALWAYS: Final = ("p99_9",)
"""Keys that a result document may lack; all others are there, null where there is nothing to say."""


class _Untitled(GenerateJsonSchema):
    """Without the titles that would repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def result_schema() -> dict[str, Any]:
    """Return the schema of the result document: every key is required."""
    schema = _schema_of(ResultDocument, name="result", title="result document", version=document.SCHEMA)
    for model in (schema, *schema["$defs"].values()):
        model["required"] = [key for key in model["properties"] if key not in NOT_ALWAYS]
    return schema


def baseline_file_schema() -> dict[str, Any]:
    """Return the schema of a baseline file: what has a default may be missing, as in files of earlier versions."""
    version = baseline_schema.SCHEMA
    return _schema_of(baseline_schema.Baseline, name="baseline", title="baseline file", version=version)


def rendered(schema: dict[str, Any]) -> str:
    """Return the text of a schema file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema_of(model: type[BaseModel], *, name: str, title: str, version: int) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, schema_generator=_Untitled)
    schema["properties"]["schema"] = {
        "const": version,
        "description": schema["properties"]["schema"]["description"],
    }
    head = {
        "$schema": DIALECT,
        "$id": f"urn:pytest-aiperf:{name}:{version}",
        "title": f"pytest-aiperf {title}, version {version}",
    }
    return head | {key: value for key, value in schema.items() if key != "title"}
