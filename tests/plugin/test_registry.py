"""The registry of classes (systems.md F1 to F5, F8)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.endpoints.base_endpoint import BaseEndpoint
from pytest_aiperf.plugin import plugins
from pytest_aiperf.plugin.categories import categories
from pytest_aiperf.plugin.contents import BUILT_IN
from pytest_aiperf.plugin.entry import Contents, Entry, Source
from pytest_aiperf.plugin.enums import PluginType
from pytest_aiperf.plugin.registry import Registry
from pytest_aiperf.plugin.testing import mock_plugin
from pytest_aiperf.plugin.yaml_file import read_yaml

ENTRIES = [(category.value, name) for category in PluginType for name in plugins.names(category)]


class Mock(BaseEndpoint):
    """An endpoint."""


def modules_after(code):
    """Names of the modules that a fresh interpreter has after this code."""
    code = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def registry_of(*entries, category="metric"):
    """A registry that holds these alone."""
    return Registry(lambda: Contents(entries={category: {entry.name: entry for entry in entries}}, bases={}))


def test_importing_the_registry_reads_nothing():
    loaded = modules_after("import pytest_aiperf.plugin.plugins, pytest_aiperf.plugin.enums")
    assert "pytest_aiperf.plugin.registry" in loaded
    assert loaded.isdisjoint({"yaml", "pydantic", "numpy", "importlib.metadata", "asyncio"})


def test_f4_listing_imports_nothing_that_is_registered():
    loaded = modules_after(
        "from pytest_aiperf.plugin import plugins\n"
        "from pytest_aiperf.plugin.enums import PluginType, EndpointType, MetricType\n"
        "assert all(plugins.names(category) for category in PluginType)\n"
        "assert plugins.entry('endpoint', 'chat').metadata['supports_streaming']"
    )
    ours = {name for name in loaded if name.startswith("pytest_aiperf.")}
    assert {".".join(name.split(".")[:2]) for name in ours} == {
        "pytest_aiperf.common",
        "pytest_aiperf.plugin",
    }
    assert loaded.isdisjoint({"pydantic", "numpy"})


def test_f4_getting_a_class_imports_that_one_and_not_its_category():
    loaded = modules_after("from pytest_aiperf.plugin import plugins\nplugins.get_class('endpoint', 'chat')")
    assert "pytest_aiperf.endpoints.openai_chat" in loaded
    assert loaded.isdisjoint({"numpy", "aiohttp", "pytest_aiperf.engine", "pytest_aiperf.services"})


@pytest.mark.parametrize(("category", "name"), ENTRIES)
def test_f1_every_registered_class_loads(category, name):
    assert isinstance(plugins.get_class(category, name), type)


def test_the_categories_are_the_same_in_the_enum_and_in_both_files():
    in_file = read_yaml(Path(BUILT_IN.file)).data
    assert {str(category) for category in PluginType} == set(categories()) == set(in_file)


def test_what_metadata_tells_of_built_in_endpoints_is_so():
    for entry in plugins.entries(PluginType.ENDPOINT):
        path = plugins.get_class(PluginType.ENDPOINT, entry.name).path
        assert entry.metadata.get("endpoint_path", "") == path


def test_f1_a_class_is_found_by_its_path_too():
    by_name = plugins.get_class("endpoint", "chat")
    assert plugins.get_class("endpoint", "pytest_aiperf.endpoints.openai_chat:ChatEndpoint") is by_name


@pytest.mark.parametrize("name", ["Time-To-First-Token", "TIME_TO_FIRST_TOKEN", " time_to_first_token "])
def test_f2_names_are_the_same_in_any_case_and_with_hyphens(name):
    assert plugins.get_class("metric", name).tag == "time_to_first_token"


def test_f3_an_unknown_name_is_refused_with_what_there_is():
    with pytest.raises(ConfigurationError) as caught:
        plugins.get_class("endpoint", "chta")
    assert str(caught.value).startswith("unknown endpoint 'chta' (did you mean 'chat'?); there is: chat")


def test_f3_an_unknown_category_is_refused_with_what_there_is():
    with pytest.raises(
        ConfigurationError, match=r"unknown plugin category 'metrics' .did you mean 'metric'.*there is: "
    ):
        plugins.names("metrics")


@pytest.mark.parametrize(
    "path", ["no.such.module:Class", "json:NoSuchClass", "json:", ":Class", ".json:Class", "json:dumps"]
)
def test_f5_a_class_that_cannot_be_loaded_is_named_with_its_category_and_path(path):
    with pytest.raises(ConfigurationError) as caught:
        plugins.get_class("service", path)
    assert str(caught.value).startswith(f"service {path!r}: cannot load {path!r} (as it was given): ")


def test_f5_a_class_of_another_kind_is_refused():
    with pytest.raises(ConfigurationError, match=r"it does not inherit from pytest_aiperf\S+\.BaseEndpoint$"):
        plugins.get_class("endpoint", "json:JSONDecoder")


@pytest.mark.parametrize(
    ("raised", "told"),
    [("ImportError('no cuda')", "ImportError: no cuda"), ("KeyError('HOME')", "KeyError: 'HOME'")],
)
def test_f5_a_broken_entry_names_plugin_category_class_and_file(tmp_path, monkeypatch, raised, told):
    (tmp_path / "broken_module.py").write_text(f"raise {raised}\n")
    monkeypatch.syspath_prepend(tmp_path)
    source = Source(package="acme-plugins", file="/site/acme/plugins.yaml")
    broken = Entry(category="metric", name="broken", class_path="broken_module:Metric", source=source)
    with pytest.raises(ConfigurationError) as caught:
        registry_of(broken).get_class("metric", "broken")
    assert str(caught.value) == (
        "metric 'broken': cannot load 'broken_module:Metric' "
        f"(registered by acme-plugins in /site/acme/plugins.yaml): {told}"
    )


def test_f8_register_returns_what_the_name_meant_before():
    registry = Registry(plugins._read)
    chat = registry.entry("endpoint", "chat")
    before = registry.version
    assert registry.register("endpoint", "Chat", Mock) is chat
    assert registry.get_class("endpoint", "chat") is Mock
    assert registry.version > before
    assert registry.register("endpoint", "chat", chat).loaded is Mock
    assert registry.get_class("endpoint", "chat").__name__ == "ChatEndpoint"
    assert registry.register("endpoint", "new", "json:JSONDecoder") is None
    assert registry.register("endpoint", "new", None).class_path == "json:JSONDecoder"
    assert "new" not in registry.names("endpoint")


def test_f8_a_mocked_plugin_is_there_and_nests_and_goes_also_after_an_exception():
    class Inner(Mock):
        pass

    chat, names = plugins.entry("endpoint", "chat"), plugins.names("endpoint")
    with pytest.raises(ZeroDivisionError), mock_plugin(PluginType.ENDPOINT, "test", Mock):  # noqa: PT012
        with mock_plugin(PluginType.ENDPOINT, "test", Inner, metadata={"supports_streaming": False}):
            assert plugins.get_class(PluginType.ENDPOINT, "test") is Inner
            assert plugins.entry(PluginType.ENDPOINT, "test").metadata == {"supports_streaming": False}
            with mock_plugin(PluginType.ENDPOINT, "chat", Inner):
                assert plugins.get_class("endpoint", "chat") is Inner
            assert plugins.entry("endpoint", "chat") is chat
        assert plugins.get_class(PluginType.ENDPOINT, "test") is Mock
        raise ZeroDivisionError
    assert plugins.names("endpoint") == names


def test_a_child_process_has_the_registry_of_its_parent_without_reading_it():
    with mock_plugin("endpoint", "test", "json:JSONDecoder"):
        told = plugins.REGISTRY.to_payload()

    def read():
        raise AssertionError("read")

    child = Registry(read)
    child.adopt(told)
    assert child.entry("endpoint", "test").class_path == "json:JSONDecoder"
    assert child.get_class("endpoint", "chat") is plugins.get_class("endpoint", "chat")
    assert child.names("metric") == plugins.names("metric")
    with pytest.raises(ConfigurationError, match="does not inherit"):
        child.get_class("endpoint", "test")
