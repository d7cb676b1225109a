"""Flags of `aiperf profile`: each one means the same here, or is named in the page's table, or refused with advice."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from pytest_aiperf import cli
from pytest_aiperf.cli_commands.aiperf_flags import refuse, rendered_table
from pytest_aiperf.cli_commands.aiperf_refused import REFUSED
from pytest_aiperf.cli_commands.aiperf_supported import SUPPORTED
from pytest_aiperf.cli_commands.profile_flags import PROFILE_FIELDS
from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.config.cli_config import CLIConfig
from pytest_aiperf.config.option_table import parameter_of

OF_AIPERF = (Path(__file__).parent / "data" / "aiperf_0_13_flags.txt").read_text().split()
"""All flags that `aiperf profile --help` of 0.13 lists."""
PAGE = Path(__file__).parents[2] / "docs" / "profile.md"
OURS = {flag for field in PROFILE_FIELDS for flag in parameter_of(CLIConfig.model_fields[field]).name}
TAKEN = [flag for flags in SUPPORTED for flag in flags]
NOT_TAKEN = [flag for refused in REFUSED for flag in refused.flags]


def test_each_flag_of_aiperf_is_in_the_table_once():
    assert sorted([*TAKEN, *NOT_TAKEN]) == sorted(OF_AIPERF)


def test_a_flag_is_taken_exactly_where_the_table_says_so():
    assert set(TAKEN) - OURS == set()
    assert set(NOT_TAKEN) & OURS == set()


def test_the_page_has_the_table_of_the_code():
    assert rendered_table() in PAGE.read_text(encoding="utf-8"), "stale: python docs/generate.py"


def test_advice_names_no_flag_that_is_not_there():
    own = OURS | {"--baseline", "--record", "--slo", "--no-streaming"}
    named = {flag for refused in REFUSED for flag in re.findall(r"--[a-z-]+", refused.instead)}
    assert named - own == set()


@pytest.mark.parametrize("flag", NOT_TAKEN)
def test_a_flag_that_is_not_taken_is_told_with_what_to_do_instead(flag):
    with pytest.raises(ConfigurationError, match=rf"^{re.escape(flag)}, .* is not taken here\. \w"):
        refuse(["--url", "mock://", f"{flag}=value"])


def test_what_follows_the_end_of_flags_is_no_flag():
    refuse(["--url", "mock://", "--", "--api-key"])


@pytest.mark.parametrize("typed", [["--api-key", "sk-secret"], ["--api-key=sk-secret"]])
def test_an_api_key_on_the_command_line_is_a_usage_error_that_never_shows_it(monkeypatch, capsys, typed):
    monkeypatch.setattr(sys, "argv", ["pytest-aiperf", "profile", "--url", "mock://", *typed])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert "AIPERF_API_KEY" in err
    assert "secret" not in out + err


def test_other_commands_know_nothing_of_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pytest-aiperf", "judge", "--ui=none"])
    monkeypatch.setattr(cli, "build_app", lambda: lambda **_: None)
    cli.main()
    assert capsys.readouterr() == ("", "")
