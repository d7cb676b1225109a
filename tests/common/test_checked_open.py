"""Files and folders that are opened, and read bit by bit (systems.md J)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_aiperf.common.path_safety import checked_listing, checked_open


def test_a_regular_file_is_opened_for_reading(tmp_path: Path) -> None:
    """J1, J3, J5: of any size, also an empty one: what is read of it is the caller's business."""
    path = tmp_path / "data"
    path.write_bytes(b"")
    descriptor, why = checked_open(path)
    assert why is None
    assert descriptor is not None
    path.write_bytes(b"abc")
    assert os.pread(descriptor, 2, 1) == b"bc"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(descriptor, b"x")
    os.close(descriptor)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing", None),
        ("file/below", None),
        ("x" * 5000, None),
        ("nul\0", None),
        ("folder", "it is not a regular file"),
        ("fifo", "it is not a regular file"),
        ("link", "is a symbolic link; give the path that it points to"),
        ("linked/file", "is a symbolic link; give the path that it points to"),
    ],
)
def test_what_is_no_regular_file_is_refused_without_waiting(
    name: str, why: str | None, tmp_path: Path
) -> None:
    """J2, J4: nothing to open and something refused are told apart; a fifo nobody writes to does not block."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "linked").symlink_to(tmp_path)
    before = len(os.listdir("/dev/fd"))
    descriptor, told = checked_open(f"{tmp_path}/{name}")
    assert descriptor is None
    assert told is None if why is None else str(told).endswith(why)
    assert len(os.listdir("/dev/fd")) == before


def test_a_link_that_is_put_there_after_the_look_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J5: the file that is opened is the one that was checked."""
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to("secret")
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    assert checked_open(tmp_path / "link")[0] is None


def test_a_folder_is_listed_and_nothing_else_is(tmp_path: Path) -> None:
    """J2, J4."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / name).write_text("x")
    (tmp_path / "link").symlink_to("folder")
    assert checked_listing(folder) == (["a", "b"], None)
    assert checked_listing(tmp_path / "missing") == (None, None)
    assert checked_listing(folder / "a") == (None, None)
    names, why = checked_listing(tmp_path / "link")
    assert names is None
    assert str(why).endswith("is a symbolic link; give the path that it points to")
