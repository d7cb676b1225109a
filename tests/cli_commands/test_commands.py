"""What holds for every command: imported when it is run, light until then, and a usage error ends with 2."""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from cyclopts import App

import pytest_aiperf.cli_commands
from pytest_aiperf.cli import COMMANDS, build_app

HEAVY = ("numpy", "scipy", "aiohttp", "matplotlib", "plotly")


def modules_after(code):
    """Names of the modules that a fresh interpreter has after running this code, whatever that prints."""
    text = f"import sys\n{code}\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def ended(*arguments):
    """The exit status of the command line."""
    with pytest.raises(SystemExit) as end:
        build_app()(list(arguments))
    return end.value.code


@pytest.mark.parametrize(
    "code",
    [
        "import pytest_aiperf.cli",
        "import pytest_aiperf.cli\n"
        "try:\n    pytest_aiperf.cli.build_app()(['--help'])\nexcept SystemExit:\n    pass",
    ],
    ids=["imported", "--help"],
)
def test_the_root_imports_no_command(code):
    """A1."""
    loaded = modules_after(code)
    assert "pytest_aiperf.cli" in loaded
    assert not [name for name in loaded if name.startswith("pytest_aiperf.cli_commands")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_one_file_with_an_app_of_its_name(name):
    """A2: several words are hyphenated."""
    module, _, attribute = COMMANDS[name].partition(":")
    assert (module, attribute) == (f"pytest_aiperf.cli_commands.{name.replace('-', '_')}", "app")
    app = getattr(import_module(module), attribute)
    assert isinstance(app, App)
    assert app.name == (name,)


def test_every_app_is_registered():
    """A2."""
    (folder,) = pytest_aiperf.cli_commands.__path__
    with_app = {
        path.stem.replace("_", "-")
        for path in Path(folder).glob("*.py")
        if "\napp = App(" in path.read_text(encoding="utf-8")
    }
    assert with_app == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_light_until_it_runs(name):
    """A3."""
    module = COMMANDS[name].partition(":")[0]
    help_of_it = f"pytest_aiperf.cli.build_app()(['{name}', '--help'])"
    code = f"import {module}, pytest_aiperf.cli\ntry:\n    {help_of_it}\nexcept SystemExit:\n    pass"
    loaded = modules_after(code)
    assert module in loaded
    assert loaded & set(HEAVY) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_usage_error_ends_with_2_and_help_with_0(name, capsys):
    """A7."""
    assert ended(name, "--no-such-option") == 2
    assert "--no-such-option" in capsys.readouterr().err
    assert ended(name, "--help") in (0, None)


def test_an_unknown_command_ends_with_2(capsys):
    assert ended("juge") == 2
    assert "juge" in capsys.readouterr().err


def test_a_reader_that_has_read_enough_ends_a_command_without_a_traceback():
    stored = Path(__file__).parents[1] / "baseline" / "data" / "golden_baseline.json"
    code = "from pytest_aiperf.cli import main; main()"
    command = [sys.executable, "-c", code, "baseline", "show", str(stored), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        complaints = process.stderr.read()
    assert complaints == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_a_usage_error_of_the_program_ends_with_2():
    code = "import sys; sys.argv = ['pytest-aiperf', 'judge', '--nonsense']; from pytest_aiperf.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "nonsense" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
