"""The schema for editors, and the examples a plant begins with."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from edge_agent.config import loading
from edge_agent.config.published import SHIPPED, json_schema, schema_text
from tests.config.plants import WHOLE, as_editors_read

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "config").rglob("*.yaml*"))


def test_the_shipped_copy_is_current() -> None:
    """After a change of the models, save what `edge-agent schema` prints."""
    assert schema_text() == SHIPPED.read_text()


def test_the_schema_is_one() -> None:
    """The schema itself follows JSON Schema 2020-12."""
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid_for_editors(path: Path) -> None:
    """Each example begins by naming the schema, and follows it."""
    text = path.read_text()
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    named = (path.parent / first.partition("=")[2]).resolve()
    assert named == SHIPPED
    jsonschema.validate(as_editors_read(text), json_schema())


def test_the_examples_load() -> None:
    """config/ is a configuration as it stands."""
    loaded = loading.read(ROOT / "config")
    assert len(loaded.plant.tags) == 21


def test_the_disabled_example_loads_too(tmp_path: Path) -> None:
    """Renamed as it says, the quality example joins the others."""
    (tmp_path / "conf.d").mkdir()
    for path in (ROOT / "config").rglob("*.*"):
        if path.is_file() and path != SHIPPED:
            name = path.relative_to(ROOT / "config").with_suffix("")
            target = (
                name if path.suffix == ".example" else path.relative_to(ROOT / "config")
            )
            (tmp_path / target).write_bytes(path.read_bytes())
    loaded = loading.read(tmp_path)
    press = loaded.plant.tags.type_named("press")
    assert [tag.role for tag in press.tags] == ["part_id", "force", "temperature"]
    assert press.tags[2].high == 120.5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gateway: gw-07", "gatewai: gw-07"),
        ("every: 1s", "every: 1"),
        ("type: opcua", "type: opc"),
        ("range: [0, 16]", "range: [0]"),
        ("gateway: gw-07", "gateway: a/b"),
        ("  scada:", "  sca/da:"),
        ("score: { every: 1s }", "score: { every: 1s }\n    alarm: { severity: 1001 }"),
    ],
)
def test_editors_mark_mistakes(old: str, new: str) -> None:
    """What the loader refuses by its form, the schema refuses as well."""
    jsonschema.validate(as_editors_read(WHOLE), json_schema())
    assert old in WHOLE
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_editors_read(WHOLE.replace(old, new)), json_schema())
