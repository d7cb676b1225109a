"""What local collectors need is asked for before any load (systems.md F11)."""

from __future__ import annotations

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.gpu_telemetry.environment import validate_environments
from pytest_aiperf.plugin.testing import mock_plugin

CATEGORY = "gpu_telemetry_collector"


class Lacking:
    """A collector whose library is missing."""

    @classmethod
    def validate_environment(cls):
        raise ConfigurationError("acme: no libacme.so: pip install acme-gpu")


class AlsoLacking(Lacking):
    @classmethod
    def validate_environment(cls):
        raise ConfigurationError("beta: no driver: install it")


class Complete:
    """One that has what it needs."""

    asked = 0

    @classmethod
    def validate_environment(cls):
        cls.asked += 1


@pytest.fixture
def collectors():
    local = {"is_local": True}
    with (
        mock_plugin(CATEGORY, "acme", Lacking, metadata=local),
        mock_plugin(CATEGORY, "beta", AlsoLacking, metadata=local),
        mock_plugin(CATEGORY, "complete", Complete, metadata=local),
        mock_plugin(CATEGORY, "exporter", "no.such.module:Dcgm", metadata={"is_local": False}),
    ):
        yield


@pytest.mark.usefixtures("collectors")
def test_f11_all_that_local_collectors_lack_is_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        validate_environments(["acme", "complete", "Beta"])
    assert str(caught.value) == "acme: no libacme.so: pip install acme-gpu\nbeta: no driver: install it"


@pytest.mark.usefixtures("collectors")
def test_f11_a_collector_that_has_what_it_needs_is_asked_and_passes():
    before = Complete.asked
    validate_environments(["complete"])
    assert Complete.asked == before + 1


@pytest.mark.usefixtures("collectors")
def test_f11_a_collector_that_is_not_local_is_not_even_imported():
    validate_environments(["exporter"])


def test_f11_an_unknown_collector_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"unknown gpu_telemetry_collector 'nvlm' .did you mean 'nvml'"
    ):
        validate_environments(["nvlm"])
