"""Which topics to ask a broker for, and what each that comes means.

Asking: hundreds of assets differ in one level of their topic. From `JOINED` such
topics on, one filter with ``+`` at that level is asked for instead of each: a
SUBSCRIBE stays small and the broker matches one pattern. It may bring topics of
assets nobody configured; these are counted, never an error.

Meaning: one look-up in a dict a message. Topics that only a pattern of the
operator covers are matched once and remembered.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from edge_agent.payloads.reader import Reader, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_agent.config.plant import Binding
    from edge_agent.payloads.reader import Style

JOINED = 20
"""Topics that differ in one level only, from which on they are asked for as one."""

REMEMBERED = 50_000
"""Topics remembered beyond those configured; a bound against a hostile broker."""


def filters(addresses: Iterable[str], *, join: bool = True) -> list[str]:
    """Topic filters that cover every address, none covering another.

    Args:
        addresses: topics, perhaps with wildcards, in any number.
        join: ask for many alike topics as one.
    """
    topics = dict.fromkeys(addresses)
    chosen = dict.fromkeys(_joined(topics)) if join else topics
    wild = [name for name in chosen if "+" in name or "#" in name]
    covers = [(name, _pattern(name)) for name in wild]
    return [
        name
        for name in chosen
        if not any(name != wide and cover.fullmatch(name) for wide, cover in covers)
    ]


def _joined(topics: Iterable[str]) -> Iterable[str]:
    ways = {topic: list(_ways(topic)) for topic in topics}
    sizes = Counter(way for each in ways.values() for way in each)
    for topic, each in ways.items():
        widest = max(each, key=sizes.__getitem__, default=topic)
        yield widest if sizes[widest] >= JOINED else topic


def _ways(topic: str) -> Iterable[str]:
    """The topic with one of its plain levels left open."""
    levels = topic.split("/")
    for place, level in enumerate(levels):
        if level not in {"+", "#"} and not (place == 0 and level.startswith("$")):
            yield "/".join([*levels[:place], "+", *levels[place + 1 :]])


def _pattern(name: str) -> re.Pattern[str]:
    written = re.escape(name).replace(r"\+", "[^/]*").replace("/\\#", "(/.*)?")
    return re.compile(written.replace(r"\#", ".*"), re.DOTALL)


class TopicIndex:
    """Topic to reader.

    Args:
        bindings: tags and their addresses.
        style: how payloads are written.
        time_field: path of the time stamp, None for the time of arrival.
    """

    def __init__(
        self, bindings: Sequence[Binding], style: Style, time_field: str | None
    ) -> None:
        self._style = style
        self._time_field = time_field
        by_address: dict[str, list[Wanted]] = {}
        for bound in bindings:
            wanted = Wanted(bound.tag, bound.field, bound.text)
            by_address.setdefault(bound.address, []).append(wanted)
        self._wild = [
            (_pattern(address), wanted)
            for address, wanted in by_address.items()
            if "+" in address or "#" in address
        ]
        self._known: dict[bytes, Reader | None] = {
            address.encode(): self._reader(address, by_address)
            for address in by_address
        }
        self._configured = len(self._known)

    def find(self, topic: bytes) -> Reader | None:
        """What a topic's messages mean; None for a topic nobody asked about."""
        try:
            return self._known[topic]
        except KeyError:
            return self._learn(topic)

    def _learn(self, topic: bytes) -> Reader | None:
        if len(self._known) >= self._configured + REMEMBERED:
            for name in list(self._known)[self._configured :]:
                del self._known[name]
        reader = self._reader(topic.decode("utf-8", "replace"), {})
        self._known[topic] = reader
        return reader

    def _reader(
        self, topic: str, exact: Mapping[str, Sequence[Wanted]]
    ) -> Reader | None:
        wanted = list(exact.get(topic, ()))
        for pattern, wild in self._wild:
            if wild is not exact.get(topic) and pattern.fullmatch(topic):
                wanted += wild
        return Reader(wanted, self._style, self._time_field) if wanted else None
