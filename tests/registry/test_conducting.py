"""Rollouts at every kind of registry."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry import conducting
from edge_agent.registry.choosing import CANARY, CHAMPION, bucket
from edge_agent.registry.listing import (
    CANARY_SALT,
    PAUSED,
    Gateway,
    ModelReport,
    Report,
)
from edge_agent.registry.rollout import Kind
from edge_agent.registry.rules import FORMER, Limit, Rules, rollout_of
from edge_agent.samples import NANOSECONDS
from tests.registry import made
from tests.registry.doubles import MemoryRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.registry.conftest import Stage

#: An MLflow server that a test is the first to use takes its time to start.
pytestmark = pytest.mark.timeout(120)

NOW = 1_900_000_000 * NANOSECONDS
MINUTE = 60 * NANOSECONDS
RULES = Rules(watch=120.0)


@pytest.fixture
def versions(stage: Stage) -> tuple[str, str]:
    """The registry's ids of a champion and of a newer version."""
    first = stage.desk.push(stage.bundle("1.0.0"), {}).version
    second = stage.desk.push(stage.bundle("1.1.0"), {}).version
    stage.desk.point(stage.name, CHAMPION, first)
    return first, second


def tell(stage: Stage, now: int, version: str, *, bad: str = "") -> None:
    """Gateways report that they score with a version, or that another was refused.

    Where gateways have users only the first is believed: it speaks for nobody else.
    """
    for number in range(6):
        model = ModelReport(stage.name, version, state="active")
        if bad:
            model = ModelReport(stage.name, version, "", 0, "returned", bad, "refused")
        other = Gateway(f"{stage.gateway.name}-{number}")
        gateway = other if number else stage.gateway
        stage.registry.report(Report(gateway, "0.2.0", now, (model,)))


def test_a_version_goes_step_by_step_to_everybody(
    stage: Stage, versions: tuple[str, str]
) -> None:
    """And leaves nothing behind but the champion and the one before."""
    old, new = versions
    tell(stage, NOW, old)
    begun = conducting.start(stage.desk, stage.name, "1.1.0", RULES, NOW)
    kinds, shares = [], [begun.percent]

    for minutes in range(1, 30):
        tell(stage, NOW + minutes * MINUTE, new)
        done = conducting.check(stage.desk, stage.name, NOW + minutes * MINUTE)
        if done is None:
            break
        kinds.append(done[1].kind)
        shares += [done[1].percent] if done[1].kind is Kind.WIDEN else []

    assert kinds[-1] is Kind.PROMOTE
    assert kinds.count(Kind.WIDEN) == len(shares) - 1
    assert shares == sorted(shares)
    listing = stage.desk.listing(stage.name)
    assert listing.aliases == {CHAMPION: new}
    assert listing.tags == {FORMER: old}


def test_a_bad_version_is_halted_and_stays_so(
    stage: Stage, versions: tuple[str, str]
) -> None:
    """Its gateways find the champion again; to begin it once more is refused."""
    old, new = versions
    tell(stage, NOW, old)
    conducting.start(stage.desk, stage.name, new, RULES, NOW)
    tell(stage, NOW, old, bad=new)

    done = conducting.check(stage.desk, stage.name, NOW + MINUTE)

    assert done is not None
    assert done[1].kind is Kind.HALT
    listing = stage.desk.listing(stage.name)
    assert listing.aliases == {CHAMPION: old}
    assert set(listing.halted) == {new}
    assert conducting.check(stage.desk, stage.name, NOW) is None
    with pytest.raises(ModelRejected, match="resume"):
        conducting.start(stage.desk, stage.name, new, RULES, NOW)
    with pytest.raises(ModelRejected, match="is halted"):
        conducting.promote(stage.desk, stage.name, new)

    conducting.lift(stage.desk, stage.name, new)
    assert conducting.start(stage.desk, stage.name, new, RULES, NOW).version == new


def test_a_promoted_version_can_still_be_taken_back(
    stage: Stage, versions: tuple[str, str]
) -> None:
    """Halting the champion points everybody at the one before."""
    old, new = versions

    conducting.promote(stage.desk, stage.name, "1.1.0")
    promoted = stage.desk.listing(stage.name).aliases
    conducting.halt(stage.desk, stage.name, "1.1.0", "scrap doubled")

    assert promoted == {CHAMPION: new}
    assert stage.desk.listing(stage.name).aliases == {CHAMPION: old}
    assert stage.desk.listing(stage.name).halted == {new: "scrap doubled"}


def test_rules_are_kept_where_everyone_sees_them(
    stage: Stage, versions: tuple[str, str]
) -> None:
    """Another machine reads the same rollout."""
    rules = Rules((5.0, 20.0, 100.0), 7200.0, failed=Limit(2, 0.05))

    begun = conducting.start(stage.desk, stage.name, versions[1], rules, NOW)

    assert begun.rules == rules
    assert rollout_of(stage.registry.listing(stage.name)) == begun


def test_one_rollout_at_a_time(stage: Stage, versions: tuple[str, str]) -> None:
    """A second version waits until the first is promoted or halted."""
    third = stage.desk.push(stage.bundle("1.2.0"), {}).version
    conducting.start(stage.desk, stage.name, versions[1], RULES, NOW)

    with pytest.raises(ModelRejected, match="first"):
        conducting.start(stage.desk, stage.name, third, RULES, NOW)
    with pytest.raises(ModelRejected, match="champion already"):
        conducting.start(stage.desk, stage.name, versions[0], RULES, NOW)
    with pytest.raises(ModelRejected):
        conducting.start(stage.desk, stage.name, "9.9.9", RULES, NOW)

    assert stage.desk.listing(stage.name).aliases[CANARY] == versions[1]


def test_a_pause_holds_a_rollout_where_it_is(
    stage: Stage, versions: tuple[str, str]
) -> None:
    """And the watch begins anew when it goes on."""
    old, new = versions
    tell(stage, NOW, old)
    conducting.start(stage.desk, stage.name, new, RULES, NOW)
    tell(stage, NOW, new)
    conducting.check(stage.desk, stage.name, NOW)
    conducting.pause(stage.desk, stage.name, paused=True)

    paused = conducting.check(stage.desk, stage.name, NOW + 5 * MINUTE)
    conducting.pause(stage.desk, stage.name, paused=False)
    after = conducting.check(stage.desk, stage.name, NOW + 6 * MINUTE)

    assert paused is not None
    assert "is paused" in paused[1].reason
    assert after is not None
    assert (after[1].kind, after[1].well) == (Kind.WAIT, NOW + 6 * MINUTE)
    assert PAUSED not in stage.desk.listing(stage.name).tags


def test_a_salt_draws_other_gateways(stage: Stage, versions: tuple[str, str]) -> None:
    """So that not always the same ones try what is new."""
    conducting.start(stage.desk, stage.name, versions[1], RULES, NOW, "spring")

    salt = stage.desk.listing(stage.name).tags[CANARY_SALT]

    assert {bucket(stage.name, f"gw-{i}", salt) for i in range(9)} != {
        bucket(stage.name, f"gw-{i}") for i in range(9)
    }


def test_a_model_without_a_champion_has_to_get_one(tmp_path: Path) -> None:
    """Where its gateways take the newest by themselves a share would mean nothing."""
    memory = MemoryRegistry()
    for version in ("1.0.0", "1.1.0"):
        memory.push(made.bundle(tmp_path, "pump", version), {})

    with pytest.raises(ModelRejected, match="no champion"):
        conducting.start(memory, "pump", "1.1.0", RULES, NOW)


def test_what_somebody_changes_meanwhile_is_looked_at_first(tmp_path: Path) -> None:
    """Two people at two machines: the halt of one is not overwritten by the other."""
    memory = _begun(tmp_path)
    memory.meanwhile = True

    done = conducting.check(memory, "pump", NOW + MINUTE)

    assert done is not None
    assert (done[1].kind, done[1].reason[:8]) == (Kind.WAIT, "somebody")
    assert memory.listing("pump").aliases == {CHAMPION: "1.0.0"}


@pytest.mark.parametrize("calls", range(1, 14))
def test_a_step_that_the_link_cut_is_ended_by_the_next(
    tmp_path: Path, calls: int
) -> None:
    """Wherever the registry went away, on whatever machine the next look is."""
    memory = _begun(tmp_path)
    memory.left = calls

    with contextlib.suppress(RegistryUnavailable):
        conducting.check(memory, "pump", NOW + MINUTE)
    memory.left = 1000
    for minutes in (2, 3):
        conducting.check(memory, "pump", NOW + minutes * MINUTE)

    assert memory.listing("pump").aliases == {CHAMPION: "1.1.0"}
    assert rollout_of(memory.listing("pump")) is None


class _Hurried(MemoryRegistry):
    """A registry in which things happen between two calls.

    Attributes:
        meanwhile: somebody halts while reports are read.
        left: calls until it goes away.
    """

    meanwhile = False
    left = 1000

    def reports(self, model: str = "") -> Iterator[Report]:
        """See `Desk`."""
        yield from super().reports(model)
        if self.meanwhile:
            self.meanwhile = False
            conducting.halt(self, model, "1.1.0", "by hand")

    def _called(self, name: str) -> None:
        self.left -= 1
        self.fail = int(self.left < 0)
        super()._called(name)


def _begun(folder: Path) -> _Hurried:
    """A rollout that is promoted with the next look."""
    memory = _Hurried()
    for version in ("1.0.0", "1.1.0"):
        memory.push(made.bundle(folder, "pump", version), {})
    memory.point("pump", CHAMPION, "1.0.0")
    conducting.start(memory, "pump", "1.1.0", Rules((100.0,), watch=30.0), NOW)
    model = ModelReport("pump", "1.1.0", state="active")
    memory.report(Report(Gateway("gw-1"), "0.2.0", NOW + MINUTE, (model,)))
    conducting.check(memory, "pump", NOW)
    return memory
