"""The registry of classes (systems.md F1 to F5)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType

ENTRIES = [(category.value, name) for category in PluginType for name in plugins.names(category)]


def in_a_fresh_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_listing_imports_nothing_that_is_registered():
    code = """
import sys
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.enums import PluginType
before = set(sys.modules)
for category in PluginType:
    plugins.names(category)
ours = [m for m in sys.modules if m.startswith("pytest_aiperf.") and not m.startswith("pytest_aiperf.plugin")]
print(*ours)
"""
    assert in_a_fresh_process(code) == ["pytest_aiperf.common", "pytest_aiperf.common.errors"]


def test_getting_a_class_imports_that_one_and_not_its_category():
    code = """
import sys
from pytest_aiperf.plugin import plugins
print(plugins.get_class("endpoint", "chat").__name__)
print(*[m for m in ("numpy", "aiohttp", "pytest_aiperf.engine", "pytest_aiperf.services") if m in sys.modules])
"""
    assert in_a_fresh_process(code) == ["ChatEndpoint"]


@pytest.mark.parametrize(("category", "name"), ENTRIES)
def test_every_registered_class_loads(category, name):
    assert isinstance(plugins.get_class(category, name), type)


def test_every_category_of_the_file_is_one_of_the_enum():
    assert set(plugins._registry()) == {str(category) for category in PluginType}


def test_every_entry_is_described():
    entries = [entry for entries in plugins._registry().values() for entry in entries.values()]
    assert all(entry["description"] and entry["class"].count(":") == 1 for entry in entries)


def test_a_class_is_found_by_its_path_too():
    by_name = plugins.get_class("endpoint", "chat")
    assert plugins.get_class("endpoint", "pytest_aiperf.endpoints.openai_chat:ChatEndpoint") is by_name


@pytest.mark.parametrize("name", ["Time-To-First-Token", "TIME_TO_FIRST_TOKEN", " time_to_first_token "])
def test_names_are_the_same_in_any_case_and_with_hyphens(name):
    assert plugins.get_class("metric", name).tag == "time_to_first_token"


def test_an_unknown_name_is_refused_with_what_there_is():
    with pytest.raises(ConfigurationError) as caught:
        plugins.get_class("endpoint", "chta")
    assert str(caught.value).startswith("unknown endpoint 'chta' (did you mean 'chat'?); there is: chat")


def test_an_unknown_category_is_refused_with_what_there_is():
    with pytest.raises(
        ConfigurationError, match=r"unknown plugin category 'metrics' .did you mean 'metric'.*there is: "
    ):
        plugins.names("metrics")


@pytest.mark.parametrize(
    "path", ["no.such.module:Class", "json:NoSuchClass", "json:", ":Class", ".json:Class"]
)
def test_a_class_that_cannot_be_loaded_is_named_with_its_category_and_path(path):
    with pytest.raises(ConfigurationError) as caught:
        plugins.get_class("metric", path)
    assert str(caught.value).startswith(f"metric {path!r}: cannot load {path!r} (as it was given): ")


def test_a_broken_entry_names_the_file_that_it_stands_in(monkeypatch):
    monkeypatch.setattr(plugins, "_registry", lambda: {"metric": {"broken": {"class": "no.such:Metric"}}})
    with pytest.raises(
        ConfigurationError, match=r"metric 'broken': cannot load 'no.such:Metric' \(from plugins.yaml\)"
    ):
        plugins.get_class("metric", "broken")
