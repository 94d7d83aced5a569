"""An archive in a folder, and how to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_agent.fleet.folder import Folder
from edge_agent.fleet.lake import Lake
from tests.fleet.made import EVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.fleet.asked import Asked


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An empty archive, at a place whose name means something to others."""
    folder = tmp_path / "a[1]*site=x"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(archive: Path) -> Iterator[Callable[..., Lake]]:
    """Open it, as often as wanted."""
    made: list[Lake] = []

    def lake(asked: Asked = EVER, *, checked: bool = True) -> Lake:
        made.append(Lake(Folder(archive), asked, checked=checked))
        return made[-1]

    yield lake
    for one in made:
        one.close()
