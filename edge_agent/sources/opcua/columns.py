"""What a publish response carries, as columns; no wire bytes, no asyncua."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_agent.samples import F64, I64

    U32 = NDArray[np.uint32]
    Mask = NDArray[np.bool_]

#: A time stamp the server left out, or one that is no date of our era.
NO_TIME = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class Columns:
    """n notifications of monitored items, in the order of the message.

    Attributes:
        handle: uint32[n] the client handle we gave the item.
        value: float64[n]; NaN without a value; for a text the index into ``texts``.
        status: uint32[n] OPC UA StatusCode, info bits included.
        source: int64[n] source time, ns since 1970, or `NO_TIME`.
        server: int64[n] server time, ns since 1970, or `NO_TIME`.
        texts: the strings of this message.
        text: bool[n] which values are strings; None when none is.
    """

    handle: U32
    value: F64
    status: U32
    source: I64
    server: I64
    texts: tuple[str, ...] = ()
    text: Mask | None = None

    def __len__(self) -> int:
        """Count notifications."""
        return len(self.handle)

    @staticmethod
    def empty() -> Columns:
        """No notification."""
        return Columns(
            np.zeros(0, np.uint32),
            np.zeros(0),
            np.zeros(0, np.uint32),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
        )

    @staticmethod
    def joined(parts: Sequence[Columns]) -> Columns:
        """Several in one, in order; the indices of texts are moved along."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Columns.empty()
        texts: list[str] = []
        values: list[F64] = []
        for part in parts:
            shifted = part.value
            if texts and part.text is not None:
                shifted = np.where(part.text, part.value + len(texts), part.value)
            values.append(shifted)
            texts.extend(part.texts)
        return Columns(
            np.concatenate([p.handle for p in parts]),
            np.concatenate(values),
            np.concatenate([p.status for p in parts]),
            np.concatenate([p.source for p in parts]),
            np.concatenate([p.server for p in parts]),
            tuple(texts),
            np.concatenate([p.text_mask() for p in parts]) if texts else None,
        )

    def text_mask(self) -> Mask:
        """bool[n] which values are strings, also where none is."""
        return np.zeros(len(self), bool) if self.text is None else self.text


@dataclass(frozen=True, slots=True)
class Published:
    """One publish response.

    Attributes:
        subscription: id of the subscription it belongs to.
        sequence: number of the message; a keep-alive names the next one.
        published: the server's clock when it sent it, ns, or `NO_TIME`.
        keep_alive: no notification at all: the number was not used up.
        more: the server holds more for us.
        items: the data changes.
        status_change: a StatusCode when the server ends or moves the subscription.
        others: notifications that are no data change (events).
    """

    subscription: int
    sequence: int
    published: int
    keep_alive: bool
    more: bool
    items: Columns
    status_change: int | None = None
    others: int = 0
