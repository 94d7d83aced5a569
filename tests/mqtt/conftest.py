"""Sessions against real brokers: every combination of path and protocol."""

from __future__ import annotations

import pytest

from tests.mqtt.kinds import Kind


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
