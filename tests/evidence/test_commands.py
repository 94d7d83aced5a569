"""`edge-agent evidence`, and the same checks without it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import edge_agent.evidence
from edge_agent.bundle import keys
from edge_agent.cli.main import main
from edge_agent.evidence import entries, guide, segments
from edge_agent.evidence.package import Asked, export
from tests.evidence.booked import DAY, START, Book

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A log of four days, closed."""
    one = Book(tmp_path / "state" / "evidence")
    one.open()
    for _ in range(4):
        one.append(5)
        one.append(5)
        one.clock.time += DAY
    one.log.close()
    return one


def verify(*typed: object) -> int:
    """Exit code of the command."""
    return main(["evidence", "verify", *map(str, typed)])


def test_a_good_log_is_said_to_be_good(
    book: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many entries, from when to when, signed by whom; exit code 0."""
    key = book.folder / "gateway.pub"
    assert verify("--state-dir", book.folder.parent, "--key", key) == 0

    said = capsys.readouterr().out
    assert "gw-1: " in said
    assert "8 alarm" in said
    assert keys.key_id(keys.load_public(key)) in said
    assert "it is as it was written" in said
    assert "beside the log" not in said


def test_an_edit_is_located(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line and number are said as text and as JSON; exit code 1."""
    path = book.folder / "000002.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    number = json.loads(lines[3])["number"]
    lines[3] = lines[3].replace(b"version 3", b"version 4")
    path.write_bytes(b"".join(lines))

    assert verify("--state-dir", book.folder.parent) == 1
    assert f"PROBLEM 000002.jsonl:4 (number {number}): " in capsys.readouterr().out
    assert verify("--state-dir", book.folder.parent, "--json") == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["file"], problem["line"]) == ("000002.jsonl", 4)


def test_a_foreign_key_is_refused(
    book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log that is good in itself but signed by somebody else is not good."""
    other = keys.made()
    keys.write_pair(tmp_path / "o.key", tmp_path / "o.pub", other)

    args = ("--state-dir", book.folder.parent, "--key", tmp_path / "o.pub")
    assert verify(*args) == 1
    assert "is not trusted" in capsys.readouterr().out


def test_a_lone_segment_is_checked_to_its_last_byte(book: Book) -> None:
    """The anchor at its end follows from what is signed in it, its other keys too."""
    path, key = book.folder / "000002.jsonl", book.folder / "gateway.pub"
    assert verify(path, "--key", key) == 0
    text = path.read_bytes()
    head, _, end = text.rpartition(b'"boot":0')
    path.write_bytes(head + b'"boot":1' + end)
    assert verify(path, "--key", key) == 1


def test_a_head_that_was_noted_elsewhere_is_compared(
    book: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    """The centre's copy of a number and hash finds a log that was made anew."""
    one = list(entries(book.folder))[10]
    state = book.folder.parent

    assert verify("--state-dir", state, "--head", f"{one.number}:{one.hash}") == 0
    assert verify("--state-dir", state, "--head", f"{one.number}:{'0' * 64}") == 1
    assert "has another hash" in capsys.readouterr().out
    assert verify("--state-dir", state, "--head", f"999:{one.hash}") == 1
    with pytest.raises(SystemExit):
        verify("--head", "999")


def test_what_is_not_signed_yet_is_said(
    book: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines behind the newest head are no damage and no proof: exit code 3."""
    head = (book.folder / "head.jsonl").read_bytes()
    book.open()
    book.append(2)
    (book.folder / "head.jsonl").write_bytes(head)

    assert verify("--state-dir", book.folder.parent) == 3
    assert "have no signature yet" in capsys.readouterr().out


def test_there_is_nothing_to_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong path is exit code 69 and says what to name."""
    assert verify("--state-dir", tmp_path) == 69
    (tmp_path / "evidence").mkdir()
    assert verify("--state-dir", tmp_path) == 69
    assert "name the state folder" in capsys.readouterr().err
    for words in (("verify",), ("show",)):
        gone = ["evidence", *words, "--state-dir", str(tmp_path / "gone")]
        assert main(gone) == 69
        said = capsys.readouterr().err
        assert "there is no" in said
        assert "name the state folder" in said
        assert "Errno" not in said
    (tmp_path / "x.tar").write_bytes(b"no archive")
    assert verify(tmp_path / "x.tar") == 69


def test_a_reader_that_leaves_is_no_error(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`evidence show | head` says nothing of a pipe."""

    def gone(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    arguments = ["evidence", "show", "--state-dir", str(book.folder.parent)]
    monkeypatch.setattr("builtins.print", gone)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert main(arguments) == 0


@pytest.mark.parametrize("name", ["package.tar", "package"])
@pytest.mark.parametrize(
    "asked",
    [
        (),
        ("--since", "2026-03-02", "--until", "2026-03-02T12:00Z"),
        ("--alarm", f"pump-anomaly/0/{START}"),
    ],
)
def test_a_package_is_verified_elsewhere(
    book: Book,
    tmp_path: Path,
    name: str,
    asked: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was exported holds what was asked for and is good on another machine."""
    out = tmp_path / name
    where = ["--state-dir", str(book.folder.parent)]
    assert main(["evidence", "export", *where, "--out", str(out), *asked]) == 0
    key = tmp_path / "pinned.pub"
    shutil.copy(book.folder / "gateway.pub", key)
    shutil.rmtree(book.folder)

    assert verify(out, "--key", key) == 0
    assert "PROBLEM" not in capsys.readouterr().out
    assert main(["evidence", "export", *where, "--out", str(out), *asked]) == 69


@pytest.mark.parametrize("what", ["line", "file", "end", "manifest", "head"])
def test_a_spoiled_package_is_found(book: Book, tmp_path: Path, what: str) -> None:
    """A package is as hard to change as the log."""
    out = tmp_path / "package"
    export(book.folder, Asked(until=START + DAY + DAY // 2), out, START)
    last = max(out.glob("0*.jsonl"))
    match what:
        case "line":
            last.write_bytes(last.read_bytes().replace(b"inbox", b"INBOX"))
        case "file":
            sorted(out.glob("0*.jsonl"))[1].unlink()
        case "end":
            os.truncate(last, last.stat().st_size // 2)
        case "manifest":
            text = (out / "manifest.json").read_text()
            (out / "manifest.json").write_text(text.replace('"last": ', '"last": 1'))
        case _:
            export(book.folder, Asked(), tmp_path / "whole", START)
            out = tmp_path / "whole"
            head = (out / "head.jsonl").read_bytes()
            (out / "head.jsonl").write_bytes(head.replace(b"gw-1", b"gw-2"))

    assert verify(out) == 1


def test_a_running_log_is_exported_up_to_its_head(book: Book, tmp_path: Path) -> None:
    """Lines behind the head may be cut off yet: the package ends before them."""
    head = (book.folder / "head.jsonl").read_bytes()
    log = book.open()
    before = log.head()
    book.append(2)
    (book.folder / "head.jsonl").write_bytes(head)

    made = export(book.folder, Asked(), tmp_path / "p.tar", START)

    assert before is not None
    assert made.last == before.number
    assert verify(tmp_path / "p.tar") == 0


def test_it_can_be_read(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """One line an entry and its words; or the very lines, as JSON."""
    where = ["--state-dir", str(book.folder.parent)]
    assert main(["evidence", "show", *where, "--kind", "alarm"]) == 0
    said = capsys.readouterr().out
    assert said.count("alarm    active P-101") == 8
    assert "(score 3.0, threshold 2.5, pump-anomaly@3," in " ".join(said.split())

    assert main(["evidence", "show", *where, "--json", "--since", "2026-03-03"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(json.loads(line)["date"] >= "2026-03-03" for line in lines)
    assert main(["evidence", "show", *where]) == 0
    assert main(["evidence", "show", "--state-dir", "/nowhere"]) == 69


def test_the_chain_is_checked_with_python_alone(book: Book, tmp_path: Path) -> None:
    """The lines of the documentation and of the guide do what they say."""
    newest = list(entries(book.folder))[-1]
    expected = f"{newest.number} {newest.hash}\n"
    doc = str(edge_agent.evidence.__doc__)
    ours = _indented(doc[doc.index("    import hashlib") :])
    assert _python(ours, book.folder.parent) == expected

    export(book.folder, Asked(), tmp_path / "p", START)
    guided = guide.README[guide.README.index("  import hashlib") :]
    assert _python(_indented(guided), tmp_path / "p") == expected


def _indented(text: str) -> str:
    """Lines up to the first that stands further left."""
    width = len(text) - len(text.lstrip())
    lines = []
    for line in text.splitlines():
        if line.strip() and not line.startswith(" " * width):
            break
        lines.append(line[width:])
        if line.lstrip().startswith("print("):
            break
    return "\n".join(lines)


def _python(text: str, where: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-I", "-c", text],
        cwd=where,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


@pytest.mark.skipif(
    not (shutil.which("jq") and shutil.which("openssl")), reason="needs jq and openssl"
)
def test_a_signature_is_checked_with_openssl(book: Book, tmp_path: Path) -> None:
    """The shell lines of the guide verify an anchor, and one line's hash."""
    export(book.folder, Asked(), tmp_path / "p", START)
    where = tmp_path / "p"
    shell = re.sub(r"\n  ", "\n", guide.README)
    signed = shell[shell.index("line=$(tail") : shell.index("\n\nWhat it shows")]
    assert _shell(signed, where).strip() == "Verified OK"

    hashed = shell[shell.index("line=$(sed") : shell.index("\n\nWithout it: a sig")]
    hashed = hashed.replace("7p", "3p")
    lines = (where / "000001.jsonl").read_bytes().splitlines()
    assert _shell(hashed, where).split()[0] == json.loads(lines[3])["previous"]
    key = (where / "gateway.pub").read_bytes()
    newest = segments.of_folder(where)[-1].name
    last = json.loads((where / newest).read_bytes().splitlines()[-1])
    assert hashlib.sha256(key).hexdigest() == last["body"]["key"]


def _shell(text: str, where: Path) -> str:
    ran = subprocess.run(
        ["/bin/bash", "-euc", text],
        cwd=where,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout
