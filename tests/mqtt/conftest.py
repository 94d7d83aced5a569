"""Sessions against real brokers: every combination of path and protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import peers
from tests.mqtt.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """A broker for one test, killed at its end: a tenth of a second each."""
    with peers.Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker
        broker.kill()


@pytest.fixture(
    params=[
        pytest.param(Kind(fast=fast, version=version), id=f"{path}-{version}")
        for fast, path in ((True, "fast"), (False, "plain"))
        for version in ("3.1.1", "5")
    ]
)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each of the four ways a session can work."""
    made: Kind = request.param
    return made
