"""A threshold that was moved: for whom it counts, and what of a pipeline changes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from edge_agent.clock import ManualClock
from edge_agent.config.languages import english
from edge_agent.config.pipelines import Pipeline
from edge_agent.evaluation.memory import Moved
from edge_agent.evaluation.opening import _alarmed
from edge_agent.floor import PlantFloor
from edge_agent.labels import harvest
from edge_agent.records import AlarmRecord, AlarmState, Fallback
from edge_agent.registry.cache import Cache
from edge_agent.registry.crew import Crew
from edge_agent.registry.life import Version
from edge_agent.samples import AssetType, Tag, TagTable
from tests.labels import made
from tests.model import bundles

if TYPE_CHECKING:
    from pathlib import Path


class Done:
    """A turn with these records."""

    def __init__(self, records: list[Any]) -> None:
        self.records = records


class Before:
    """The state before it: one of two alarms was active."""

    class alarms:  # noqa: N801 - as the attribute is called
        """Of two assets."""

        active = np.array([True, False])


def moved(asset: int, at: int, state: AlarmState) -> AlarmRecord:
    """A transition."""
    info = made.pipeline().info
    return AlarmRecord(info, asset, at, state, "x", at, 1.0, 0.5, 400, "")


def test_each_row_has_the_alarm_behind_it() -> None:
    """Several rows of an asset in one turn: before and behind its transitions."""
    rows = made.rows([1, 1, 2, 2, 3, 3], asset=[0, 1, 0, 1, 0, 1])
    records = [moved(0, 2, AlarmState.NORMAL), moved(1, 3, AlarmState.ACTIVE)]
    found = _alarmed(Done(records), Before(), rows)  # type: ignore[arg-type]
    assert found.tolist() == [True, False, False, False, False, True]


def test_predictions_that_could_have_a_label_are_counted(tmp_path: Path) -> None:
    """Labelled ones, and those older than labels come late; without and with alarm."""
    one = made.Bench(tmp_path)
    one.score(["a", "b", "c"], [0.1, 0.9, 0.9])
    one.wait(2 * made.HOUR)
    one.tell(made.label("bad", part="b"))
    one.score(["d", "e"], [0.9, 0.1])
    one.wait(made.MINUTE)
    one.tell(made.label("good", part="e"))
    found = harvest.joined(one.desk.books[made.QUALITY], one.clock.time)
    # of the newer two only the labelled one: the other's label may be on its way
    assert found.made.tolist() == [[1, 0, 2, 2]]
    assert found.verdict.tolist() == [True, False]
    assert found.silent is not None
    assert found.silent.alarm.tolist() == [False, True, True]


def floor_of(folder: Path, moved: dict[str, Moved]) -> tuple[PlantFloor, Crew]:
    """A floor with one version at hand, and the crew that works with it."""
    bundle = bundles.make(folder / "made", bundles.passport())
    tags = tuple(Tag(tag, str(facts["unit"])) for tag, facts in bundles.TAGS.items())
    kind = AssetType("pump", ("P-1",), tags, 0)
    cache = Cache(folder / "models")
    target = cache.bundle("small", bundle.digest)
    target.parent.mkdir(parents=True)
    shutil.copytree(bundle.path, target)
    settings = Pipeline.model_validate(
        {"assets": "pump", "model": "small", "score": {"every": "1s"}}
    )
    table = TagTable((kind,), ("plc",), np.zeros(len(tags), np.int16))
    plant = PlantFloor(
        *({"pumps": settings}, table, cache, lambda _: None, ManualClock(), 10**8),
        phrases=english(),
        moved=moved,
    )
    version = Version("k", "small", "1.0.0", "", digest=bundle.digest, label="1.0.0")
    return plant, Crew(Fallback.MODEL, version)


def test_a_moved_threshold_counts_for_its_version_alone(tmp_path: Path) -> None:
    """From the next look on, also in the levels; None is the passport's again."""
    plant, crew = floor_of(tmp_path, {})
    plant.man("pumps", crew)
    mine = plant.active("pumps")
    assert mine is not None
    base, other = mine.base, Moved("f" * 64, mine.base, mine.base * 1.1, 0)
    for moved, threshold in (
        (other, base),
        (replace(other, digest=mine.digest), base * 1.1),
        (replace(other, digest=mine.digest, base=base * 2), base),
        (None, base),
    ):
        plant.move("pumps", moved)
        plant.tend()
        seated = plant.manned["pumps"].pipeline
        assert seated.limits.threshold == threshold
        assert seated.levels[0] == threshold
        assert (np.diff(seated.levels) >= 0).all()
        told = plant.active("pumps")
        assert told is not None
        assert (told.base, told.limits.threshold) == (base, threshold)


def test_a_restart_begins_at_the_moved_threshold(tmp_path: Path) -> None:
    """No row is judged by the passport's in between."""
    first, crew = floor_of(tmp_path, {})
    first.man("pumps", crew)
    mine = first.active("pumps")
    assert mine is not None
    moved = Moved(mine.digest, mine.base, mine.base * 1.2, 0)
    again, crew = floor_of(tmp_path / "again", {"pumps": moved})
    again.man("pumps", crew)
    assert again.manned["pumps"].pipeline.limits.threshold == mine.base * 1.2
