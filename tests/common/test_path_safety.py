"""Reading a path that a user gave (systems.md J1 to J6), with real files."""

from __future__ import annotations

import os
import socket
import warnings
from pathlib import Path

import pytest

from pytest_aiperf.common import path_safety
from pytest_aiperf.common.path_safety import MAX_BYTES, safe_read_bytes, safe_read_template_path


@pytest.fixture
def folder(tmp_path):
    """A directory whose path holds no symbolic link."""
    return tmp_path.resolve()


def silently(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return safe_read_template_path(path)


def refused(path, why):
    with pytest.warns(UserWarning, match=why) as seen:
        assert safe_read_template_path(path) is None
    assert seen[0].filename == __file__
    return str(seen[0].message)


def test_a_regular_utf8_file_gives_its_text(folder):
    """J1."""
    (folder / "prompt.txt").write_text("Grüße, {{ name }}\n", encoding="utf-8")
    assert silently(str(folder / "prompt.txt")) == "Grüße, {{ name }}\n"
    assert safe_read_bytes(folder / "prompt.txt") == "Grüße, {{ name }}\n".encode()


def test_a_tilde_is_the_home_directory(folder, monkeypatch):
    """J3."""
    monkeypatch.setenv("HOME", str(folder))
    (folder / "t.txt").write_text("x")
    assert silently("~/t.txt") == "x"


@pytest.mark.parametrize(
    "text", ["", "a\0b", None, 3, b"bytes", ["a"], "a prompt, not a path", "x" * 5000, "\ud800"]
)
def test_what_names_no_file_is_none_without_a_word(text):
    assert silently(text) is None


def test_a_missing_file_is_none_without_a_word(folder):
    (folder / "file").write_text("x")
    assert silently(str(folder / "absent.txt")) is None
    assert silently(str(folder / "file" / "below.txt")) is None


def test_a_directory_is_refused_and_leaves_no_descriptor_open(folder):
    before = len(os.listdir("/proc/self/fd"))
    refused(str(folder), "not a regular file")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_fifo_is_refused_without_blocking(folder):
    """J2, J4."""
    os.mkfifo(folder / "pipe")
    refused(str(folder / "pipe"), "not a regular file")


def test_a_device_is_refused():
    """J2."""
    refused("/dev/null", "not a regular file")


def test_a_socket_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)  # the path of a socket is limited to about a hundred characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        refused(str(folder / "s"), ".")


def test_a_symbolic_link_is_refused_wherever_it_stands(folder):
    """J2, J6."""
    (folder / "real").mkdir()
    (folder / "real" / "t.txt").write_text("x")
    (folder / "link").symlink_to(folder / "real")
    (folder / "t.txt").symlink_to(folder / "real" / "t.txt")
    assert "link is a symbolic link" in refused(str(folder / "link" / "t.txt"), "symbolic link")
    refused(str(folder / "t.txt"), "symbolic link")
    refused(str(folder / "link" / ".." / "real" / "t.txt"), "symbolic link")


def test_a_dangling_link_is_refused(folder):
    (folder / "gone").symlink_to(folder / "nowhere")
    refused(str(folder / "gone"), "symbolic link")


def test_a_file_that_becomes_a_link_after_the_check_is_not_read(folder, monkeypatch):
    """J5."""
    (folder / "secret").write_text("secret")
    (folder / "t.txt").symlink_to(folder / "secret")
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)  # what the check saw a moment ago
    refused(str(folder / "t.txt"), ".")


def test_an_unknown_home_is_refused():
    refused("~nobody-of-this-name/x", "home directory")


def test_a_file_that_is_not_utf8_is_refused_as_text_and_read_as_bytes(folder):
    (folder / "latin").write_bytes(b"Gr\xfc\xdfe")
    refused(str(folder / "latin"), "not UTF-8")
    assert safe_read_bytes(str(folder / "latin")) == b"Gr\xfc\xdfe"


def test_an_empty_file_is_refused(folder):
    (folder / "empty").touch()
    refused(str(folder / "empty"), "empty")


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_refused(folder):
    path = folder / "big"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES)
    assert len(safe_read_bytes(str(path))) == MAX_BYTES
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.warns(UserWarning, match=f"larger than {MAX_BYTES} bytes"):
        assert safe_read_bytes(str(path)) is None


def test_a_limit_of_the_caller_holds(folder):
    (folder / "f").write_bytes(b"12345")
    assert safe_read_bytes(folder / "f", max_bytes=5) == b"12345"
    with pytest.warns(UserWarning, match="larger than 4 bytes"):
        assert safe_read_bytes(folder / "f", max_bytes=4) is None


def test_an_unreadable_file_is_refused_with_the_reason(folder, monkeypatch):
    """Stands in for permissions, which do not bind root: `os.open` answers as it would to anybody else."""
    (folder / "f").write_text("x")

    def denied(path, flags):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(path_safety.os, "open", denied)
    refused(str(folder / "f"), "Permission denied")
