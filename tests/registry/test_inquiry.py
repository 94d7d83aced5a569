"""How often a registry is asked: steadily while it answers, less while it fails."""

from __future__ import annotations

import contextlib
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import ManualClock
from edge_agent.config import schema
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.choosing import Reference
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.inquiry import Inquiry
from edge_agent.registry.listing import Listing, Observed
from edge_agent.registry.opening import open_registry
from edge_agent.registry.patience import JITTER, LONGEST, Patience
from edge_agent.samples import NANOSECONDS
from tests.registry import made
from tests.registry.adopting import Plant
from tests.registry.doubles import MemoryRegistry
from tests.registry.scripted import API, Scripted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.registry.registry import Desk, Registry
    from tests.registry.scripted import Conversation

POLL = 60.0
HOUR = 3600


@given(
    st.integers(0, 5000),
    st.floats(0, 3600),
    st.floats(0.1, 86_400),
    st.floats(-1, 1),
)
def test_a_pause_grows_with_failures_and_is_as_long_as_asked_for(
    failures: int, asked: float, every: float, share: float
) -> None:
    """Never shorter than usual, never beyond its bound unless the server says so."""
    pause = Patience(failures, asked).pause(every, share) / NANOSECONDS

    assert pause >= max(every * (1 - JITTER), asked) - 1e-6
    assert pause <= max(every * LONGEST, asked) * (1 + JITTER) + 1e-6
    longer = Patience(failures + 1, asked).pause(every, share) / NANOSECONDS
    assert longer >= pause


class Answering:
    """MLflow's answers to polls and reports, and when each was asked for."""

    def __init__(self) -> None:
        self.polls: Callable[[Conversation], None] = self.model
        self.reports: Callable[[Conversation], None] = self.experiment
        self.seconds = 0
        self.asked: list[tuple[int, str]] = []

    def __call__(self, said: Conversation) -> None:
        """Answer one request."""
        path = said.path.removeprefix(f"{API}mlflow/").partition("?")[0]
        self.asked.append((self.seconds, path))
        if path == "registered-models/get":
            self.polls(said)
        elif path == "model-versions/get":
            said.answer(b"", 503)
        else:
            self.reports(said)

    def times(self, path: str) -> list[int]:
        """Seconds at which a path was asked for."""
        return [at for at, asked in self.asked if asked == path]

    @staticmethod
    def model(said: Conversation) -> None:
        """A model without versions."""
        said.say({"registered_model": {"name": "pump"}})

    @staticmethod
    def experiment(said: Conversation) -> None:
        """Whatever a report needs."""
        run = {"info": {"run_id": "r"}}
        said.say({"experiment": {"experiment_id": "1"}, "run": run, "runs": [run]})


def _hour(plant: Plant, answering: Answering, seconds: int = HOUR) -> None:
    for _ in range(seconds // 10):
        answering.seconds += 10
        plant.pass_time(10.0)


def _opened(url: str) -> Desk:
    settings = schema.Registry(type="mlflow", url=url)
    return open_registry(settings, made.GATEWAY)


@pytest.mark.parametrize("status", [401, 403, 500, 502, 429])
def test_a_server_that_fails_is_asked_less_and_less(
    status: int, tmp_path: Path
) -> None:
    """Up to ten times as seldom; once it answers it is asked as before."""
    answering = Answering()
    answering.polls = answering.reports = lambda said: said.answer(b"", status)
    with Scripted(answering) as server:
        plant = Plant(tmp_path, _opened(server.url), "pump")
        _hour(plant, answering, 3 * HOUR)
        failed = answering.times("registered-models/get")
        pauses = [b - a for a, b in pairwise(failed)]
        assert pauses[:3] == pytest.approx([60, 120, 240], rel=0.3)
        assert max(pauses) <= 670
        assert len(answering.asked) < 60  # reports too; without patience: thousands
        assert plant.inquiry.status()["state"] == "lost"

        answering.polls, answering.reports = answering.model, answering.experiment
        _hour(plant, answering)
    answered = answering.times("registered-models/get")[len(failed) :]
    assert max(b - a for a, b in pairwise(answered)) <= 70
    assert plant.inquiry.status()["state"] == "up"


def test_a_server_is_left_alone_for_as_long_as_it_asks(tmp_path: Path) -> None:
    """429 with Retry-After: neither polls nor reports before that."""
    answering = Answering()
    answering.polls = answering.reports = lambda said: said.answer(
        b"", 429, retry_after="1800"
    )
    with Scripted(answering) as server:
        plant = Plant(tmp_path, _opened(server.url), "pump")
        _hour(plant, answering, 2 * HOUR)

    for path in ("registered-models/get", "experiments/get-by-name"):
        pauses = [b - a for a, b in pairwise(answering.times(path))]
        assert pauses
        assert min(pauses) >= 1800


def test_monitoring_is_reported_when_it_is_news(tmp_path: Path) -> None:
    """A breach or a finding at once; numbers that only move, with the next hour."""
    memory = MemoryRegistry()
    memory.push(made.bundle(tmp_path, "pump"), {})
    plant = Plant(tmp_path / "state", memory, "pump")
    heard: list[Observed] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            memory, "report", lambda said: heard.append(said.models[0].observed)
        )
        for number in range(20):
            value, labels = 0.9012345 - number / 100, 1234 + 1000 * number
            now = Observed("met", "f1", value, 0.85, 0.95, labels)
            plant.adoption.observed = partial(dict, pumps=now)
            plant.pass_time()
        before = len(heard)
        breach = Observed("breached", "f1", 0.61, 0.55, 0.67, 1300, findings=1)
        plant.adoption.observed = partial(dict, pumps=breach)
        plant.pass_time()

    assert (heard[0].value, heard[0].labels) == (0.901, 1200)
    assert before <= 3
    assert heard[before:] == [breach]


def test_a_report_that_is_refused_is_not_tried_every_second(tmp_path: Path) -> None:
    """The user may read and not write: polls go on, reports become rare."""
    answering = Answering()
    answering.reports = lambda said: said.answer(b"", 403)
    with Scripted(answering) as server:
        plant = Plant(tmp_path, _opened(server.url), "pump")
        _hour(plant, answering, 3 * HOUR)

    assert len(answering.times("registered-models/get")) >= 150
    assert len(answering.times("experiments/get-by-name")) <= 25
    assert "EDIT on the experiment" in str(plant.inquiry.status()["report_error"])


def test_a_download_waits_for_as_long_as_the_server_asks(tmp_path: Path) -> None:
    """Polls and downloads come from one server, which wants to be left alone."""
    memory = MemoryRegistry()
    memory.push(made.bundle(tmp_path, "pump"), {})
    fetches: list[int] = []
    plant = Plant(tmp_path / "state", memory, "pump")

    def busy(*_: object) -> None:
        fetches.append(plant.clock.now())
        raise RegistryUnavailable("busy", retry_after=900.0)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(memory, "fetch", busy)
        for _ in range(HOUR // 10):
            plant.pass_time(10.0)

    pauses = [(b - a) / NANOSECONDS for a, b in pairwise(fetches)]
    assert len(pauses) == 3
    assert min(pauses) >= 900


def test_a_bug_in_a_call_does_not_end_the_asking(tmp_path: Path) -> None:
    """The poll that hit it is lost, as is the step; neither is met every second."""
    memory, bugs = MemoryRegistry(), []
    memory.push(made.bundle(tmp_path, "pump"), {})
    plant = Plant(tmp_path / "state", memory, "pump")

    def broken(*_: object) -> None:
        bugs.append(plant.clock.now())
        raise KeyError("a bug")

    with pytest.MonkeyPatch.context() as patched:
        for name in ("fetch", "listing"):
            patched.setattr(memory, name, broken)
            _through_bugs(plant, HOUR // 6)
            patched.undo()
            _through_bugs(plant, 70)
        assert 15 < len(bugs) < 25
    assert plant.active == "1.0.0"


def _through_bugs(plant: Plant, seconds: int) -> None:
    for _ in range(seconds // 5):
        with contextlib.suppress(KeyError):
            plant.pass_time(5.0)


def test_a_folder_is_looked_at_as_often_while_it_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look costs nobody anything, and who plugs a stick in waits beside it."""
    folder = DirectoryRegistry(tmp_path / "stick", "gw-07")
    looks: list[str] = []

    def away(name: str) -> Listing:
        looks.append(name)
        raise RegistryUnavailable("no stick")

    monkeypatch.setattr(folder, "listing", away)
    plant = Plant(tmp_path / "state", folder, "pump")
    for _ in range(HOUR // 10):
        plant.pass_time(10.0)

    assert len(looks) >= 50


class Particular(MemoryRegistry):
    """Does not let us read models whose name begins with ``secret``."""

    def listing(self, name: str) -> Listing:
        """See `Registry`."""
        if name.startswith("secret"):
            self.calls.append("refused")
            raise RegistryUnavailable(f"{name}: it needs READ on the model (403)")
        return super().listing(name)


def _inquiry(registry: Registry) -> Inquiry:
    clock = ManualClock(1)
    return Inquiry(registry, made.GATEWAY, clock, poll=POLL, stale_after=float(HOUR))


def test_one_model_that_is_not_answered_holds_up_no_other(tmp_path: Path) -> None:
    """The user may not read it: it is said, and the others are asked for as often."""
    registry = Particular()
    registry.push(made.bundle(tmp_path, "pump"), {})
    inquiry = _inquiry(registry)
    wanted = [Reference(name) for name in ("secret", "pump")]

    for _ in range(5):
        inquiry.heard(inquiry.ask(wanted))
    answer = inquiry.ask(wanted)

    assert ("pump", "1.0.0") in answer.offers
    assert "READ on the model" in answer.failed
    assert inquiry.status()["state"] == "lost"
    assert inquiry.respite() <= POLL * (1 + JITTER) * NANOSECONDS


def test_a_dead_server_is_not_asked_for_every_model() -> None:
    """Two in a row are enough to know."""
    registry = Particular()

    answer = _inquiry(registry).ask([Reference(f"secret-{n}") for n in range(10)])

    assert registry.calls == ["refused"] * 2
    assert answer.failed.startswith("secret-0")
