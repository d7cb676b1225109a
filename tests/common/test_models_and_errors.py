"""The base classes of data and configuration, the named random streams, and the suggestions in messages."""

from __future__ import annotations

import subprocess
import sys
import traceback

import pytest
from pydantic import Field, ValidationError

from pytest_aiperf.common import errors
from pytest_aiperf.common.errors import AiperfError, Regression, did_you_mean
from pytest_aiperf.common.models import AIPerfBaseModel, BaseConfig
from pytest_aiperf.common.rng import derive


class Shape(AIPerfBaseModel):
    n_sides: int = Field(default=3, description="Sides.")
    kind_: str = Field(default="", alias="kind", description="Named as no attribute may be.")


class Setting(BaseConfig):
    request_count: int = Field(default=1, description="Requests.")


def test_an_unknown_key_is_refused_with_the_nearest_known_one():
    with pytest.raises(ValidationError, match=r"unknown key 'n_side' \(did you mean 'n_sides'\?\)"):
        Shape.model_validate({"n_side": 4})
    with pytest.raises(ValidationError, match=r"unknown key 'request_cuont' \(did you mean 'request_count'"):
        Setting.model_validate({"request_cuont": 4})


def test_a_field_with_an_alias_is_known_by_its_alias_alone_in_data():
    assert Shape.model_validate({"kind": "square"}).kind_ == "square"
    with pytest.raises(ValidationError, match="unknown key 'kind_'"):
        Shape.model_validate({"kind_": "square"})


def test_configuration_takes_both_spellings_and_gives_camel_case():
    assert Setting.model_validate({"requestCount": 4}) == Setting.model_validate({"request_count": 4})
    assert Setting(request_count=4).model_dump() == {"requestCount": 4}


def test_data_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Shape().n_sides = 5


def test_a_named_stream_depends_on_its_name_and_seed_and_on_nothing_else():
    first = [derive(1, "prompts").random() for _ in range(3)]
    assert first[0] == first[1] == first[2]
    assert derive(1, "arrivals").random() != first[0]
    assert derive(2, "prompts").random() != first[0]


def test_a_named_stream_is_the_same_in_another_process():
    code = "from pytest_aiperf.common.rng import derive; print(derive(7, 'x').random())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "123"},
    )
    assert float(done.stdout) == derive(7, "x").random()


def test_a_suggestion_is_made_only_for_something_near():
    assert did_you_mean("concurency", ["concurrency", "isl"]) == " (did you mean 'concurrency'?)"
    assert did_you_mean("zzz", ["concurrency", "isl"]) == ""


def test_a_traceback_shows_the_short_name_of_the_error():
    assert traceback.format_exception_only(Regression("ttft p50 +37 %")) == ["Regression: ttft p50 +37 %\n"]


def test_a_verdict_that_fails_a_test_is_an_assertion_and_one_that_cannot_be_made_is_not():
    for name in ("Regression", "MissingBaselineError", "InconclusiveError"):
        assert issubclass(getattr(errors, name), AssertionError)
    for name in ("InvalidMeasurementError", "EndpointError", "BaselineError", "ConfigurationError"):
        assert issubclass(getattr(errors, name), AiperfError)
        assert not issubclass(getattr(errors, name), AssertionError)
