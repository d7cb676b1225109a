"""`pytest-aiperf plugins`, as users run it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_aiperf.cli import build_app

COMMAND = Path(sys.executable).parent / "pytest-aiperf"
YAML = """\
endpoint:
  chat:
    class: {0}:JSONDecoder
    description: Acme's own chat
    metadata: {{supports_streaming: false}}
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder with the package of a third party, on the path."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").touch()
    (tmp_path / "acme" / "plugins.yaml").write_text(YAML.format("json"))
    info = tmp_path / "acme_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pytest_aiperf.plugins]\nacme = acme:plugins.yaml\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path


@pytest.fixture
def call(capsys, monkeypatch):
    """Run the command here; exit status, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "400")

    def called(*arguments):
        status = 0
        try:
            build_app()(["plugins", *arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return called


def test_list_shows_names_packages_and_descriptions(site, call):
    status, out, err = call("list", "endpoint")
    assert (status, err) == (0, "")
    assert out.splitlines()[1].split(maxsplit=2) == ["chat", "acme-plugins", "Acme's own chat"]
    assert "metric" not in out
    status, out, _ = call("list")
    assert status == 0
    assert "\nmetric: " in out
    assert "time_to_first_token" in out


def test_list_names_packages_that_are_left_out(site, call):
    (site / "acme" / "plugins.yaml").write_text("endpoint: 1\n")
    status, out, _ = call("list", "endpoint")
    assert status == 0
    assert "the plugins of acme-plugins are left out: " in out
    assert "OpenAI chat completions" in out


def test_show_tells_what_holds_and_in_the_place_of_what(site, call):
    status, out, err = call("show", "endpoint", "Chat")
    assert (status, err) == (0, "")
    assert out.startswith("endpoint chat: Acme's own chat\n")
    assert "json:JSONDecoder" in out
    assert "supports_streaming  false  (Its answers can be streamed)" in out
    assert "pytest_aiperf.endpoints.openai_chat:ChatEndpoint of pytest-aiperf" in out
    assert str(site / "acme" / "plugins.yaml") in out


def test_validate_exits_1_when_something_is_wrong(site, call):
    assert call("validate") == (0, call("validate")[1], "")
    (site / "acme" / "plugins.yaml").write_text(YAML.format("jsno"))
    status, out, err = call("validate")
    assert (status, err) == (1, "")
    assert "acme-plugins: " in out
    assert "plugins.yaml:2: endpoint.chat.class: there is no module 'jsno'" in out
    assert out.splitlines()[-1] == "1 problem in 2 packages"


@pytest.mark.parametrize("arguments", [("list",), ("list", "endpoint"), ("validate",)])
def test_json_is_one_document(site, call, arguments):
    status, out, _ = call(*arguments, "--json")
    document = json.loads(out)
    assert (status, document["schema"]) == (0, 1)
    if arguments == ("list", "endpoint"):
        (chat,) = (one for one in document["plugins"] if one["name"] == "chat")
        assert chat["package"] == "acme-plugins"
        assert chat["metadata"] == {"supports_streaming": False}
    if arguments == ("validate",):
        assert document["problems"] == []
        assert document["packages"] == ["pytest-aiperf", "acme-plugins"]


@pytest.mark.parametrize(
    "arguments", [("list", "endpont"), ("show", "endpoint", "chta"), ("show", "endpoint")]
)
def test_a_usage_error_ends_with_2(call, arguments):
    status, _, err = call(*arguments)
    assert status == 2
    assert err


def test_the_installed_command_imports_nothing_that_it_lists(site):
    done = subprocess.run(
        [COMMAND, "plugins", "validate"],
        env=os.environ | {"PYTHONPATH": str(site), "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert "of 2 packages: nothing is wrong" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pytest_aiperf.plugin.validation" in imported
    assert imported.isdisjoint(
        {"acme", "numpy", "pydantic", "pytest_aiperf.endpoints", "pytest_aiperf.metrics"}
    )
