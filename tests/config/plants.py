"""Configurations for the tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """\
site: { enterprise: acme, site: hamburg }
gateway: gw-07
sources:
  plc1: { type: opcua, endpoint: 'opc.tcp://192.0.2.5:4840' }
  cell: { type: mqtt, host: 127.0.0.1 }
assets:
  - type: pump
    ids: [P-101, P-102]
    tags:
      pressure:
        source: plc1
        node: ns=3;s="DB_{id}"."Temp"[3]
        unit: bar
        range: [0, 16]
      vibration: { source: cell, topic: 'line3/{id}/vib', field: rms, unit: mm/s }
pipelines:
  anomaly:
    assets: pump
    model: pump-anomaly@1.0.0
    score: { every: 1s }
registry: { path: models }
outputs:
  scada: { type: mqtt, host: 127.0.0.1 }
"""


def written(folder: Path, *edits: tuple[str, str], **parts: str) -> Path:
    """A folder with agent.yaml, edited, and parts in conf.d; ``_`` stands for a dot."""
    text = WHOLE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "agent.yaml").write_text(text)
    for name, content in parts.items():
        part = folder / "conf.d" / name.replace("_", ".")
        part.parent.mkdir(exist_ok=True)
        part.write_text(content)
    return folder


class _Core(yaml.SafeLoader):
    """YAML 1.2, core schema, which editors go by: ``on`` is a text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (as PyYAML has it)


for _tag, _pattern in {
    "null": r"~|null|",
    "bool": r"true|false",
    "int": r"[-+]?[0-9]+",
    "float": r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+[eE][-+]?[0-9]+)",
}.items():
    _Core.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), None
    )


def as_editors_read(text: str) -> Any:  # noqa: ANN401  (any YAML)
    """YAML as an editor hands it to the JSON Schema."""
    return yaml.load(text, Loader=_Core)  # noqa: S506  (a SafeLoader)
