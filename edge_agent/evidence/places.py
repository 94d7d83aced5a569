"""Where a log may lie that is to be checked: a state folder, a package, files."""

from __future__ import annotations

import hashlib
import io
import itertools
import tarfile
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec

from edge_agent.bundle.keys import key_id
from edge_agent.errors import ConfigError
from edge_agent.evidence import heads, keyring
from edge_agent.evidence.checking import Check
from edge_agent.evidence.report import Problem
from edge_agent.evidence.segments import NAME, Segment, of_file, of_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge_agent.bundle.keys import PublicKey
    from edge_agent.evidence.report import Report
    from edge_agent.evidence.signing import Head

MANIFEST, README = "manifest.json", "README.txt"
_MOST = 1 << 20
_MEMBERS = 100_000
_HINT = (
    "name the state folder of an agent (--state-dir), its evidence folder, or a package"
)
#: Bytes of a segment in a package at most.
_LARGEST = 256 << 20


class File(msgspec.Struct, frozen=True):
    """A segment as a manifest has it."""

    sha256: str
    bytes: int
    first: int
    last: int


class Manifest(msgspec.Struct, frozen=True):
    """What a package holds; not signed, for the numbers in it are.

    Attributes:
        made: when.
        asked: for what.
        key: id of the key at that time.
        first, last: numbers of its lines.
        hash: of the last.
        files: segments by name.
    """

    format: int
    gateway: str
    made: str
    asked: dict[str, str]
    key: str
    first: int
    last: int
    hash: str
    files: dict[str, File]


@dataclass(frozen=True, slots=True)
class Place:
    """A log to be checked.

    Attributes:
        segments: in order.
        texts: small files beside them, by name.
        manifest: of a package; None for a state folder or lone files.
        whole: of a state folder.
    """

    segments: Sequence[Segment]
    texts: Mapping[str, bytes] = field(default_factory=dict)
    manifest: Manifest | None = None
    whole: bool = False


class Known(NamedTuple):
    """A head that somebody noted elsewhere."""

    number: int
    hash: str


def place_of(paths: Sequence[Path]) -> Place:
    """What lies there.

    Args:
        paths: one folder, one package (tar), or some segments.

    Raises:
        ConfigError: there is no log.
        OSError: it cannot be read.
    """
    first = paths[0]
    if not first.exists():
        raise ConfigError(f"there is no {first}: {_HINT}")
    if len(paths) == 1 and first.is_dir():
        names = [p.name for p in first.iterdir() if _is_beside(p.name)]
        texts = {name: _small(of_file(first / name).open) for name in names}
        found = _made(of_folder(first), texts, str(first))
    elif len(paths) == 1 and not NAME.match(first.name):
        found = _of_tar(first)
    else:
        return Place([of_file(path) for path in paths])
    if not found.segments and heads.NAME not in found.texts:
        raise ConfigError(f"there is no evidence in {first}: {_HINT}")
    return found


def checked(place: Place, keys: Sequence[PublicKey], known: Known | None) -> Report:
    """Check it.

    Args:
        place: the log.
        keys: trusted ones; none for that which lies beside the log.
        known: a head from elsewhere.

    Raises:
        ConfigError: no key is given, and none lies there.
    """
    trusted = {key_id(key): key for key in keys} or _beside(place)
    stood, _ = heads.of_text(place.texts.get(heads.NAME, b""))
    noted = known.number if known is not None else None
    check = Check(trusted, _of_place(place, stood), whole=place.whole, noted=noted)
    report = check.segments(place.segments)
    if known is not None and report.noted != known.hash:
        wrong = "has another hash" if report.noted else "is not there"
        said = f"number {known.number}, as noted elsewhere, {wrong}"
        report.problems.append(Problem(heads.NAME, 1, known.number, said))
    if place.manifest is not None:
        report.problems += _against(place, place.manifest, report)
    return report


def _of_place(place: Place, stood: Sequence[Head]) -> Sequence[Head]:
    """Heads that are about the lines that are there; a package may end before them."""
    manifest = place.manifest
    if manifest is None:
        return stood
    return [head for head in stood if head.number <= manifest.last]


def _beside(place: Place) -> dict[str, PublicKey]:
    text = place.texts.get(keyring.PUBLIC, b"")
    key = keyring.of_pem(text.decode("ascii", "replace"))
    if key is None:
        raise ConfigError(
            f"there is no key beside the log ({keyring.PUBLIC}): name it with --key"
        )
    return {key_id(key): key}


def _against(place: Place, manifest: Manifest, report: Report) -> list[Problem]:
    """What differs from the package's manifest."""
    found = []
    there = {segment.name: segment for segment in place.segments}
    for name, file in manifest.files.items():
        if name not in there:
            found.append(Problem(name, 1, file.first, "the segment is missing"))
        elif _sum(there[name].open) != file.sha256:
            found.append(Problem(name, 1, None, "it is not the file of the manifest"))
    found += [
        Problem(name, 1, None, "the manifest has no such segment")
        for name in there
        if name not in manifest.files
    ]
    end = (report.begin, report.end, report.hash)
    if end != (manifest.first, manifest.last, manifest.hash):
        said = f"it holds {report.begin} to {report.end}, not what the manifest says"
        found.append(Problem(MANIFEST, 1, None, said))
    return found


def _sum(opened: Callable[[], IO[bytes]]) -> str:
    digest = hashlib.sha256()
    with opened() as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _of_tar(path: Path) -> Place:
    try:
        with tarfile.open(path, "r:") as tar:
            members = list(itertools.islice(tar, _MEMBERS))
    except tarfile.TarError as why:
        raise ConfigError(f"{path} is no package of evidence: {why}") from why
    files = {m.name.rpartition("/")[2]: m for m in members if m.isreg()}
    segments = [
        Segment(name, partial(_member, path, member))
        for name, member in files.items()
        if NAME.match(name)
    ]
    texts = {
        name: _small(partial(_member, path, member))
        for name, member in files.items()
        if _is_beside(name)
    }
    each = sorted(segments, key=lambda segment: segment.index)
    return _made(each, texts, str(path))


def _made(segments: Sequence[Segment], texts: Mapping[str, bytes], where: str) -> Place:
    text = texts.get(MANIFEST)
    if text is None:
        return Place(segments, texts, whole=True)
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.MsgspecError, UnicodeError) as why:
        raise ConfigError(f"{where}: {MANIFEST} cannot be read: {why}") from why
    return Place(segments, texts, manifest)


def _member(path: Path, member: tarfile.TarInfo) -> IO[bytes]:
    """A member, read from its place: no archive is left open."""
    with path.open("rb") as file:
        file.seek(member.offset_data)
        return io.BytesIO(file.read(min(member.size, _LARGEST)))


def _small(opened: Callable[[], IO[bytes]]) -> bytes:
    with opened() as file:
        return file.read(_MOST)


def _is_beside(name: str) -> bool:
    return name in {MANIFEST, heads.NAME} or name.endswith(".pub")
