"""A pydantic complaint in the words of someone who knows PLCs, not Python."""

from __future__ import annotations
