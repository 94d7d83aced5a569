"""Columns of numbers and times to JSON text, so that no reader changes its mind.

Pure. Ignition fixes a tag's type at its first value: a float that once prints as
``1`` makes an integer of it for ever. So a float always has a decimal point, a
number is never null, and a date always has the same length.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from edge_agent.samples import F64, I64

ABSENT = -1.0
"""Printed where there is no number; a flag beside it says so."""
_DIGITS = 7
_MILLISECOND = 1_000_000
_encode = msgspec.json.encode


def text(value: str) -> bytes:
    """A JSON string, with its quotes."""
    return _encode(value.encode("utf-8", "replace").decode())


def floats(column: F64, absent: float = ABSENT) -> list[bytes]:
    """Each number as the shortest text that reads back the same, with a point."""
    if not len(column):
        return []
    joined: bytes = _encode(column.tolist())[1:-1]
    if b"null" in joined:  # what msgspec makes of NaN and infinity
        joined = joined.replace(b"null", b"%r" % absent)
    pieces = joined.split(b",")
    if b"e" in joined:
        return [_pointed(piece) for piece in pieces]
    return pieces


def real(value: float, absent: float = ABSENT) -> bytes:
    """One number, see `floats`."""
    return floats(np.array([value]), absent)[0]


def whole(column: np.ndarray) -> list[bytes]:
    """Integers."""
    joined: bytes = _encode(column.tolist())[1:-1]
    return joined.split(b",") if joined else []


def significant(column: F64) -> F64:
    """Rounded to 7 digits: what a 32-bit model knows, and a technician reads."""
    with np.errstate(all="ignore"):
        size = np.floor(np.log10(np.abs(column)))
        scale = 10.0 ** (_DIGITS - 1 - np.where(np.isfinite(size), size, 0))
        rounded = np.round(column * scale) / scale
    return np.where(np.isfinite(rounded), rounded, column)


def rounded(column: F64, digits: int) -> F64:
    """Rounded to some decimals; a number too large for that becomes infinite."""
    with np.errstate(all="ignore"):
        return np.round(column, digits)


def milliseconds(at: I64, offset: int) -> I64:
    """Wall-clock milliseconds since 1970 of agent times."""
    return (at + offset) // _MILLISECOND


def dates(ms: I64) -> list[bytes]:
    """ISO 8601 in UTC with milliseconds, without quotes."""
    if len(ms) and ms[0] == ms[-1] and (ms == ms[0]).all():
        return [_date(int(ms[0]))] * len(ms)
    return [f"{date}Z".encode() for date in np.datetime_as_string(ms.view("M8[ms]"))]


@lru_cache(maxsize=256)
def _date(ms: int) -> bytes:
    return f"{np.datetime64(ms, 'ms')}Z".encode()


def date(at: int, offset: int) -> tuple[bytes, bytes]:
    """ISO 8601 and milliseconds of one agent time."""
    ms = milliseconds(np.array([at], np.int64), offset)
    return dates(ms)[0], b"%d" % ms[0]


def _pointed(piece: bytes) -> bytes:
    if b"e" not in piece or b"." in piece:
        return piece
    mantissa, exponent = piece.split(b"e")
    return mantissa + b".0e" + exponent
