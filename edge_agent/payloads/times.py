"""Time stamps as devices write them, to nanoseconds since 1970 UTC.

A number's unit is told by its size: seconds stay below 1e11 until the year 5138,
milliseconds above it since March 1973, and so on by thousands. A text is ISO 8601;
without a zone it is taken as UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS, _MILLIS, _MICROS = 10**11, 10**14, 10**17
_LIMIT = 2**63
_DIGITS_OF_SECONDS = 10
_FRACTION = re.compile(r"[.,](\d+)")


def nanoseconds(stamp: object) -> int:
    """Nanoseconds since 1970 UTC.

    Raises:
        ValueError: not a time stamp, or one before 1970 or after 2262.
    """
    if isinstance(stamp, str):
        time = _of_text(stamp)
    elif isinstance(stamp, (int, float)) and not isinstance(stamp, bool):
        time = _of_number(stamp)
    else:
        raise ValueError("neither text nor a number")  # noqa: TRY004  (data, not a bug)
    if not 0 <= time < _LIMIT:
        raise ValueError("a time stamp before 1970 or after 2262")
    return time


def _of_number(stamp: float) -> int:
    if stamp < _SECONDS:
        scale = 1_000_000_000
    elif stamp < _MILLIS:
        scale = 1_000_000
    elif stamp < _MICROS:
        scale = 1_000
    else:
        scale = 1
    if isinstance(stamp, int):
        return stamp * scale
    whole = int(stamp)  # apart: a product of floats would lose the last digits
    return whole * scale + round((stamp - whole) * scale)


def _of_text(stamp: str) -> int:
    text = stamp.strip()
    if len(text) >= _DIGITS_OF_SECONDS and text.isdecimal():
        return _of_number(int(text))
    # fromisoformat keeps microseconds: the digits of the fraction are read apart
    fraction = _FRACTION.search(text)
    digits = 0
    if fraction is not None:
        digits = int(fraction[1][:9].ljust(9, "0"))
        text = text[: fraction.start()] + text[fraction.end() :]
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + digits
