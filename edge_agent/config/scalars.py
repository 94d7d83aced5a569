"""Single values as the operator writes them: numbers, durations, sizes, names.

The loader hands every value over as the text that stands in the file, so that what
a value is depends on where it stands and never on a guess of YAML: `010`, `no`,
`1:30` and dates stay text where text is wanted, and are explained where it is not.
Ready-made Python values are taken as well, for configurations built in code.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Callable

_WIDE = 60
_LONG = 19
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ]+)")
_SECONDS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
}
_YES_NO = {"yes": "true", "on": "true", "y": "true", "1": "true"} | {
    "no": "false",
    "off": "false",
    "n": "false",
    "0": "false",
}


class _Nothing:
    """An empty value: a key with a colon and nothing after it."""

    def __str__(self) -> str:
        return "nothing"


NOTHING = _Nothing()
"""Not the same as ``null``, which a person wrote; no kind of value accepts it."""


class Wrong(ValueError):
    """A value that cannot stand here, in words, with what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint


def shown(value: object) -> str:
    """The value in quotes for a message, shortened; blocks by what they are."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "a block of keys"
    if isinstance(value, list | tuple):
        return "a list"
    text = re.sub(r"(?<=://)[^/@\s]+(?=@)", "***", str(value))
    return repr(text if len(text) <= _WIDE else text[: _WIDE - 3] + "...")


def parse_whole(value: object) -> int:
    """A whole number, written in plain decimal digits.

    Raises:
        ValueError: anything else, with what to write.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(value).strip()
    if isinstance(value, str) and _WHOLE.fullmatch(text) and len(text) < _LONG:
        return int(text)
    raise Wrong(f"{shown(value)} is not a whole number", _as_number(text))


def parse_number(value: object) -> float:
    """A finite number, with a decimal point if it has decimals.

    Raises:
        ValueError: anything else, with what to write.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        text = str(value).strip()
        if not isinstance(value, str) or not _NUMBER.fullmatch(text):
            raise Wrong(f"{shown(value)} is not a number", _as_number(text))
        number = float(text)
    if not math.isfinite(number):
        raise Wrong(f"{shown(value)} is too large for a number")
    return number


def parse_flag(value: object) -> bool:
    """``true`` or ``false``.

    Raises:
        ValueError: anything else; ``no`` and ``on`` are told what to write.
    """
    if isinstance(value, bool):
        return value
    text = str(value).strip()
    if isinstance(value, str) and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    meant = _YES_NO.get(text.lower())
    hint = f"write {meant}" if meant else "write true or false"
    raise Wrong(f"{shown(value)} is neither true nor false", hint)


def parse_duration(value: object) -> float:
    """Seconds from ``500ms``, ``1s``, ``10min``, ``72h``, ``7d``.

    Raises:
        ValueError: no number with one of the known units.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    match = _DURATION.fullmatch(text) if isinstance(value, str) else None
    if match is None or match[2] not in _SECONDS:
        raise Wrong(f"{shown(value)} is not a duration", _as_duration(text, match))
    return float(match[1]) * _SECONDS[match[2]]


def parse_interval(value: object) -> float:
    """A duration longer than nothing.

    Raises:
        ValueError: not a duration, or zero.
    """
    seconds = parse_duration(value)
    if seconds <= 0:
        raise Wrong(f"{shown(value)} is no time at all", "write more than 0")
    return seconds


def parse_size(value: object) -> int:
    """Bytes from ``64MiB``, ``1GiB``.

    Raises:
        ValueError: no number with one of the known units.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if match is None or match[2] not in _BYTES:
        hint = "write a number with kB, MB, MiB, GB or GiB, for example 64MiB"
        near = {unit.lower(): unit for unit in _BYTES}.get(
            match[2].lower() if match else ""
        )
        meant = f"did you mean '{match[1]}{near}'?" if match and near else ""
        raise Wrong(
            f"{shown(value)} is not a size", "; ".join(filter(None, (hint, meant)))
        )
    return int(float(match[1]) * _BYTES[match[2]])


def parse_name(value: object) -> str:
    """A name that can be one level of an MQTT topic.

    Raises:
        ValueError: empty, too long, or a character that is not allowed.
    """
    if not isinstance(value, str):
        raise Wrong(f"a name is wanted here, not {shown(value)}")
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", value):
        return value
    allowed = "allowed: letters A-Z a-z, digits, _ and - (not first), up to 64"
    better = re.sub(r"[^A-Za-z0-9_-]+", "-", value).strip("-")[:64]
    meant = f"; did you mean {better!r}?" if better else ""
    raise Wrong(f"{shown(value)} cannot be a name", allowed + meant)


def parse_host(value: object) -> str:
    """Name or address of a computer, without scheme and port.

    Raises:
        ValueError: a URL, a port, spaces or nothing.
    """
    if not isinstance(value, str):
        raise Wrong(f"a host name or address is wanted here, not {shown(value)}")
    if "@" in value:
        said = f"{shown(value)} is more than a host name"
        raise Wrong(said, "write host:, user: and password_file: apart")
    match = re.fullmatch(r"[a-z+]+://([^/:]+)(?::([0-9]+))?/?", value)
    match = match or re.fullmatch(r"([^/:]+):([0-9]+)", value)
    if match:
        port = f" and port: {match[2]}" if match[2] else ""
        said = f"{shown(value)} is more than a host name"
        raise Wrong(said, f"write host: {match[1]}{port}")
    if not re.fullmatch(r"[A-Za-z0-9_.:%-]{1,253}", value):
        raise Wrong(f"{shown(value)} is not a host name or address")
    return value


def _as_number(text: str) -> str:
    """What to write instead of a text that only looks like a number."""
    for pattern, words in _LOOKS_LIKE:
        if re.fullmatch(pattern, text):
            return words(text)
    return "write plain digits, for example 10"


def _decimal(text: str) -> str:
    try:
        return f"write it in decimal digits: {int(text, 0)}"
    except ValueError:
        return "write it in decimal digits"


_LOOKS_LIKE: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("[-+]?0[0-9]{1,18}", lambda t: f"no 0 in front: write {int(t)}"),
    ("0[xob][0-9A-Fa-f]{1,16}", _decimal),
    (
        "[-+]?[0-9]+,[0-9]+",
        lambda t: f"decimals have a point: write {t.replace(',', '.')}",
    ),
    (
        "[-+]?[0-9]+([_' ][0-9]+)+",
        lambda t: f"no gaps: write {re.sub('[^-+0-9]', '', t)}",
    ),
    ("[0-9]+(:[0-9]+)+", lambda _: "a time or ratio is no number: write plain digits"),
    (
        "[-+]?[0-9][0-9.]* *[A-Za-z%°/]+[0-9]?",
        lambda _: "write the number without a unit",
    ),
)


def _as_duration(text: str, match: re.Match[str] | None) -> str:
    allowed = "write a number with us, ms, s, min, h or d"
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return f"{allowed}: '{text}ms' or '{text}s'?"
    if re.fullmatch(r"[0-9]+,[0-9]+\s*[a-z]+", text):
        return f"{allowed}; did you mean '{text.replace(',', '.')}'?"
    if match:
        first = {"sec": "s", "hr": "h", "day": "d", "mil": "ms", "hou": "h", "µs": "us"}
        near = first.get(match[2].lower()[:3]) or (
            match[2].lower() if match[2].lower() in _SECONDS else "min"
        )
        return f"{allowed}; did you mean '{match[1]}{near}'?"
    return f"{allowed}, for example 500ms or 10s"


_TIME_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(us|ms|s|min|m|h|d)$"}
)
_NAME_SCHEMA = WithJsonSchema(
    {"type": ["string", "integer"], "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$"}
)

Whole = Annotated[int, BeforeValidator(parse_whole)]
"""A whole number."""
Number = Annotated[float, BeforeValidator(parse_number)]
"""A finite number."""
Flag = Annotated[bool, BeforeValidator(parse_flag)]
"""true or false, nothing else."""
Duration = Annotated[float, BeforeValidator(parse_duration), _TIME_SCHEMA]
"""Seconds; zero is allowed."""
Interval = Annotated[float, BeforeValidator(parse_interval), _TIME_SCHEMA]
"""Seconds, more than zero."""
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(B|kB|KiB|MB|MiB|GB|GiB)$"}
    ),
]
"""Bytes."""
Name = Annotated[str, BeforeValidator(parse_name), _NAME_SCHEMA]
"""One topic level: letters, digits, - and _ (Ignition refuses more), up to 64."""
Host = Annotated[
    str, BeforeValidator(parse_host), Field(json_schema_extra={"minLength": 1})
]
"""A computer."""
