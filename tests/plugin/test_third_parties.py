"""Packages that register through entry points: who holds a name, what is refused and left out (F4, F6, F7, F9, F10)."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
from third_party import entry, install

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.plugin.contents import merged, read_all, read_contents
from pytest_aiperf.plugin.entry import PluginWarning
from pytest_aiperf.plugin.registry import Registry
from pytest_aiperf.plugin.validation import validate

MODULE = "class Chat:\n    pass\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder for packages, on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def refusal(site, text):
    """What is said of a file that holds this."""
    file = install(site, "acme-plugins", text)
    return read_contents().skipped[0].why.replace(str(file), "FILE")


def test_f10_a_package_registers_through_its_entry_point(site):
    file = install(site, "acme-plugins", entry("endpoint", "Acme-Chat", "acme_plugins.endpoint:Chat"))
    found = read_contents().entries["endpoint"]["acme_chat"]
    assert (found.class_path, found.source.package) == ("acme_plugins.endpoint:Chat", "acme-plugins")
    assert found.source.file == str(file)
    assert not found.source.built_in


def test_entries_may_share_what_they_say(site):
    told = entry("endpoint", "a", "x:A", metadata="&told {supports_streaming: true}")
    more = "  b: {class: 'x:B', description: d, metadata: {<<: *told, supports_streaming: false}}\n"
    install(site, "acme-plugins", told + more)
    contents = read_contents()
    assert contents.warnings() == []
    assert contents.entries["endpoint"]["b"].metadata == {"supports_streaming": False}


def test_f6_a_third_party_holds_a_name_before_the_built_in(site):
    install(site, "acme-plugins", entry("endpoint", "chat", "acme_plugins.x:Chat"))
    contents = read_contents()
    assert contents.entries["endpoint"]["chat"].source.package == "acme-plugins"
    assert contents.warnings() == []


def test_f6_a_priority_comes_first(site):
    install(site, "acme-plugins", entry("endpoint", "chat", "a:Chat", priority="-1"))
    install(site, "beta", entry("endpoint", "new", "b:New"))
    install(site, "gamma", entry("endpoint", "new", "c:New", priority="5"))
    contents = read_contents()
    assert contents.entries["endpoint"]["chat"].source.built_in
    assert contents.entries["endpoint"]["new"].class_path == "c:New"
    assert contents.warnings() == []


def test_f6_of_two_with_equal_right_the_first_holds_with_a_warning(site):
    install(site, "beta", entry("endpoint", "new", "b:New"))
    install(site, "acme-plugins", entry("endpoint", "new", "a:New"))
    registry = Registry(read_contents)
    with pytest.warns(PluginWarning, match=r"by acme-plugins \(a:New\) and by beta \(b:New\); that of acme-"):
        assert registry.entry("endpoint", "new").class_path == "a:New"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("endpont: {}", "FILE:1: endpont: unknown category (did you mean 'endpoint'?); there is: endpoint, "),
        ("endpoint:\n  a: {}", "FILE:2: endpoint.a.class: is missing; write package.module:Class"),
        (
            "endpoint:\n  a:\n    class: acme.x\n    description: an API",
            "FILE:3: endpoint.a.class: write package.module:Class, not 'acme.x'",
        ),
        (
            entry("endpoint", "a", "x:Y", priorty="1"),
            "FILE:5: endpoint.a.priorty: unknown key (did you mean 'priority'?); there is: class, ",
        ),
        (
            entry("endpoint", "a", "x:Y", metadata="{supports_straeming: true}"),
            "FILE:5: endpoint.a.metadata.supports_straeming: unknown key (did you mean 'supports_streaming'?)",
        ),
        (
            entry("endpoint", "a", "x:Y", metadata="{supports_streaming: 'yes'}"),
            "FILE:5: endpoint.a.metadata.supports_streaming: write true or false, not 'yes'",
        ),
        (
            entry("gpu_telemetry_collector", "a", "x:Y"),
            "FILE:2: gpu_telemetry_collector.a.metadata.is_local: is missing; write true or false (it reads the",
        ),
        (entry("metric", "a", "x:Y", metadata="{a: 1}"), "unknown key; this category has none"),
        (entry("metric", "a", "x:Y", priority="high"), "FILE:5: metric.a.priority: write a whole number"),
        (entry("metric", "a b", "x:Y"), "FILE:2: metric.a b: is no name; write letters"),
        (
            entry("metric", "a-b", "x:Y") + "  A_b: {class: 'x:Y', description: z}",
            "is the same name as 'a-b'",
        ),
        (
            entry("metric", "a", "x:Y") + "  a: {class: 'x:Y', description: z}",
            "FILE:5: metric.a: stands here twice",
        ),
        ("metric:\n  a: [", "FILE:3: is not YAML: "),
        ("metric: &a\n  x: *a", "FILE:2: metric.x.x: unknown key"),
        ("", "FILE: holds no plugins; write CATEGORY: NAME: with class and description"),
        (None, "there is no FILE; is it among the files that the package installs?"),
    ],
)
def test_f7_a_file_is_checked_against_the_schema_when_it_is_read(site, text, told):
    assert told in refusal(site, text)


def test_f7_all_problems_of_a_file_are_told_at_once_up_to_20(site):
    text = "metric:\n" + "".join(f"  m{number}: {{class: x}}\n" for number in range(15))
    told = refusal(site, text).splitlines()
    assert len(told) == 21
    assert told[-1].strip() == "and 10 more"


@pytest.mark.parametrize(
    "point", ["acme_plugins", "acme_plugins:Class", "no_such:plugins.yaml", "json.x:a.yaml"]
)
def test_f9_an_entry_point_that_names_no_file_is_left_out(site, point):
    install(site, "acme-plugins", None, point=point)
    [skipped] = read_contents().skipped
    assert skipped.package == "acme-plugins"
    assert f"entry point acme_plugins = {point!r}: " in skipped.why


def test_f9_one_broken_package_is_left_out_with_a_warning_and_the_others_are_there(site):
    install(site, "acme-plugins", entry("endpoint", "fine", "x:Y") + "  broken: 1\n")
    install(site, "beta", entry("endpoint", "new", "b:New"))
    registry = Registry(read_contents)
    with pytest.warns(PluginWarning, match="the plugins of acme-plugins are left out: .*broken: write class"):
        assert {"chat", "new", "fine"} & set(registry.names("endpoint")) == {"chat", "new"}
    with pytest.raises(ConfigurationError, match=r"(?s)unknown endpoint 'fine'.*acme-plugins is left out: "):
        registry.entry("endpoint", "fine")


def test_where_warnings_are_errors_every_look_up_is_a_configuration_error(site):
    install(site, "acme-plugins", "endpoint: 1\n")
    registry = Registry(read_contents)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ConfigurationError, match="the plugins of acme-plugins are left out"):
                registry.names("endpoint")


def test_f4_neither_listing_nor_validating_imports_a_third_party(site):
    install(site, "acme-plugins", entry("endpoint", "a", "acme_plugins.deep:Chat"))
    (site / "acme_plugins" / "deep.py").write_text(MODULE)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "from pytest_aiperf.plugin import plugins\n"
        "from pytest_aiperf.plugin.validation import validate\n"
        "found = validate()\n"
        "print('a' in plugins.names('endpoint'), len(found.sources), found.problems)\n"
        "print([m for m in sys.modules if m.startswith(('acme', 'pytest_aiperf.e', 'numpy', 'pydantic'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["True 2 []", "[]"]


@pytest.mark.parametrize(
    ("path", "module", "told"),
    [
        ("acme_plugins.m:Chat", MODULE, None),
        ("acme_plugins.m:Chat", "try:\n    from x import Chat\nexcept ImportError:\n    Chat = None\n", None),
        ("acme_plugins.m:Chat", "from x import *\n", None),
        ("acme_plugins.m:Chat", "def __getattr__(name): ...\n", None),
        ("acme_plugins.m:Chta", MODULE, "there is no 'Chta' in MODULE (did you mean 'Chat'?)"),
        ("acme_plugins.n:Chat", MODULE, "there is no module 'acme_plugins.n'"),
        ("acme_plugins.m.deeper:Chat", MODULE, "there is no module 'acme_plugins.m.deeper'"),
        ("no_such_package.m:Chat", MODULE, "there is no module 'no_such_package.m'"),
        ("acme_plugins.m:Chat", "class Chat(\n", "MODULE:1: '(' was never closed"),
        ("acme_plugins.folder.inner:Chat", MODULE, None),
        ("json:NoSuch", MODULE, "there is no 'NoSuch' in "),
    ],
)
def test_f4_validating_finds_what_cannot_be_loaded(site, path, module, told):
    file = install(site, "acme-plugins", entry("endpoint", "a", path), m=module)
    (site / "acme_plugins" / "folder").mkdir()  # no __init__.py
    (site / "acme_plugins" / "folder" / "inner.py").write_text(module)
    problems = [
        str(problem).replace(str(file.with_name("m.py")), "MODULE") for _, problem in validate().problems
    ]
    if told is None:
        assert problems == []
    else:
        [problem] = problems
        assert problem.startswith(f"{file}:2: endpoint.a.class: {told}")


def test_validating_tells_all_problems_at_once(site):
    install(
        site,
        "acme-plugins",
        entry("endpoint", "new", "no.where:A") + "  other: {class: 'json:No', description: x}",
    )
    install(site, "beta", entry("endpoint", "new", "json:JSONDecoder"))
    install(site, "gamma", "metric: 1")
    found = validate()
    assert [source.package for source in found.sources] == ["pytest-aiperf", "acme-plugins", "beta", "gamma"]
    assert [source.package for source, _ in found.problems] == [
        "acme-plugins",
        "acme-plugins",
        "gamma",
        "beta",
    ]
    assert "Uninstall one of them" in found.problems[-1][1].message


def test_this_packages_own_file_has_no_problem():
    own = read_all()[0]
    assert validate([own]).problems == []
    assert merged([own]).warnings() == []
