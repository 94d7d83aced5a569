"""Arrays as text that keeps every bit: base64 of little-endian bytes.

Deflated where that is shorter, marked by the first letter: ``z``, else ``b``.
"""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

_PLAIN, _DEFLATED = "b", "z"
_WORTH = 64
"""Fewer bytes are not worth deflating."""
_LEVEL = 1
"""Of deflate: the higher ones take five times as long for 2 % less."""


def text(array: NDArray[Any]) -> str:
    """An array's bytes; the type and count are known from elsewhere."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    if len(plain) >= _WORTH:
        deflated = zlib.compress(plain, _LEVEL)
        if len(deflated) < len(plain):
            return _DEFLATED + b64encode(deflated).decode("ascii")
    return _PLAIN + b64encode(plain).decode("ascii")


def array(said: str, kind: str, count: int) -> NDArray[Any]:
    """Inverse of `text`.

    Args:
        said: the text.
        kind: NumPy's name of the type, as ``<f4``.
        count: numbers there must be.

    Raises:
        ValueError: the text is damaged, or has another number of numbers.
    """
    size = np.dtype(kind).itemsize * count
    try:
        plain = b64decode(said[1:], validate=True)
        if said[:1] == _DEFLATED:
            plain = _inflated(plain, size)
        elif said[:1] != _PLAIN:
            raise ValueError(f"numbers begin with {said[:1]!r}, not with b or z")
    except (binascii.Error, zlib.error) as why:
        raise ValueError(f"numbers are damaged: {why}") from why
    if len(plain) != size:
        raise ValueError(f"{len(plain)} bytes of numbers where {size} belong")
    found = np.frombuffer(plain, kind)
    return found.astype(found.dtype.newbyteorder("="))


def _inflated(deflated: bytes, size: int) -> bytes:
    """No more than was announced: a few bytes can say a gigabyte."""
    stream = zlib.decompressobj()
    plain = stream.decompress(deflated, size + 1)
    if not stream.eof:
        raise ValueError(f"more than {size} bytes of numbers, or an end is missing")
    return plain
