"""Telemetry as columns: tags are integers, samples are rows of arrays.

Names become integers once, at start. The hot path looks up no string and makes
no object per sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    I32 = NDArray[np.int32]
    I64 = NDArray[np.int64]
    F64 = NDArray[np.float64]
    U8 = NDArray[np.uint8]

NANOSECONDS = 1_000_000_000


class Quality(IntEnum):
    """Severity of a value: the top two bits of an OPC UA StatusCode."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Tag:
    """One signal of one asset type, as the operator declared it.

    Attributes:
        role: its name inside the asset type, e.g. ``suction_pressure``.
        unit: engineering unit as written, or an empty string.
        low: lower end of the engineering range, -inf if none.
        high: upper end of the engineering range, inf if none.
        text: True when values are strings (part ids, recipe names).
        max_age: seconds of silence after which it is stale, whatever a feature holds.
        watched: whether monitoring watches its health.
    """

    role: str
    unit: str = ""
    low: float = -np.inf
    high: float = np.inf
    text: bool = False
    max_age: float = np.inf
    watched: bool = True


@dataclass(frozen=True, slots=True)
class AssetType:
    """All assets of one type, and the block of tag indices they own.

    Tag index = ``base + role * len(assets) + asset``: role-major, so one role of
    all assets is a contiguous slice of a ring's columns.
    """

    name: str
    assets: tuple[str, ...]
    tags: tuple[Tag, ...]
    base: int

    @property
    def size(self) -> int:
        """Number of tag indices of this type."""
        return len(self.assets) * len(self.tags)

    @property
    def is_text(self) -> NDArray[np.bool_]:
        """bool[size] whether a tag's values are strings, in order of its index."""
        return np.repeat(np.array([t.text for t in self.tags], bool), len(self.assets))

    def index(self, role: int, asset: int) -> int:
        """Tag index of a role of an asset, both by position."""
        return self.base + role * len(self.assets) + asset

    def role_index(self, role: str) -> int:
        """Position of a role by name.

        Raises:
            KeyError: no such role.
        """
        for position, tag in enumerate(self.tags):
            if tag.role == role:
                return position
        raise KeyError(role)


@dataclass(frozen=True, slots=True)
class TagTable:
    """Every tag of the agent, numbered 0..n-1.

    Attributes:
        types: asset types in order of their base index.
        sources: names of the sources; ``source`` indexes into it.
        source: int16[n], which source feeds each tag.
    """

    types: tuple[AssetType, ...]
    sources: tuple[str, ...]
    source: NDArray[np.int16]

    def __len__(self) -> int:
        """Count tags."""
        return len(self.source)

    @property
    def is_text(self) -> NDArray[np.bool_]:
        """bool[n] whether a tag's values are strings."""
        return np.concatenate([np.zeros(0, bool), *(k.is_text for k in self.types)])

    def name(self, tag: int) -> str:
        """Readable name ``asset/role`` of a tag index."""
        for kind in self.types:
            if kind.base <= tag < kind.base + kind.size:
                role, asset = divmod(tag - kind.base, len(kind.assets))
                return f"{kind.assets[asset]}/{kind.tags[role].role}"
        raise IndexError(tag)

    def type_named(self, name: str) -> AssetType:
        """Asset type by name.

        Raises:
            KeyError: no such type.
        """
        for kind in self.types:
            if kind.name == name:
                return kind
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """n samples in order of arrival.

    Attributes:
        tag: int32[n] tag index.
        time: int64[n] source time, nanoseconds since 1970 UTC.
        value: float64[n]; NaN where there is none; for text tags the index into
            ``texts``.
        quality: uint8[n], see `Quality`.
        received: int64[n] agent time of arrival (see `clock`), never decreasing.
        texts: strings of this batch's text samples.
    """

    tag: I32
    time: I64
    value: F64
    quality: U8
    received: I64
    texts: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Count samples."""
        return len(self.tag)

    def take(
        self, select: NDArray[np.bool_] | NDArray[np.int64] | slice
    ) -> SampleBatch:
        """Rows chosen by mask, positions or slice; texts are shared."""
        return SampleBatch(
            self.tag[select],
            self.time[select],
            self.value[select],
            self.quality[select],
            self.received[select],
            self.texts,
        )

    @staticmethod
    def of(
        tag: Sequence[int] | I32,
        time: Sequence[int] | I64,
        value: Sequence[float] | F64,
        quality: Sequence[int] | U8 | None = None,
        received: Sequence[int] | I64 | None = None,
        texts: Iterable[str] = (),
    ) -> SampleBatch:
        """Batch from plain sequences; received defaults to time, quality to good."""
        times = np.asarray(time, np.int64)
        return SampleBatch(
            np.asarray(tag, np.int32),
            times,
            np.asarray(value, np.float64),
            np.zeros(len(times), np.uint8)
            if quality is None
            else np.asarray(quality, np.uint8),
            times if received is None else np.asarray(received, np.int64),
            tuple(texts),
        )
