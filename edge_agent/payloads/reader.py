"""What the messages of one topic mean: payload to values of known tags.

The usual case is decoded straight into a typed record made for the topic, which
costs 1-2 us for 20 tags. Only when a field has another type than expected the
message is decoded again, loosely, and judged field by field.

What is refused, and never raised further than the source:

- the whole message: malformed JSON, NaN or Infinity, too deep, empty, a time stamp
  that cannot be read, a key written twice;
- one field, the others kept: text where a number belongs (also ``"12.5"``: a device
  that quotes its numbers is likely to quote ``"ERR"`` too), a number out of range.

A key written twice is looked for when a message has another number of quotation
marks than messages seen before, so that checking costs nothing when nothing
changes; in a shape already seen the last one wins, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from edge_agent.payloads.columns import MISSING, Columns
from edge_agent.payloads.duplicates import DuplicateScreen
from edge_agent.payloads.paths import ABSENT, Path, found, parsed
from edge_agent.payloads.times import nanoseconds
from edge_agent.payloads.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Style = Literal["json", "number", "array"]

_loose = msgspec.json.Decoder()
_number = msgspec.json.Decoder(float | bool | None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tag that a topic feeds.

    Attributes:
        tag: index in the tag table.
        field: path in the payload; None for the whole of it.
        text: its values are strings.
    """

    tag: int
    field: str | None = None
    text: bool = False


class Reader:
    """Reads the messages of one topic.

    Args:
        wanted: tags it feeds.
        style: how the payload is written.
        time_field: path of the time stamp; None for the time of arrival.

    Raises:
        ConfigError: a field is no path.
    """

    def __init__(
        self, wanted: Sequence[Wanted], style: Style, time_field: str | None
    ) -> None:
        fields = list(dict.fromkeys((want.field, want.text) for want in wanted))
        self.tags = np.array([want.tag for want in wanted], np.int32)
        self._paths = tuple(_path(field, style) for field, _ in fields)
        self._names = [field or "the payload" for field, _ in fields]
        self._texts = tuple(place for place, (_, text) in enumerate(fields) if text)
        self._time = None if time_field is None else _path(time_field, style)
        self._time_name = time_field
        self._spread = _spread(wanted, fields)
        self._screen = DuplicateScreen()
        self._style = style
        self._fast = None
        if style == "json":
            self._fast = _typed(self._paths, self._texts, self._time)

    def read(
        self, payload: bytes, columns: Columns, received: int, doubtful: bool = False
    ) -> None:
        """Add a message's values.

        Args:
            payload: as received.
            columns: take them.
            received: agent time of arrival, ns.
            doubtful: the message is of unknown age unless it says its time.

        Raises:
            Unreadable: nothing of it could be used.
        """
        try:
            values, stamp = self._decoded(payload, columns)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as bad:
            raise _unreadable(bad, payload) from None
        time = received
        if self._time is not None:
            time, doubtful = self._stamped(stamp), False
        if self._texts:
            values = self._with_texts(values, columns)
        if self._spread is not None:
            values = self._spread(values)
        columns.add(self.tags, values, time, doubtful)

    def _stamped(self, stamp: object) -> int:
        if stamp is ABSENT or stamp == MISSING:
            raise Unreadable("time", f"there is no time stamp in {self._time_name}")
        try:
            return nanoseconds(stamp)
        except (ValueError, OverflowError) as bad:
            text = f"{self._time_name} holds {str(stamp)[:40]!r}: {bad}"
            raise Unreadable("time", text) from None

    # -- decoding -------------------------------------------------------------

    def _decoded(
        self, payload: bytes, columns: Columns
    ) -> tuple[Sequence[Any], object]:
        if self._style == "number":
            return [self._single(payload, at) for at in range(len(self._paths))], ABSENT
        if self._fast is None:
            return self._loosely(payload, columns)
        try:
            record = self._fast(payload)
        except msgspec.ValidationError:
            return self._loosely(payload, columns)
        self._screen.check(payload)
        return (record, ABSENT) if self._time is None else (record[:-1], record[-1])

    def _loosely(
        self, payload: bytes, columns: Columns
    ) -> tuple[Sequence[Any], object]:
        """Judge every field by itself."""
        message = _loose.decode(payload)
        self._screen.check(payload)
        wanted = dict if self._style == "json" and any(self._paths) else object
        wanted = list if self._style == "array" else wanted
        if not isinstance(message, wanted):
            kind = "an object" if wanted is dict else "an array"
            raise Unreadable("shape", f"the payload is not {kind}")
        values = [
            self._judged(found(message, path), place, columns)
            for place, path in enumerate(self._paths)
        ]
        return values, ABSENT if self._time is None else found(message, self._time)

    def _judged(self, value: object, place: int, columns: Columns) -> object:
        if value is ABSENT:
            return MISSING
        if value is None or isinstance(value, bool):
            return value
        if place in self._texts and isinstance(value, (str, int, float)):
            return value
        if isinstance(value, (int, float)):
            try:
                return float(value)
            except OverflowError:
                columns.refuse("range", f"{self._names[place]} is out of range")
                return MISSING
        what = "text" if isinstance(value, str) else "an object or array"
        columns.refuse("type", f"{self._names[place]} is {what}, not a number")
        return MISSING

    def _single(self, payload: bytes, place: int) -> object:
        """The text of one number (or of one text tag)."""
        if place in self._texts:
            return payload.decode()
        try:
            return _number.decode(payload)
        except msgspec.DecodeError:
            return _plain_number(payload)

    def _with_texts(self, values: Sequence[Any], columns: Columns) -> Sequence[Any]:
        """Put the strings aside and their positions in their places."""
        written = list(values)
        for place in self._texts:
            value = written[place]
            if value is not None and value != MISSING:
                written[place] = len(columns.texts)
                columns.texts.append(value if isinstance(value, str) else f"{value}")
        return written


@cache  # hundreds of topics of one asset type share one record
def _typed(
    paths: tuple[Path, ...], texts: tuple[int, ...], time: Path | None
) -> Callable[[bytes], tuple[Any, ...]] | None:
    """A decoder for flat objects, the time stamp last; None where a path is deeper."""
    steps = [*paths, *(() if time is None else (time,))]
    names = [path[0] for path in steps if len(path) == 1 and isinstance(path[0], str)]
    if len(set(names)) < len(steps):
        return None
    kinds: list[Any] = [float | bool | None] * len(paths)
    for place in texts:
        kinds[place] = str | int | float | bool | None
    kinds.append(int | float | str | None)
    fields = [
        (f"f{place}", kinds[place], msgspec.field(default=MISSING, name=str(name)))
        for place, name in enumerate(names)
    ]
    record = msgspec.defstruct("Message", fields, gc=False)
    decode, flat = msgspec.json.Decoder(record).decode, msgspec.structs.astuple
    return lambda payload: flat(decode(payload))


def _path(field: str | None, style: Style) -> Path:
    if field is None:
        return ()
    if style == "array" and field.isdecimal():
        return (int(field),)
    return parsed(field)


def _spread(
    wanted: Sequence[Wanted], fields: list[tuple[str | None, bool]]
) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    """Give several tags the value of one field; None where each has its own."""
    places = [fields.index((want.field, want.text)) for want in wanted]
    if places == list(range(len(fields))):
        return None
    return itemgetter(*places)


def _plain_number(payload: bytes) -> float:
    """What devices write beside JSON: ``+1.5``, ``007``, blanks around."""
    try:
        value = float(payload)
    except ValueError:
        raise Unreadable("type", "the payload is not a number") from None
    if not isfinite(value) or b"_" in payload:
        raise Unreadable("type", "the payload is not a finite number")
    return value


def _unreadable(bad: Exception, payload: bytes) -> Unreadable:
    if not payload:
        return Unreadable("empty", "the payload is empty")
    if isinstance(bad, RecursionError):
        return Unreadable("depth", "the payload is nested too deeply")
    if isinstance(bad, UnicodeDecodeError):
        return Unreadable("utf-8", "the payload is not UTF-8 text")
    if isinstance(bad, msgspec.ValidationError):
        return Unreadable("range", str(bad))
    return Unreadable("malformed", str(bad))
