"""What a folder holds, however hostile the folder is."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.bundle import tree
from edge_agent.errors import ModelRejected
from edge_agent.registry import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    Plant = Callable[[Path], None]


def digest(body: bytes) -> str:
    """SHA-256 as hex digits."""
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files, and a secret beside it."""
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_bytes(b"x")
    made = tmp_path / "bundle"
    (made / "d").mkdir(parents=True)
    (made / "a").write_bytes(b"a")
    (made / "d" / "b").write_bytes(b"b")
    return made


def test_every_file_is_listed(folder: Path) -> None:
    """Hidden ones and those in folders too, by name; folders alone leave no trace."""
    (folder / ".git" / "objects").mkdir(parents=True)
    (folder / ".git" / "x").write_bytes(b"x")
    (folder / "größe.bin").write_bytes(b"")

    found = tree.listed(folder)

    assert found == {
        ".git/x": digest(b"x"),
        "a": digest(b"a"),
        "d/b": digest(b"b"),
        "größe.bin": digest(b""),
    }
    assert list(found) == sorted(found)
    assert all(tree.plain(name) for name in found)


def test_a_large_file_is_summed_in_pieces(folder: Path) -> None:
    """The sum of five and a bit MiB is that of the whole."""
    body = os.urandom(5 * 2**20 + 17)
    (folder / "a").write_bytes(body)

    assert tree.listed(folder)["a"] == digest(body)


def test_the_folder_itself_may_be_reached_by_a_link(folder: Path) -> None:
    """Where the bundle lies is the operator's; only what is in it is not."""
    link = folder.with_name("current")
    link.symlink_to(folder)

    assert tree.listed(link) == tree.listed(folder)


def pipe(folder: Path) -> None:
    """Nobody ever writes to it."""
    os.mkfifo(folder / "bad")


def unix_socket(folder: Path) -> None:
    """The name of a socket that is bound and closed."""
    here = Path.cwd()
    os.chdir(folder)  # such names are at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("bad")
    finally:
        os.chdir(here)


def too_deep(folder: Path) -> None:
    """A file ten folders below."""
    (folder / "/".join("1234567890")).mkdir(parents=True)
    (folder / "/".join("1234567890") / "bad").write_bytes(b"")


def too_many(folder: Path) -> None:
    """257 files with the two there are."""
    for number in range(tree.MAX_FILES - 1):
        (folder / f"{number}").write_bytes(b"")


def too_many_folders(folder: Path) -> None:
    """As many folders, and nothing in them."""
    for number in range(tree.MAX_FILES):
        (folder / f"{number}").mkdir()


def too_large(folder: Path) -> None:
    """A gigabyte of holes: no disk space, hours of reading in larger ones."""
    with (folder / "bad").open("wb") as file:
        file.truncate(tree.MAX_BYTES)


def not_text(folder: Path) -> None:
    """A name in Latin-1."""
    Path(os.fsdecode(os.fsencode(folder) + b"/bad\xe4")).write_bytes(b"")


def named(*names: str) -> Plant:
    """Empty files."""

    def plant(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"")

    return plant


HOSTILE: dict[str, tuple[Plant, str]] = {
    "link to a file": (lambda f: (f / "bad").symlink_to("../secret"), "symbolic link"),
    "link to a folder": (lambda f: (f / "bad").symlink_to("../elsewhere"), "symbolic"),
    "link to nothing": (lambda f: (f / "bad").symlink_to("nothing"), "symbolic link"),
    "link inside": (lambda f: (f / "bad").symlink_to("a"), "symbolic link"),
    "hard link": (lambda f: (f / "bad").hardlink_to(f.parent / "secret"), "hard link"),
    "pipe": (pipe, "bad is a pipe"),
    "socket": (unix_socket, "bad is a socket"),
    "too deep": (too_deep, "lies too deep"),
    "too many": (too_many, "more than 256 files"),
    "too many folders": (too_many_folders, "more than 256 files or folders"),
    "too large": (too_large, "more than 1024 MiB"),
    "case": (named("model.onnx", "Model.onnx"), "one name on some systems"),
    "case of a folder": (named("D/c"), "one name on some systems"),
    "composed": (named("\u00e4", "a\u0308"), "one name on some systems"),
    "full width": (named("m", "\uff4d"), "one name on some systems"),
    "sharp s": (named("masse", "ma\u00dfe"), "one name on some systems"),
    "line feed": (named("a\nb"), r"'a\\nb' has characters that do not print"),
    "escape": (named("\x1b[2J"), "characters that do not print"),
    "right to left": (named("x\u202egpj.exe"), "characters that do not print"),
    "no text": (not_text, "is not UTF-8"),
    "backslash": (named("a\\b"), "a backslash"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_plain_file_is_refused(what: str, folder: Path) -> None:
    """Links, pipes, names that clash or do not print, too much: refused by name."""
    plant, said = HOSTILE[what]
    plant(folder)

    with pytest.raises(ModelRejected, match=said) as caught:
        tree.listed(folder)

    assert str(caught.value).startswith(str(folder))
    assert str(caught.value).isprintable()


def test_a_long_path_is_refused(folder: Path) -> None:
    """Eight folders may be nested, but not with names of 200 characters each."""
    below = folder
    for _ in range(6):
        below = below / ("x" * 200)
        below.mkdir()

    with pytest.raises(ModelRejected, match="lies too deep"):
        tree.listed(folder)


def test_as_much_as_is_allowed_is_listed(folder: Path) -> None:
    """256 files, eight folders deep."""
    below = folder / "/".join("12345678")
    below.mkdir(parents=True)
    for number in range(tree.MAX_FILES - 2):
        (below / f"{number}").write_bytes(b"")

    assert len(tree.listed(folder)) == tree.MAX_FILES == registry.MAX_FILES


@pytest.mark.parametrize("missing", ["nothing", "a"])
def test_no_folder(missing: str, folder: Path) -> None:
    """A path with no folder behind it is refused in a sentence."""
    with pytest.raises(ModelRejected, match=f"{folder / missing} cannot be read"):
        tree.listed(folder / missing)


def test_what_grows_while_it_is_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit counts bytes that were read, not only those announced."""
    (folder / "a").write_bytes(b"a" * 100)
    monkeypatch.setattr(tree._Walk, "_count", lambda *_, **__: None)
    monkeypatch.setattr(tree, "MAX_BYTES", 99)

    with pytest.raises(ModelRejected, match="more than"):
        tree.listed(folder)


def to_link(path: Path) -> None:
    """A link to what lies outside."""
    target = path.parents[1] / ("elsewhere" if path.is_dir() else "secret")
    path.rename(path.with_name("was"))
    path.symlink_to(target)


def to_pipe(path: Path) -> None:
    """A pipe, which would make open() wait for ever."""
    path.unlink()
    os.mkfifo(path)


def to_hard_link(path: Path) -> None:
    """The same file under another name."""
    path.unlink()
    path.hardlink_to(path.parents[1] / "secret")


@pytest.mark.parametrize(
    ("name", "swap"),
    [("a", to_link), ("a", to_pipe), ("a", to_hard_link), ("d", to_link)],
)
def test_a_swap_between_look_and_open_is_seen(
    name: str, swap: Plant, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is put in a file's place after it was looked at is not followed."""
    open_as_ever = os.open
    swapped: list[str] = []

    def open_late(path: Any, *rest: Any, **more: Any) -> int:  # noqa: ANN401
        if path == name and not swapped:
            swapped.append(name)
            swap(folder / name)
        return open_as_ever(path, *rest, **more)

    monkeypatch.setattr(os, "open", open_late)

    with pytest.raises(ModelRejected, match=f"{folder}: {name} "):
        tree.listed(folder)
    assert swapped


def test_one_file_is_read_with_the_same_care(folder: Path) -> None:
    """Its bytes, or None where there is none; too large or a link is refused."""
    assert tree.read_one(folder, "a", 1) == b"a"
    assert tree.read_one(folder, "b", 1) is None
    with pytest.raises(ModelRejected, match="larger than 0 bytes"):
        tree.read_one(folder, "a", 0)
    with pytest.raises(ModelRejected, match="d is a folder"):
        tree.read_one(folder, "d", 9)
    (folder / "link").symlink_to("a")
    with pytest.raises(ModelRejected, match="symbolic link"):
        tree.read_one(folder, "link", 9)
    with pytest.raises(ModelRejected, match="cannot be read"):
        tree.read_one(folder / "nothing", "a", 9)


@given(st.text(max_size=40))
def test_a_plain_name_stays_below(name: str) -> None:
    """Whatever a signature lists, a plain name leads nowhere but downwards."""
    if tree.plain(name):
        joined = os.path.normpath(f"/bundle/{name}")
        assert joined == f"/bundle/{name}"
        assert joined.startswith("/bundle/")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\\b", "\0"],
)
def test_names_that_lead_elsewhere_are_not_plain(name: str) -> None:
    """Absolute, climbing, doubled or unprintable names."""
    assert not tree.plain(name)
