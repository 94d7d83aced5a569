"""The JSON files of a directory registry: what shall be, and what is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge_agent.registry.listing import HALTED, Report

if TYPE_CHECKING:
    from pathlib import Path

#: Bytes that a file of a stick may have at most.
MAX_DOCUMENT = 2**20
_HALTED_VERSION = HALTED.removesuffix(".")


class Unreadable(ValueError):
    """A file that holds something else; the text says what and where."""


class Desired(msgspec.Struct, forbid_unknown_fields=True):
    """``NAME/desired.json``: how the centre steers one model.

    Attributes:
        aliases: alias -> version.
        tags: of the model.
        versions: version -> its tags.
    """

    aliases: dict[str, str] = {}
    tags: dict[str, str] = {}
    versions: dict[str, dict[str, str]] = {}

    def point(self, alias: str, version: str | None) -> None:
        """Set or remove an alias."""
        _put(self.aliases, alias, version)

    def tag(self, key: str, value: str | None) -> None:
        """Set or remove a tag of the model; a halt is shown at its version too."""
        _put(self.tags, key, value)
        if key.startswith(HALTED):
            version = key.removeprefix(HALTED)
            _put(self.versions.setdefault(version, {}), _HALTED_VERSION, value)


def _put(words: dict[str, str], key: str, value: str | None) -> None:
    if value is None:
        words.pop(key, None)
    else:
        words[key] = value


def read_desired(body: bytes | None, path: Path) -> Desired:
    """What a desired.json says; nothing where there is none.

    Raises:
        Unreadable: it is no such file.
    """
    if body is None:
        return Desired()
    try:
        return msgspec.json.decode(body, type=Desired)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} is not readable: {error}") from error


def write_desired(desired: Desired) -> bytes:
    """As people can read and edit it."""
    return _pretty(desired)


def read_report(body: bytes, path: Path) -> Report:
    """What a gateway reported.

    Raises:
        Unreadable: it is no report.
    """
    try:
        return msgspec.json.decode(body, type=Report)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} is no report: {error}") from error


def write_report(report: Report) -> bytes:
    """As people can read it."""
    return _pretty(report)


def _pretty(document: object) -> bytes:
    encoded = msgspec.json.encode(document, order="sorted")
    return msgspec.json.format(encoded, indent=2) + b"\n"
