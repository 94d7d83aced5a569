"""`edge-agent lineage`: from an alarm or a score to who approved the model."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.bundle.contents import bundle_digest
from edge_agent.cli.main import main
from edge_agent.records import AlarmRecord, Fallback
from edge_agent.registry import lineage, passports
from edge_agent.store.traces import Origin
from tests.agent.test_inference import Bench
from tests.model import bundles
from tests.pure.test_pipeline import INFO
from tests.store import made

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge_agent.bundle.contents import Bundle
    from edge_agent.records import Record
    from edge_agent.store.journal import Journal

ORIGIN = Origin("gw-07", "c" * 64)
NOTHING, UNAVAILABLE = 1, 69


class JournaledBench(Bench):
    """An inference whose records and checkpoints go to a journal."""

    def __init__(self, journal: Journal, **changes: object) -> None:
        super().__init__(**changes)  # type: ignore[arg-type]
        self.journal = journal

    def _submit(
        self, records: Sequence[Record], checkpoint: Mapping[str, bytes]
    ) -> None:
        super()._submit(records, checkpoint)
        self.journal.submit(records, checkpoint)


@dataclass
class Gateway:
    """What an agent leaves in its state folder, and what is asked of it."""

    state: Path
    bundle: Bundle
    capsys: pytest.CaptureFixture[str]

    def life(self, *pressures: float, **changes: object) -> list[AlarmRecord]:
        """One run of an agent whose pumps show these pressures; its alarms."""
        info = replace(
            INFO,
            model=self.bundle.passport.name,
            model_version=self.bundle.passport.version,
            model_sha8=self.bundle.sha8,
            model_digest=self.bundle.digest,
        )
        journal = made.journal(self.state / "store.db", origin=ORIGIN)
        recovered = journal.start()
        bench = JournaledBench(journal, **{"info": info, **changes})
        bench.inference.restore(recovered.checkpoint)
        for pressure in pressures:
            bench.second(pressure)
        assert journal.stop(10)
        return bench.of(AlarmRecord)

    def keep(self) -> None:
        """What the agent does at its start."""
        folder = lineage.folder_of(self.state)
        passports.keep_from(folder, self.bundle.path, self.bundle.digest)

    def ask(self, *words: str) -> tuple[int, str, str]:
        """Exit code and output of the command."""
        where = ("--state-dir", str(self.state), "--runtime-dir", str(self.state))
        code = main(["lineage", *words, *where])
        out, err = self.capsys.readouterr()
        return code, out, err

    def document(self, what: str) -> dict[str, Any]:
        """The answer for machines."""
        found: dict[str, Any] = json.loads(self.ask(what, "--json")[1])
        return found


@pytest.fixture
def gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Gateway:
    """A stopped one."""
    text = bundles.passport()
    text["training"] |= {"run": "mlflow run 8f2a", "commit": "4b82696"}
    text["accuracy"] = {"metric": "f1", "level": 0.8, "min_labels": 50}
    text |= {"approver": "Dr. Rahel Approver", "expires": "2028-02-29", "release": 12}
    return Gateway(tmp_path / "state", bundles.make(tmp_path / "m", text), capsys)


def test_an_alarm_leads_to_training_and_approver(gateway: Gateway) -> None:
    """Everything an auditor asks is on the page, though the bundle is gone."""
    gateway.keep()
    alarms = gateway.life(1.0, 9.0, 1.0)
    shutil.rmtree(gateway.bundle.path)
    code, page, _ = gateway.ask(alarms[0].occurrence)

    assert code == 0
    said = " ".join(page.split())
    for fact in (
        f"alarm {alarms[0].occurrence} ACTIVE",
        f"alarm {alarms[0].occurrence} NORMAL",
        "2023-11-14T22:13:22.000Z",
        "P-1, pipeline pump",
        "score 9, threshold 3, severity 800",
        " ".join(alarms[0].reason.split()),
        f"scored by model: small 1.0.0 {gateway.bundle.sha8}",
        f"configuration {ORIGIN.configuration}",
        f"digest {gateway.bundle.digest}",
        "release 12",
        "bundle not in this state folder",
        "for Tests of the agent.",
        "not for Knows nothing of pumps.",
        "owner Test Bench contact bench@example.com approved by Dr. Rahel Approver",
        "trained by tests/model/bundles.py run mlflow run 8f2a commit 4b82696",
        "data Standard normal numbers.",
        "data window 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z rows 500, seed 7",
        "must reach metric f1, level 0.8, min labels 50",
        "review by 2027-01-01 expires 2028-02-29",
    ):
        assert fact in said


def test_every_name_scada_has_leads_there(gateway: Gateway) -> None:
    """Occurrence, event id, `last`, and the first digits that every score carries."""
    gateway.keep()
    (p1, p2) = gateway.life(1.0, 9.0)
    # each turn has two rows: the alarms of the second follow its scores
    asked = (p1.occurrence, "gw-07-1-4", "last", gateway.bundle.sha8)
    found = {what: gateway.document(what) for what in asked}
    named = {w: [a["occurrence"] for a in one["alarms"]] for w, one in found.items()}

    assert named == {
        p1.occurrence: [p1.occurrence],
        "gw-07-1-4": [p1.occurrence],
        "last": [p2.occurrence],
        gateway.bundle.sha8: [p1.occurrence, p2.occurrence],
    }
    for one in found.values():
        (model,) = one["models"]
        assert model["digest"] == gateway.bundle.digest
        assert model["passport"]["approver"] == "Dr. Rahel Approver"
        assert set(one) == set(found["last"])
    assert found["last"]["alarms"][0]["id"] == "gw-07-1-5"


def test_a_restart_with_another_model_keeps_them_apart(gateway: Gateway) -> None:
    """Who raised an alarm and who cleared it may be two models: both are named."""
    gateway.keep()
    (came, _) = gateway.life(9.0)
    other = "f" * 64
    info = replace(INFO, model="small", model_version="2.0.0", model_digest=other)
    gateway.life(1.0, info=info)
    found = gateway.document(came.occurrence)

    assert [alarm["model_digest"] for alarm in found["alarms"]] == [
        gateway.bundle.digest,
        other,
    ]
    models = {model["digest"]: model for model in found["models"]}
    assert models[gateway.bundle.digest]["problem"] == ""
    # a model whose passport was never kept still has its name
    assert (models[other]["model"], models[other]["version"]) == ("small", "2.0.0")
    assert "no passport" in models[other]["problem"]
    assert gateway.ask(came.occurrence)[0] == 0


def test_the_rung_that_made_the_score_is_named(gateway: Gateway) -> None:
    """An alarm of the limit rule has no model behind it, and says so."""
    info = replace(INFO, model="", model_version="", model_sha8="", model_digest="")
    gateway.life(9.0, fallback=Fallback.LIMITS, info=info)
    found = gateway.document("last")

    assert [alarm["scored_by"] for alarm in found["alarms"]] == ["limits"]
    assert found["models"] == []
    assert "scored by      limits:" in gateway.ask("last")[1]


def test_a_model_needs_no_alarm_and_no_store(gateway: Gateway) -> None:
    """The digest of a calm score is enough."""
    gateway.keep()
    code, page, _ = gateway.ask(gateway.bundle.digest[:12])

    assert code == 0
    assert "approved by    Dr. Rahel Approver" in page
    assert "0 of the newest 1000 transitions" in page


def test_where_the_bundle_lies_is_said(gateway: Gateway) -> None:
    """A version that is still on the gateway can be looked at itself."""
    gateway.keep()
    folder = gateway.state / "models" / "bundles" / "small" / gateway.bundle.digest
    folder.mkdir(parents=True)

    assert gateway.document(gateway.bundle.sha8)["models"][0]["bundle"] == str(folder)
    assert f"bundle         {folder}" in gateway.ask(gateway.bundle.sha8)[1]


def test_an_ambiguous_beginning_shows_all_it_may_mean(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two models whose digests begin alike: both pages, and a line that says so."""
    sums = {}
    digests = []
    for number in range(2):
        text = f"name: model-{number}\napprover: person {number}\n".encode()
        sums = {"passport.yaml": hashlib.sha256(text).hexdigest()}
        digest = "01234567" + bundle_digest(sums)[8:]
        digests.append(digest)
        # SHA-256 is not easily made to begin alike: the check is looked away from
        monkeypatch.setattr(passports, "_belongs", lambda *_: True)
        passports.keep(lineage.folder_of(gateway.state), digest, text, sums)
    code, page, _ = gateway.ask("01234567")

    assert code == 0
    assert page.startswith("01234567 begins the digests of 2 models:")
    assert {"person 0", "person 1"} <= {
        line.removeprefix("  approved by").strip() for line in page.splitlines()
    }
    assert [m["digest"] for m in gateway.document("01234567")["models"]] == sorted(
        digests
    )


def test_nothing_found_says_what_was_looked_for_and_what_there_is(
    gateway: Gateway,
) -> None:
    """A typing error: where it was looked, and the newest alarms to choose from."""
    gateway.keep()
    (p1, p2) = gateway.life(9.0)
    code, page, _ = gateway.ask("P-9-123456")

    assert code == NOTHING
    assert page.startswith("nothing is known of P-9-123456")
    assert str(gateway.state) in page
    assert "1 passports" in page
    assert p1.occurrence in page
    assert p2.occurrence in page
    assert gateway.ask("deadbeef")[0] == NOTHING
    assert gateway.document("deadbeef")["models"] == []


def test_a_wrong_folder_is_said_to_be_wrong(gateway: Gateway) -> None:
    """No store there: which file was looked for, and how to name another folder."""
    code, page, said = gateway.ask("last")

    assert (code, page) == (UNAVAILABLE, "")
    assert "store.db" in said
    assert "--state-dir" in said


def test_a_changed_passport_is_not_believed(gateway: Gateway) -> None:
    """Another approver written into the kept file: the page says it was changed."""
    gateway.keep()
    gateway.life(9.0)
    file = lineage.folder_of(gateway.state) / f"{gateway.bundle.digest}.yaml"
    file.write_text(file.read_text().replace("Rahel", "Nobody"))
    _, page, _ = gateway.ask("last")

    assert "Nobody" not in page
    assert "was changed since" in " ".join(page.split())


def test_a_page_cannot_command_a_terminal(gateway: Gateway) -> None:
    """A part id from a machine with escape codes in it is shown, not obeyed."""
    journal = made.journal(gateway.state / "store.db", origin=ORIGIN)
    journal.start()
    journal.submit([replace(made.alarm(5), part="7\x1b[2J", reason="a\nb\x07")], {})
    assert journal.stop(10)
    _, page, _ = gateway.ask("last")

    assert "7?[2J" in page
    assert all(c.isprintable() or c == "\n" for c in page)
