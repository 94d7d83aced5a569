"""Fixtures of every test: real peers on free ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest
import structlog

from tests import peers
from tests.certificates import Certificates, make_certificates

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

# no deadline: a busy machine is no defect. CI tries the same examples every time, so
# that a failure there belongs to the change; laptops go on looking for new ones.
hypothesis.settings.register_profile("laptop", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if peers.in_ci() else "laptop")


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """No test leaves its log behind: it may write to a stream that is closed then."""
    yield
    structlog.reset_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Estimators without a seed of their own are trained alike in every run.

    Not in a fixture: pytest-randomly seeds once more between fixtures and test.
    """
    np.random.seed(0)  # noqa: NPY002 - it is what scikit-learn draws from
    return (yield)


@pytest.fixture
def free_port() -> int:
    """A loopback TCP port that nobody listens on."""
    return peers.free_port()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """A running mosquitto that lets anybody in."""
    with peers.Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate authority with a server and a client certificate."""
    return make_certificates(tmp_path_factory.mktemp("pki"))
