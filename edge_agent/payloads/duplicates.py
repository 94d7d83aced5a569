"""Notices JSON keys that are written twice, at next to no cost.

A second key adds two quotation marks. Messages of a topic have few different
counts of them, so only a count not seen before is worth a careful look.
"""

from __future__ import annotations

import json

from edge_agent.payloads.unreadable import Unreadable

LEARNT = 64
"""Different counts remembered; a topic with more has no shape to compare with."""


class DuplicateScreen:
    """Knows the usual numbers of quotation marks of one topic."""

    def __init__(self) -> None:
        self._usual: set[int] = set()

    def check(self, payload: bytes) -> None:
        """Look closely at a payload of an unusual shape.

        Args:
            payload: already known to be JSON.

        Raises:
            Unreadable: it has a key twice; which value is meant cannot be known.
        """
        marks = payload.count(b'"')
        if marks in self._usual or len(self._usual) >= LEARNT:
            return
        _look(payload)
        self._usual.add(marks)


def _look(payload: bytes) -> None:
    text = payload.decode("utf-8", "replace")
    json.loads(
        text,
        object_pairs_hook=_once,
        parse_int=str,  # numbers do not matter here, and may be of any length
        parse_float=str,
    )


def _once(pairs: list[tuple[str, object]]) -> None:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Unreadable("duplicate-key", f"the key {twice[:40]!r} is written twice")
