"""Where a value stands in a payload: ``rms``, ``values.rms``, ``values[3].x``.

A name that holds a dot or a bracket is quoted: ``["flow.actual"].value``.
"""

from __future__ import annotations

import re
from typing import Final

from edge_agent.errors import ConfigError

Step = str | int
Path = tuple[Step, ...]

ABSENT: Final = object()
"""There is no such field; null is a value."""

_PART = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["([^"]+)"\]')


def parsed(text: str) -> Path:
    """Steps of a field path.

    Raises:
        ConfigError: not a path.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or (at == 0 and text[0] == "."):
            raise ConfigError(
                f"{text!r} is not a field path; write for example rms, values.rms,"
                ' values[3].rms or ["name.with.dots"]'
            )
        name, position, quoted = part.groups()
        steps.append(int(position) if position else name or quoted)
        at = part.end()
    return tuple(steps)


def found(value: object, path: Path) -> object:
    """What stands at the end of a path, `ABSENT` if it does not exist."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return ABSENT
            value = value[step]
        elif isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return ABSENT
    return value
