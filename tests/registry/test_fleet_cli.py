"""`edge-agent fleet` as people and cron use it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from edge_agent import logs
from edge_agent.cli.main import main
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry import conducting
from edge_agent.registry.choosing import CHAMPION
from edge_agent.registry.directory import DirectoryRegistry
from edge_agent.registry.listing import (
    CANARY_PERCENT,
    Gateway,
    ModelReport,
    Observed,
    Report,
)
from edge_agent.registry.rules import Limit, rollout_of
from edge_agent.samples import NANOSECONDS
from tests.registry import made
from tests.registry.conftest import mlflow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.registry.mlflow_server import MlflowServer

OLD, NEW = "1.0.0", "1.1.0"
QUICK = ("--watch", "1ms", "--every", "1ms")


@pytest.fixture(autouse=True)
def quiet_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command sets up logs for its process, and here that is everybody's."""
    monkeypatch.setattr(logs, "configure", lambda **_: None)


class Centre:
    """A folder with two versions of a pump's model, and the command line beside it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "registry"
        self.path.mkdir()
        self.desk = DirectoryRegistry(self.path)
        for version in (OLD, NEW):
            self.desk.push(made.bundle(folder / "bundles", "pump", version), {})
        self.desk.point("pump", CHAMPION, OLD)

    def fleet(self, *words: str) -> int:
        """Run `edge-agent fleet …`; its exit code."""
        return main(["fleet", *words, "--registry", str(self.path)])

    def tell(self, version: str, count: int = 20, *, bad: str = "") -> None:
        """So many gateways report a version, or that another was refused.

        Their clocks are a minute ahead: so they speak while the share is watched.
        """
        at = time.time_ns() + 60 * NANOSECONDS
        for number in range(count):
            model = ModelReport("pump", version, state="active")
            if bad:
                model = ModelReport(
                    "pump", version, "", 0, "returned", bad, "refused", "NaN"
                )
            gateway = Gateway(f"gw-{number:02}", "hamburg")
            self.desk.report(Report(gateway, "0.2.0", at, (model,)))


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    """A registry whose champion is the old version."""
    return Centre(tmp_path)


def test_cron_brings_a_good_version_to_everybody(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3 as long as it goes on, 0 when it is champion, 0 ever after."""
    centre.tell(OLD)
    assert centre.fleet("rollout", "pump", NEW, *QUICK) == 0
    assert "fleet rollout pump --check" in capsys.readouterr().out
    assert centre.fleet("rollout", "pump", "--check") == 3
    assert "0 of" in capsys.readouterr().out

    centre.tell(NEW)
    codes = [centre.fleet("rollout", "pump", "--check") for _ in range(6)]

    said = capsys.readouterr().out
    ends = codes.index(0)
    assert codes == [3] * ends + [0] * (6 - ends)
    assert "goes on from" in said
    assert "is the champion now: 20 of 20 gateways are well" in said
    assert centre.desk.listing("pump").aliases == {CHAMPION: NEW}


def test_a_bad_version_ends_with_a_code_of_its_own(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """4, with the reason: CI turns red; after that there is nothing to do."""
    centre.tell(OLD)
    centre.fleet("rollout", "pump", NEW)
    centre.tell(OLD, bad=NEW)

    assert centre.fleet("rollout", "pump", "--check") == 4
    assert "pump 1.1.0 is halted: it failed on 20" in capsys.readouterr().out
    assert centre.fleet("rollout", "pump", "--check") == 0
    assert centre.fleet("rollout", "pump", NEW) == 1
    assert "fleet resume pump 1.1.0" in capsys.readouterr().err


def test_follow_does_every_step(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each change, and the code of the end."""
    centre.tell(NEW)

    code = centre.fleet("rollout", "pump", NEW, "--follow", *QUICK)

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0] == "pump 1.1.0 is rolled out to 10 % of the gateways"
    assert lines[-1].startswith("pump 1.1.0 is the champion now")
    assert len(lines) == len(set(lines))


def test_follow_waits_for_a_registry_that_is_away(
    centre: Centre, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so once and goes on when it is back."""
    centre.tell(NEW)
    check, left = conducting.check, [3]

    def flaky(*given: object) -> object:
        left[0] -= 1
        if left[0] >= 0:
            raise RegistryUnavailable("the server is restarting")
        return check(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(conducting, "check", flaky)

    assert centre.fleet("rollout", "pump", NEW, "--follow", *QUICK) == 0
    assert capsys.readouterr().out.count("the server is restarting") == 1


def test_who_stops_following_is_told_that_it_goes_on(
    centre: Centre, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollout is in the registry, not in this process."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(conducting, "check", interrupted)

    assert centre.fleet("rollout", "pump", NEW, "--follow", *QUICK) == 130
    assert "goes on" in capsys.readouterr().out
    assert rollout_of(centre.desk.listing("pump")) is not None


def test_rules_are_said_in_words(centre: Centre) -> None:
    """Shares, times and limits as people write them; everybody is the last share."""
    words = (
        *("--percent", "5", "--steps", "10%,50", "--watch", "2h", "--enough", "80"),
        *("--least", "3", "--max-failed", "5%", "--max-lost", "4"),
        *("--quiet", "30min", "--gone", "3d", "--salt", "spring"),
    )

    assert centre.fleet("rollout", "pump", NEW, *words) == 0

    found = rollout_of(centre.desk.listing("pump"))
    assert found is not None
    rules = found.rules
    assert list(rules.steps) == [5, 10, 50, 100]
    assert (rules.watch, rules.quiet, rules.gone) == (7200, 1800, 3 * 86_400)
    assert (rules.enough, rules.least) == (0.8, 3)
    assert (rules.failed, rules.lost) == (Limit(1, 0.05), Limit(4))


@pytest.mark.parametrize(
    "words",
    [
        ("--percent", "0"),
        ("--steps", "10,x"),
        ("--watch", "10"),
        ("--max-failed", "0"),
        ("--least", "-1"),
        ("--enough", "101"),
    ],
)
def test_rules_that_make_no_sense_are_refused(
    centre: Centre, words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written."""
    with pytest.raises(SystemExit, match="2"):
        centre.fleet("rollout", "pump", NEW, *words)
    assert words[0] in capsys.readouterr().err
    assert centre.desk.listing("pump").tags == {}


def test_rules_beyond_all_reason_are_refused(centre: Centre) -> None:
    """They could not be read back."""
    assert centre.fleet("rollout", "pump", NEW, "--watch", "4000d") == 78
    assert centre.desk.listing("pump").tags == {}


def test_rollout_wants_to_know_what(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a version nor --check is a slip."""
    assert centre.fleet("rollout", "pump") == 2
    assert "--check" in capsys.readouterr().err


def test_status_shows_every_gateway(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """Versions and states are counted; each gateway has a line with its reason."""
    centre.tell(OLD, 18)
    ill = ModelReport("pump", OLD, "", 0, "returned", NEW, "refused", "NaN\x1b[2J")
    centre.desk.report(Report(Gateway("press-1"), "0.2.0", 5, (ill,)))
    centre.desk.set_tag("pump", CANARY_PERCENT, "10")
    centre.fleet("rollout", "pump", NEW)
    capsys.readouterr()

    assert centre.fleet("status") == 0

    page = capsys.readouterr().out
    assert "pump  champion 1.0.0" in page
    assert "rollout of 1.1.0 at" in page
    assert "next: halt, it failed on 1 of 1 gateways (press-1)" in page
    assert "1.0.0: 18 active, 1 returned" in page
    assert "1.1.0: 1 failed" in page
    (line,) = (line for line in page.splitlines() if line.startswith("  press-1"))
    assert line.split()[1:6] == ["-", "1.0.0", "returned", "wrong", "clock"]
    assert line.endswith("1.1.0 refused  failed   NaN [2J")
    assert centre.desk.listing("pump").halted == {}


def test_status_shows_what_monitoring_found(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """A breach and open findings have a column; hostile words stay words."""
    breached = Observed("breached", "f1", 0.61, 0.55, 0.67, 120, "flow", 3.1, 2)
    odd = Observed("breached", "f1\x1b[2J" + "x" * 9000, findings=-5)
    met = Observed("met", "f1", 0.9, 0.85, 0.95, 300)
    for name, observed in (("gw-1", breached), ("gw-2", odd), ("gw-3", met)):
        model = ModelReport("pump", OLD, state="active", observed=observed)
        centre.desk.report(Report(Gateway(name), "0.2.0", time.time_ns(), (model,)))
    assert centre.fleet("status", "pump") == 0
    page = capsys.readouterr().out
    assert centre.fleet("status", "pump", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)

    lines = {line.split()[0]: line for line in page.splitlines() if "gw-" in line}
    assert "breached: f1 0.61 (0.55 to 0.67), 120 labels, 2 findings" in lines["gw-1"]
    assert "\x1b" not in page
    assert len(lines["gw-2"]) < 200
    assert "breached" not in lines["gw-3"]
    row = found["gateways"][0]
    assert (row["findings"], row["drift"]) == (2, "flow")
    assert found["gateways"][2]["accuracy"] == "met: f1 0.9 (0.85 to 0.95), 300 labels"


def test_status_for_machines(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same as JSON: one object a model."""
    centre.tell(OLD, 2)

    assert centre.fleet("status", "pump", "--json") == 0

    (found,) = json.loads(capsys.readouterr().out)
    assert (found["model"], found["champion"], found["rollout"]) == ("pump", OLD, None)
    assert found["versions"] == {OLD: {"active": 2}}
    assert [row["gateway"] for row in found["gateways"]] == ["gw-00", "gw-01"]
    assert found["gateways"][0]["wants"] == OLD


def test_a_version_is_halted_and_promoted_by_hand(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person decides without waiting for gateways, and can take it back."""
    assert centre.fleet("promote", "pump", NEW) == 0
    assert centre.fleet("halt", "pump", NEW, "--reason", "scrap doubled") == 0
    assert centre.desk.listing("pump").aliases == {CHAMPION: OLD}
    assert centre.fleet("promote", "pump", NEW) == 1
    assert centre.fleet("halt", "pump", OLD, "--reason", "worse") == 0
    assert "still the champion" in capsys.readouterr().out
    assert centre.fleet("resume", "pump", NEW) == 0
    assert centre.fleet("promote", "pump", NEW) == 0
    assert centre.desk.listing("pump").aliases == {CHAMPION: NEW}


def test_a_model_is_paused_and_resumed(centre: Centre) -> None:
    """A tag of the model, that is gone afterwards."""
    assert centre.fleet("pause", "pump") == 0
    assert centre.desk.listing("pump").paused
    assert centre.fleet("resume", "pump") == 0
    assert centre.desk.listing("pump").tags == {}


@pytest.mark.timeout(120)
def test_the_same_at_an_mlflow_server(
    mlflow_open: MlflowServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Versions are called by their passports, with MLflow's number beside."""
    name, where = made.unused_name(), ("--registry", mlflow_open.url)
    desk = mlflow(mlflow_open)
    for version in (OLD, NEW):
        desk.push(made.bundle(tmp_path, name, version), {})
    assert main(["fleet", "promote", name, OLD, *where]) == 0
    assert main(["fleet", "rollout", name, NEW, *where]) == 0
    bad = ModelReport(name, "1", "", 0, "returned", "2", "failed", "scores are NaN")
    desk.report(Report(Gateway(f"gw-{name}"), "0.2.0", time.time_ns(), (bad,)))

    assert main(["fleet", "status", name, *where]) == 0
    page = capsys.readouterr().out
    assert main(["fleet", "rollout", name, "--check", *where]) == 4

    assert f"{name} 1.0.0 (version 1) is the champion now" in page
    assert f"gw-{name}  -     1.0.0    returned" in page
    assert "1.1.0 failed  failed   scores are NaN" in page
    said = capsys.readouterr().out
    assert f"{name} 1.1.0 (version 2) is halted: it failed on 1 of 1" in said
    assert desk.listing(name).aliases == {CHAMPION: "1"}


_COMMANDS: list[tuple[str, ...]] = [
    ("rollout", "pump", NEW),
    ("rollout", "pump", "--check"),
    ("status", "pump"),
    ("halt", "pump", NEW, "--reason", "bad"),
    ("promote", "pump", NEW),
    ("pause", "pump"),
    ("resume", "pump"),
    ("resume", "pump", NEW),
]


@pytest.mark.parametrize("words", _COMMANDS)
def test_every_command_says_what_is_missing(
    centre: Centre, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """1 for a model that is not there, 69 for a registry that is not."""
    other = [word.replace("pump", "pimp") for word in words]

    assert centre.fleet(*other) == 1
    assert "did you mean 'pump'" in capsys.readouterr().err
    centre.path.rename(centre.path.with_name("pulled"))
    assert centre.fleet(*words) == 69
    assert "is the stick or share still there" in capsys.readouterr().err


def test_the_command_is_found(centre: Centre) -> None:
    """As cron calls it: a process of its own, warnings on standard error."""
    (centre.path / "reported").mkdir()
    (centre.path / "reported" / "gw-x.json").write_text("torn")
    words = ["fleet", "status", "--json", "--registry", str(centre.path)]

    ran = subprocess.run(
        [sys.executable, "-m", "edge_agent", *words], capture_output=True, check=False
    )

    assert ran.returncode == 0
    assert json.loads(ran.stdout)[0]["model"] == "pump"
    assert b"cannot be read" in ran.stderr
