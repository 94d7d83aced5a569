"""A part of the log for an auditor: segments, keys, the head, how to check it all."""

from __future__ import annotations

import hashlib
import io
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edge_agent.dates import instant_of
from edge_agent.errors import ConfigError
from edge_agent.evidence import heads
from edge_agent.evidence.guide import README as GUIDE
from edge_agent.evidence.line import NOTHING
from edge_agent.evidence.places import MANIFEST, README, File, Manifest
from edge_agent.evidence.segments import entry_of, find, lines, of_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge_agent.evidence.segments import Segment
    from edge_agent.evidence.signing import Head

    #: Takes a file's name and its content.
    Put = Callable[[str, bytes], None]


class Asked(NamedTuple):
    """What is wanted; everything where nothing is said.

    Attributes:
        since, until: wall clock, ns.
        alarm: an occurrence.
    """

    since: int | None = None
    until: int | None = None
    alarm: str = ""

    def told(self) -> dict[str, str]:
        """For the manifest."""
        times = {"since": self.since, "until": self.until}
        said = {name: instant_of(at) for name, at in times.items() if at is not None}
        return said | ({"alarm": self.alarm} if self.alarm else {})


def export(folder: Path, asked: Asked, out: Path, made: int) -> Manifest:
    """Write a package; the agent may go on writing.

    Args:
        folder: ``state_dir/evidence``.
        asked: what it must hold; whole segments are taken.
        out: a folder to make, or a file that ends in ``.tar``.
        made: wall clock, ns.

    Raises:
        ConfigError: there is nothing of it, or ``out`` is there already.
        OSError: the disk.
    """
    known, _ = heads.load(folder)
    chosen = _chosen(folder, asked)
    if not known or not chosen:
        raise ConfigError(f"there is no evidence of that in {folder}")
    head = known[-1]
    with _opened(out) as put:
        files, last = _segments(chosen, head, put)
        first = min((file.first for file in files.values()), default=0)
        put(heads.NAME, heads.text_of(head))
        for path in sorted(folder.glob("gateway*.pub")):
            put(path.name, path.read_bytes())
        put(README, GUIDE.encode())
        when, said = instant_of(made), asked.told()
        number, hash_ = last
        manifest = Manifest(
            1, head.gateway, when, said, head.key, first, number, hash_, files
        )
        put(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    return manifest


def _segments(
    chosen: Sequence[Segment], head: Head, put: Put
) -> tuple[dict[str, File], tuple[int, str]]:
    """Copy them up to the head; what is behind it may still be cut off."""
    files, last = {}, (0, NOTHING)
    for segment in chosen:
        body, first, end = _copied(segment, head.number)
        if not first:
            break
        put(segment.name, body)
        digest = hashlib.sha256(body).hexdigest()
        files[segment.name] = File(digest, len(body), first, end[0])
        last = end
    return files, last


def _copied(segment: Segment, until: int) -> tuple[bytes, int, tuple[int, str]]:
    """Bytes, number of the first line, number and hash of the last."""
    body, first, last = bytearray(), 0, (0, NOTHING)
    with segment.open() as file:
        for place, line in enumerate(lines(file), 1):
            found = entry_of(line, segment, place)
            if found is not None and found.number > until:
                break
            body += line
            if found is not None:
                first, last = first or found.number, (found.number, found.hash)
    return bytes(body), first, last


def _chosen(folder: Path, asked: Asked) -> list[Segment]:
    """A run of segments that holds what is asked for."""
    each = of_folder(folder)
    if asked.alarm:
        wanted = {found.file for found in find(folder, asked.alarm)}
    else:
        wanted = {one.name for one in each if _in_range(one, asked)}
    places = [place for place, one in enumerate(each) if one.name in wanted]
    return each[min(places) : max(places) + 1] if places else []


def _in_range(segment: Segment, asked: Asked) -> bool:
    if asked.since is None and asked.until is None:
        return True
    dates = []
    with segment.open() as file:
        for place, line in enumerate(lines(file), 1):
            found = entry_of(line, segment, place)
            dates += [found.date] if found is not None else []
    since = instant_of(asked.since) if asked.since is not None else ""
    until = instant_of(asked.until) if asked.until is not None else "~"
    return any(since <= date <= until for date in dates)


@contextmanager
def _opened(out: Path) -> Iterator[Put]:
    """A new folder or archive; one that is there is not touched."""
    try:
        if out.suffix == ".tar":
            with out.open("xb") as file, tarfile.open(fileobj=file, mode="w:") as tar:
                yield lambda name, body: _add(tar, name, body)
            return
        out.mkdir(parents=True)
        yield lambda name, body: _write(out / name, body)
    except FileExistsError as why:
        raise ConfigError(f"{out} is there already: name another one") from why


def _write(path: Path, body: bytes) -> None:
    path.write_bytes(body)


def _add(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    member = tarfile.TarInfo(f"evidence/{name}")
    member.size, member.mode = len(body), 0o644
    tar.addfile(member, io.BytesIO(body))
