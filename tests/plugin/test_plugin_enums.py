"""An enum of names per category, made of what is registered."""

from __future__ import annotations

import pytest

from pytest_aiperf.plugin import enums, plugins
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.plugin.testing import mock_plugin


@pytest.mark.parametrize("category", PluginType)
def test_every_category_has_an_enum_of_its_names(category):
    made = getattr(enums, enums.enum_name(category))
    assert [member.value for member in made] == plugins.names(category)


def test_members_are_found_as_the_registry_finds_names():
    assert enums.EndpointType("CHAT") is enums.EndpointType.CHAT
    assert enums.MetricType("Request-Latency") == "request_latency"
    with pytest.raises(ValueError, match="'chta' is not a valid EndpointType"):
        enums.EndpointType("chta")


def test_a_name_that_is_registered_later_is_a_member_from_then_on():
    with mock_plugin(PluginType.ENDPOINT, "their-own", "json:JSONDecoder"):
        assert enums.EndpointType.THEIR_OWN == "their_own"
    assert not hasattr(enums.EndpointType, "THEIR_OWN")


def test_there_is_no_other_enum():
    with pytest.raises(AttributeError, match="no attribute 'EndpontType'"):
        enums.EndpontType  # noqa: B018
