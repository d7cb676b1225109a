"""How a command ends: a panel on stderr, a traceback where one helps, and an exit status that says what happened."""

from __future__ import annotations

import asyncio
import io
import re
import sys

import pytest

from pytest_aiperf.cli_utils import ExitCode, exit_code_of, exit_on_error, show


class Wrong(Exception):
    """What a guard is for."""


def ended(capsys, error, *exceptions, **options):
    """Raise within a guard; return the exit status and what stands on stderr."""
    options = {"title": "the title"} | options
    with pytest.raises(SystemExit) as end, exit_on_error(*exceptions, **options):
        raise error
    out, err = capsys.readouterr()
    assert out == ""
    return end.value.code, err


def panel(err):
    """The text in the panel, its lines joined."""
    rows = re.findall(r"^[│|] (.*?) *[│|]$", err, re.MULTILINE)
    return " ".join(rows)


def test_an_error_becomes_a_panel_on_stderr_and_the_exit_status(capsys):
    """A4."""
    code, err = ended(capsys, Wrong("no such file"), Wrong, exit_code=ExitCode.USAGE)
    assert code == 2
    assert type(code) is int
    assert panel(err) == "no such file"
    assert "the title" in err


def test_the_exit_status_is_one_unless_said_otherwise(capsys):
    assert ended(capsys, Wrong("x"), Wrong)[0] == 1


def test_the_message_may_stand_within_a_sentence(capsys):
    _, err = ended(capsys, Wrong("{e} and [/red]"), Wrong, message="cannot read it: {e}")
    assert panel(err) == "cannot read it: {e} and [/red]"


def test_markup_in_message_and_title_is_shown_as_it_is(capsys):
    """A4: markup in the message is escaped."""
    _, err = ended(capsys, Wrong("[/INST] [bold]x[/bold] :smile:"), Wrong, title="[red]t")
    assert panel(err) == "[/INST] [bold]x[/bold] :smile:"
    assert "[red]t" in err


def test_what_could_move_the_cursor_is_not_shown(capsys):
    _, err = ended(capsys, Wrong("a\x1b[2Jb\nc\x07"), Wrong, show_traceback=False)
    assert panel(err) == "a\N{REPLACEMENT CHARACTER}[2Jb c\N{REPLACEMENT CHARACTER}"
    assert "\x1b[2J" not in err


def test_an_error_without_words_is_named(capsys):
    assert panel(ended(capsys, Wrong(), Wrong)[1]) == "Wrong()"


def test_a_traceback_is_printed_unless_it_is_not_wanted(capsys):
    """A4."""
    assert "Traceback (most recent call last)" in ended(capsys, Wrong("x"), Wrong)[1]
    assert "Traceback" not in ended(capsys, Wrong("x"), Wrong, show_traceback=False)[1]


def test_some_errors_are_never_worth_a_traceback(capsys):
    """A4."""
    options = {"quiet_for": (FileNotFoundError,)}
    assert "Traceback" not in ended(capsys, FileNotFoundError("x"), OSError, **options)[1]
    assert "Traceback" in ended(capsys, PermissionError("x"), OSError, **options)[1]


def test_an_error_that_is_not_named_passes_unchanged(capsys):
    """A4."""
    error = ValueError("other")
    with pytest.raises(ValueError, match="other") as raised, exit_on_error(Wrong, title="t"):
        raise error
    assert raised.value is error
    assert capsys.readouterr() == ("", "")


def test_with_none_named_every_error_is_caught(capsys):
    """A4."""
    assert panel(ended(capsys, ZeroDivisionError("by zero"))[1]) == "by zero"


@pytest.mark.parametrize("error", [SystemExit(7), KeyboardInterrupt(), asyncio.CancelledError()])
def test_what_ends_a_program_on_purpose_is_never_caught(capsys, error):
    """A4."""
    with pytest.raises(type(error)) as raised, exit_on_error(title="t"):
        raise error
    assert raised.value is error
    assert capsys.readouterr() == ("", "")


def test_nothing_happens_without_an_error(capsys):
    with exit_on_error(title="t"):
        pass
    assert capsys.readouterr() == ("", "")


def test_two_guards_tell_a_configuration_from_a_defect(capsys):
    """A5: the inner one without a traceback, the outer one with."""

    def command(error):
        with (
            pytest.raises(SystemExit) as end,
            exit_on_error(title="outer", exit_code=ExitCode.INVALID),
            exit_on_error(Wrong, title="inner", show_traceback=False, exit_code=ExitCode.USAGE),
        ):
            raise error
        return end.value.code, capsys.readouterr().err

    code, err = command(Wrong("x"))
    assert (code, "inner" in err, "Traceback" in err) == (2, True, False)
    code, err = command(RuntimeError("x"))
    assert (code, "outer" in err, "Traceback" in err) == (3, True, True)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("pass", 0),
        ("measured", 0),
        ("regressed", 1),
        ("no_baseline", 2),
        ("not_comparable", 2),
        ("invalid", 3),
        ("inconclusive", 0),
    ],
)
def test_every_verdict_has_its_exit_status(verdict, status):
    """A7."""
    assert exit_code_of(verdict) == status


def test_inconclusive_fails_only_where_the_user_wants_it():
    assert exit_code_of("inconclusive", fail_on_inconclusive=True) == 4
    assert exit_code_of("pass", fail_on_inconclusive=True) == 0


def test_an_unknown_verdict_is_no_success():
    with pytest.raises(KeyError):
        exit_code_of("fine")


def test_text_is_shown_on_a_terminal_that_has_no_such_letters(monkeypatch):
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    show("ttft ▁▂ 3 ms ± 1")
    sys.stdout.flush()
    assert shown.getvalue() == b"ttft ?? 3 ms ? 1\n"
