"""Files that are whole after a power cut."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from edge_agent.durable import write_below, write_whole

if TYPE_CHECKING:
    from pathlib import Path


def _refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_refused_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A full disk keeps what was there, and gets the room of the new file back."""
    path = tmp_path / "desired.json"
    write_whole(path, b"old")
    with monkeypatch.context() as broken:
        broken.setattr(os, step, _refuse)
        with pytest.raises(OSError, match="No space"):
            write_whole(path, b"new")

    assert [p.name for p in tmp_path.iterdir()] == ["desired.json"]
    assert path.read_bytes() == b"old"


def test_what_a_crash_left_is_written_over(tmp_path: Path) -> None:
    """A temporary file, or a link put in its place, never stands in the way."""
    outside = tmp_path / "outside"
    (tmp_path / ".a.new").symlink_to(outside)

    write_whole(tmp_path / "a", b"whole", 0o600)

    assert (tmp_path / "a").read_bytes() == b"whole"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert not outside.exists()


def test_everything_is_synced_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content first, then the name: else a power cut leaves an empty file."""
    order: list[str] = []
    sync, rename = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        order.append("sync")
        sync(descriptor)

    def renamed(old: str, new: str, **folders: int) -> None:
        order.append("rename")
        rename(old, new, **folders)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)

    write_whole(tmp_path / "a", b"body")

    assert order == ["sync", "rename", "sync"]


def test_a_link_on_the_way_is_an_error(tmp_path: Path) -> None:
    """Only the folder that was named may be one."""
    (tmp_path / "root").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "root")
    write_below(tmp_path / "link", ["a", "b", "file"], b"body")
    (tmp_path / "root/a/c").symlink_to(tmp_path)

    assert (tmp_path / "root/a/b/file").read_bytes() == b"body"
    with pytest.raises(OSError, match="c"):
        write_below(tmp_path / "root", ["a", "c", "file"], b"body")
