"""Bodies made small before they are written: flash wears, and a long outage must fit.

Only what reaches the disk is squeezed: a record that every output took before its
commit never costs the time. Bodies of older versions are read as they are.
"""

from __future__ import annotations

import zlib

#: No body and no msgpack begins so.
MARK = b"\xc1z"
#: Below this the ends of a stream cost more than they save.
_WORTH = 96
#: The quickest: columns of numbers gain little from more.
_LEVEL = 1
#: Bytes of one body at most, whatever a file claims.
_MOST = 1 << 28


def squeezed(body: bytes) -> bytes:
    """What is stored for a body: a smaller form where there is one."""
    marked = body.startswith(MARK)
    if len(body) < _WORTH and not marked:
        return body
    small = MARK + zlib.compress(body, _LEVEL)
    return small if marked or len(small) < len(body) else body


def whole(stored: bytes) -> bytes:
    """The body of what `squeezed` made.

    Raises:
        ValueError: it is damaged, or larger than any body is.
    """
    if not stored.startswith(MARK):
        return stored
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(stored[len(MARK) :], _MOST)
    except zlib.error as why:
        raise ValueError(f"a squeezed body is damaged: {why}") from why
    if not stream.eof:
        raise ValueError("a squeezed body is cut off or too large")
    return body
