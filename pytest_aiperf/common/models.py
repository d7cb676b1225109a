"""Base classes of what crosses a boundary: data files, messages, configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from pytest_aiperf.common.errors import did_you_mean


class _StrictModel(BaseModel):
    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, data: Any) -> Any:
        """Name an unknown key and the nearest known one; pydantic's own message has neither."""
        if isinstance(data, Mapping):
            fields = cls.model_fields
            shown = {field.alias or name for name, field in fields.items()}
            known = shown | fields.keys() if cls.model_config.get("populate_by_name") else shown
            unknown = next((key for key in data if key not in known), None)
            if unknown is not None:
                raise ValueError(f"unknown key {unknown!r}{did_you_mean(str(unknown), known)}")
        return data


class AIPerfBaseModel(_StrictModel):
    """Data. Unknown keys are refused: a typo must not be stored as if it meant something."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseConfig(_StrictModel):
    """Configuration: snake_case and camelCase in, camelCase out, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True
    )
