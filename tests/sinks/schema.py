"""The documented shape of every topic."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA: dict[str, Any] = json.loads(
    (resources.files("edge_agent.sinks") / "topics.schema.json").read_text("utf-8")
)


@cache
def _validator(leaf: str) -> Draft202012Validator:
    schema = {**SCHEMA, "$ref": f"#/$defs/{leaf}"}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def leaf_of(topic: str) -> str:
    """Which schema a topic's messages have."""
    *_, folder, leaf = topic.split("/")
    return "diagnostic" if folder == "diagnostics" else leaf


def validate(topic: str, message: object) -> None:
    """A message is what the schema of its topic says."""
    _validator(leaf_of(topic)).validate(message)
