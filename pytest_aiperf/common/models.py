"""Base classes of what crosses a boundary: data files, messages, configuration."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class AIPerfBaseModel(BaseModel):
    """Data. Unknown keys are refused: a typo must not be stored as if it meant something."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseConfig(BaseModel):
    """Configuration: snake_case and camelCase in, camelCase out, unknown keys refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True
    )
