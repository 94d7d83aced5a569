"""Asset groups become numbered tags, and lists are read as Excel writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.config import loading
from edge_agent.config.plant import resolve
from edge_agent.config.problems import Refused
from edge_agent.config.schema import AgentConfig
from tests.config.plants import WHOLE, written

if TYPE_CHECKING:
    from pathlib import Path

LISTED = ("ids: [P-101, P-102]", "ids_csv: pumps.csv")
TAGS = ("    tags:\n", "    tags_csv: tags.csv\n    tags:\n")


def test_tags_are_numbered_role_by_role(tmp_path: Path) -> None:
    """The index of a binding is the index its tag has in the table."""
    plant = loading.read(written(tmp_path)).plant
    names = [plant.tags.name(tag) for tag in range(len(plant.tags))]
    assert names == [
        "P-101/pressure",
        "P-102/pressure",
        "P-101/vibration",
        "P-102/vibration",
    ]
    for source, bindings in plant.bindings.items():
        for bound in bindings:
            assert names[bound.tag] == f"{bound.asset}/{bound.role}"
            assert plant.tags.sources[plant.tags.source[bound.tag]] == source


def test_what_a_tag_says_reaches_its_binding(tmp_path: Path) -> None:
    """Unit, range, field, age and deadband arrive; absent ones are open."""
    edit = ("unit: bar\n", "unit: bar\n        max_age: 5s\n        deadband: 0.1\n")
    plant = loading.read(written(tmp_path, edit)).plant
    pressure, vibration = plant.bindings["plc1"][0], plant.bindings["cell"][0]
    assert (pressure.unit, pressure.low, pressure.high) == ("bar", 0.0, 16.0)
    assert (pressure.max_age, pressure.deadband) == (5.0, 0.1)
    (kind,) = plant.tags.types
    assert [tag.max_age for tag in kind.tags] == [5.0, math.inf]
    assert (vibration.address, vibration.field) == ("line3/P-101/vib", "rms")
    assert (vibration.low, vibration.high) == (-math.inf, math.inf)


def test_groups_of_one_type_share_the_shortest_age(tmp_path: Path) -> None:
    """A group that says less long for its tag says it for the type; none says nothing.

    Features are computed for all assets of a type at once.
    """
    group = (
        "assets:\n  - type: pump\n    ids: [P-201]\n    tags:\n"
        "      vibration: { source: cell, topic: 'b/{id}', field: r, unit: mm/s }\n"
        "      pressure: { source: plc1, node: 'ns=2;s=P', unit: bar, "
        "range: [0, 16], max_age: 3s }\n"
    )
    plant = loading.read(written(tmp_path, more_yaml=group)).plant
    (kind,) = plant.tags.types

    assert {tag.role: tag.max_age for tag in kind.tags} == {
        "pressure": 3.0,
        "vibration": math.inf,
    }


def test_groups_of_one_type_are_one_type(tmp_path: Path) -> None:
    """Pumps behind two PLCs are scored as one asset type."""
    group = (
        "assets:\n  - type: pump\n    ids: [P-201]\n    tags:\n"
        "      vibration: { source: cell, topic: 'b/{id}', field: r, unit: mm/s }\n"
        "      pressure:\n"
        "        { source: plc1, node: 'ns=2;s=P', unit: bar, range: [0, 16] }\n"
    )
    plant = loading.read(written(tmp_path, more_yaml=group)).plant
    (kind,) = plant.tags.types
    assert kind.assets == ("P-101", "P-102", "P-201")
    assert [bound.address for bound in plant.bindings["cell"]] == [
        "line3/P-101/vib",
        "line3/P-102/vib",
        "b/P-201",
    ]
    assert np.array_equal(plant.tags.source, [0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("separator", "encoding"),
    [
        (",", "utf-8"),
        (";", "utf-8-sig"),
        (";", "cp1252"),
        ("\t", "utf-16"),
        (";", "utf-8"),
    ],
)
def test_lists_from_excel(separator: str, encoding: str, tmp_path: Path) -> None:
    """Separator and encoding are told from the file; columns fill placeholders."""
    node = ("DB_{id}", "{Halle}_{id}")
    folder = written(tmp_path, LISTED, node)
    rows = ["ID", "P-101", "P-102", ""], ["Halle", "Süd", '"Nord"', ""]
    lines = [separator.join(cells) for cells in zip(*rows, strict=True)]
    (folder / "pumps.csv").write_text("\r\n".join(lines), encoding, newline="")
    plant = loading.read(folder).plant
    addresses = [bound.address for bound in plant.bindings["plc1"]]
    assert addresses == [
        'ns=3;s="Süd_P-101"."Temp"[3]',
        'ns=3;s="Nord_P-102"."Temp"[3]',
    ]


def test_a_tag_list_with_german_numbers(tmp_path: Path) -> None:
    """A list with ; may have decimal commas, quoted cells and empty lines."""
    folder = written(tmp_path, TAGS)
    (folder / "tags.csv").write_text(
        "Role;Source;Node;Unit;Low;High;max_age\n"
        'flow;plc1;"ns=3;s=""DB_{id}"".""Q""";m3/h;-0,5;100,25;2s\n'
        ";;;;;;\n"
        "temp;plc1;/Objects/2:{id}/2:T;°C;;;\n"
    )
    plant = loading.read(folder).plant
    flow, temp = plant.bindings["plc1"][2], plant.bindings["plc1"][4]
    assert flow.address == 'ns=3;s="DB_P-101"."Q"'
    assert (flow.low, flow.high, flow.max_age) == (-0.5, 100.25, 2.0)
    assert (temp.role, temp.unit, temp.low) == ("temp", "°C", -math.inf)


def test_one_asset_may_read_a_fixed_address(tmp_path: Path) -> None:
    """Without a second asset there is nothing for {id} to tell apart."""
    edits = ("[P-101, P-102]", "[P-101]"), ("line3/{id}/vib", "vib")
    plant = loading.read(written(tmp_path, *edits)).plant
    assert plant.bindings["cell"][0].address == "vib"


def test_the_id_may_stand_in_the_field(tmp_path: Path) -> None:
    """One payload with all pumps in it serves them all."""
    edits = ("line3/{id}/vib", "line3/all"), ("field: rms", "field: '{id}.rms'")
    plant = loading.read(written(tmp_path, *edits)).plant
    assert [b.field for b in plant.bindings["cell"]] == ["P-101.rms", "P-102.rms"]


def test_a_configuration_built_in_code(tmp_path: Path) -> None:
    """`resolve` gives the same plant as the files, and the same refusals."""
    loaded = loading.read(written(tmp_path))
    assert resolve(loaded.config).bindings == loaded.plant.bindings
    pipelines = {"x": {"assets": "fan", "model": "m", "score": {"every": 1.0}}}
    wrong = {**loaded.config.model_dump(), "pipelines": pipelines}
    with pytest.raises(Refused, match="no asset type 'fan'"):
        resolve(AgentConfig.model_validate(wrong))


def test_a_source_without_tags(tmp_path: Path) -> None:
    """A source may wait for its tags; a plant may have none at all."""
    start, end = WHOLE.index("assets:"), WHOLE.index("registry:")
    none = (WHOLE[start:end], "assets: []\npipelines: {}\n")
    plant = loading.read(written(tmp_path, none)).plant
    assert plant.bindings == {"plc1": (), "cell": ()}
    assert len(plant.tags) == 0
