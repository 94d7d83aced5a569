"""Labels in MQTT messages: which pipeline and asset, and what the payload says. Pure.

A payload is a JSON object, or an array of at most `MOST` of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.labels.columns import NO_TIME
from edge_agent.labels.telling import Label, LabelRefused, Reader, wanted
from edge_agent.payloads.paths import ABSENT, Path, found, parsed
from edge_agent.payloads.times import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Labels in one message.
MOST = 1_000
#: Topics from which on one filter with + is asked for instead of each.
JOINED = 20
_ID = "{id}"
_decode = msgspec.json.Decoder().decode


def filters(topic: str, assets: Sequence[str]) -> list[str]:
    """Topic filters for all assets of a topic with {id}."""
    levels = topic.split("/")
    if len(assets) > JOINED and all(_ID not in lv or lv == _ID for lv in levels):
        return ["/".join("+" if level == _ID else level for level in levels)]
    return [topic.replace(_ID, asset) for asset in assets]


class Messages:
    """Reads the messages of one pipeline.

    Args:
        topic: with {id}, + for levels that do not matter.
        reader: of the pipeline.
        assets: ids by position.

    Raises:
        ConfigError: a field is no path.
    """

    def __init__(self, topic: str, reader: Reader, assets: Sequence[str]) -> None:
        written = re.escape(topic).replace(r"\+", "[^/]*")
        first, *more = written.split(re.escape(_ID))
        middle = "([^/]+)" + r"\1".join(more) if more else ""
        self._pattern = re.compile((first + middle).encode())
        self._assets = {asset.encode(): asset for asset in assets}
        self._reader = reader
        settings = reader.settings
        self._paths: list[tuple[str, Path]] = [
            (name, parsed(name)) for name in wanted(settings)
        ]
        self._since, self._until = settings.since, settings.until

    def asset(self, topic: bytes) -> str | None:
        """Which asset's topic it is; None for none of these."""
        match = self._pattern.fullmatch(topic)
        if match is None:
            return None
        return self._assets.get(match[1]) if match.re.groups else ""

    def read(self, payload: bytes, asset: str) -> Iterator[Label | LabelRefused]:
        """The labels of a message, and what is wrong with the others.

        Args:
            payload: as received.
            asset: of its topic.
        """
        try:
            message = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield LabelRefused("malformed", "", "the payload is not JSON")
            return
        several = message if isinstance(message, list) else [message]
        if len(several) > MOST:
            yield LabelRefused("size", "", f"more than {MOST} labels in one message")
            return
        for one in several:
            try:
                yield self._label(one, asset)
            except LabelRefused as why:
                yield why

    def _label(self, message: object, asset: str) -> Label:
        if not isinstance(message, dict):
            raise LabelRefused("shape", "", "a label is a JSON object")
        values = {name: found(message, path) for name, path in self._paths}
        since, until = (
            _time(name, values.pop(name)) for name in (self._since, self._until)
        )
        texts = {name: _text(name, value) for name, value in values.items()}
        return self._reader.read(texts, since, until, asset)


def _time(name: str, value: object) -> int:
    if value is ABSENT or value is None or value == "":
        return NO_TIME
    try:
        return nanoseconds(value)
    except (ValueError, OverflowError):
        hint = "write ISO 8601, or seconds or milliseconds since 1970"
        raise LabelRefused("time", name, f"{name} is no time; {hint}") from None


def _text(name: str, value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    if value is ABSENT or value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value}"
    if isinstance(value, str):
        return value.strip()
    said = f"{name} is an object or an array, not a text or a number"
    raise LabelRefused("shape", name, said)
