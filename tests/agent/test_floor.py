"""Models are loaded for pipelines; what goes wrong there must not end the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent import floor
from edge_agent.clock import ManualClock
from edge_agent.config.languages import english
from edge_agent.config.pipelines import Pipeline
from edge_agent.registry.cache import Cache
from edge_agent.registry.floor import Unfit
from edge_agent.registry.life import Version
from edge_agent.samples import AssetType, Tag, TagTable

if TYPE_CHECKING:
    from pathlib import Path

KIND = AssetType("pump", ("P-1",), (Tag("pressure"),), 0)
TAGS = TagTable((KIND,), ("plc",), np.zeros(1, np.int16))


def plant(
    folder: Path, passports: floor.PassportOf = lambda _: None
) -> floor.PlantFloor:
    """One pipeline over one pump."""
    settings = Pipeline.model_validate(
        {"assets": "pump", "model": "pump", "score": {"every": "1s"}}
    )
    cache, clock = Cache(folder), ManualClock()
    named = {"pumps": settings}
    return floor.PlantFloor(
        named, TAGS, cache, passports, clock, 1_000_000, phrases=english()
    )


@pytest.mark.parametrize(
    "error", [OSError(5, "I/O error"), RuntimeError("ORT"), KeyError("x")]
)
def test_whatever_a_load_raises_names_the_version(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails, a runtime nobody understands: the ladder goes on."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(floor, "commission", broken)
    version = Version("key", "pump", "1.0.0", "pump/1.0.0", digest="d")
    with pytest.raises(Unfit, match=type(error).__name__) as raised:
        plant(tmp_path).fit("pumps", version)
    assert raised.value.key == "key"


def test_passports_of_years_are_not_all_kept_in_memory(tmp_path: Path) -> None:
    """Each is read again when it is wanted again."""
    read: list[str] = []
    running = plant(tmp_path, read.append)
    for number in range(1000):
        named = Version(str(number), "pump", "1", "x", digest=f"d{number}")
        assert running.barred(named) == ""
    assert running.barred(Version("0", "pump", "1", "x", digest="d0")) == ""
    assert read.count("d0") == 2
    assert read.count("d500") == 1
