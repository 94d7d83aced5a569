"""The JSON Schema of the configuration, for editors that complete and check.

A copy is shipped beside this module; a test holds it equal to what is made here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_agent.config.schema import AgentConfig

_LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
SHIPPED = Path(__file__).with_name("agent.schema.json")


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of ``agent.yaml`` and of each file in ``conf.d``.

    No section is required here: each file holds some of them, and only the agent
    sees all files together.
    """
    schema: dict[str, Any] = _tidied(AgentConfig.model_json_schema())
    del schema["required"]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "edge-agent configuration"
    return schema


def schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def _tidied(part: Any) -> Any:  # noqa: ANN401  (any JSON)
    """Limits and defaults as an editor understands them.

    Where a value is parsed from text first, pydantic writes its own names of limits
    and gives defaults as what the text means.
    """
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    tidied = {_LIMITS.get(key, key): _tidied(value) for key, value in part.items()}
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    default = tidied.get("default")
    if tidied.get("type") == "string" and isinstance(default, int | float):
        sizes = "KiB" in tidied["pattern"]
        tidied["default"] = _size(int(default)) if sizes else _duration(default)
    return tidied


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds * 1000:g}ms"


def _size(count: int) -> str:
    for unit, length in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= length and count % length == 0:
            return f"{count // length}{unit}"
    return f"{count}B"
