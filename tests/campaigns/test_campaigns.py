"""Short versions of the campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.campaigns import forgetful, powercuts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.crash


@pytest.mark.timeout(120)
def test_power_cuts_lose_nothing_committed(tmp_path: Path) -> None:
    """Un-synced writes lost or torn, on a sound and on a failing disk: all is there."""
    forgetful.require()
    found = powercuts.run(20, 1, tmp_path / "kept")

    assert found.broken == []
