"""What holds for every model of the package (systems.md D1, D2)."""

from __future__ import annotations

from typing import get_args

import pytest
from all_models import models

from pytest_aiperf.common.models import AIPerfBaseModel, BaseConfig


@pytest.mark.parametrize("model", models(), ids=lambda model: f"{model.__module__}.{model.__qualname__}")
def test_every_field_is_described(model):
    """D1."""
    above = {name for base in model.__mro__[1:] for name in getattr(base, "model_fields", ())}
    undescribed = [name for name, f in model.model_fields.items() if not f.description and name not in above]
    assert undescribed == []


@pytest.mark.parametrize(
    "model",
    [
        m
        for m in models()
        if issubclass(m, (AIPerfBaseModel, BaseConfig)) and m.model_config.get("extra") != "allow"
    ],
    ids=lambda model: f"{model.__module__}.{model.__qualname__}",
)
def test_an_unknown_key_is_refused(model):
    """D2."""
    assert model.model_config["extra"] == "forbid"


TIMES = ("time", "duration", "timeout", "delay", "latency", "window", "interval")
UNITS = ("_ns", "_us", "_ms", "_s")


@pytest.mark.parametrize(
    "model",
    [
        m
        for m in models()
        if issubclass(m, AIPerfBaseModel) and not m.__module__.startswith("pytest_aiperf.dataset")
    ],
    ids=lambda model: f"{model.__module__}.{model.__qualname__}",
)
def test_a_time_has_its_unit_in_its_name(model):
    """D4. Rows of data files have the names that the files have."""
    numbers = [name for name, f in model.model_fields.items() if {int, float} & _members(f.annotation)]
    assert [n for n in numbers if any(word in n for word in TIMES) and not n.endswith(UNITS)] == []


def _members(annotation):
    return {annotation, *get_args(annotation)}
