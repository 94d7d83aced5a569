"""Part ids as numbers: 64 bits to look for, 32 more to be sure. Pure."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_SIZE = 12
_KIND = np.dtype([("key", "<u8"), ("check", "<u4")])


def keyed(parts: Iterable[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """uint64[n] and uint32[n] of part ids, blanks around them left out."""
    digests = b"".join(
        blake2b(part.strip().encode("utf-8", "replace"), digest_size=_SIZE).digest()
        for part in parts
    )
    table = np.frombuffer(digests, _KIND)
    return table["key"].copy(), table["check"].copy()
