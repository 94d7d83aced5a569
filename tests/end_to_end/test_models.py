"""Models that come and go while a real agent scores: no row is lost for it."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_agent.bundle.keys import load_private
from edge_agent.bundle.signing import sign
from tests import peers
from tests.end_to_end import pumps
from tests.end_to_end.figures import figure
from tests.end_to_end.listening import Historian
from tests.end_to_end.pumps import Hall
from tests.end_to_end.running import Agent, command
from tests.end_to_end.waiting import until
from tests.model import bundles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[peers.Mosquitto]:
    """One broker for telemetry and SCADA."""
    config = "max_queued_messages 0"
    with peers.Mosquitto(tmp_path / "broker", config=config) as running:
        yield running


def plant(folder: Path, broker: peers.Mosquitto, **promotion: Any) -> dict[str, Any]:  # noqa: ANN401
    """Two pumps whose model may change every second."""
    config = pumps.configuration(folder, broker, broker)
    config["registry"]["poll"] = "1s"
    config["pipelines"]["small"]["promotion"] = {"policy": "at-once"} | promotion
    return config


def publish(
    folder: Path,
    version: str,
    *,
    scale: float = 1.0,
    changed: Callable[[Path], object] = lambda _: None,
) -> Path:
    """Put a version into the folder of models, whole at once, as `push` does."""
    text = {**pumps.passport(), "version": version, "title": f"Version {version}"}
    width = len(text["features"])
    squares = np.square(bundles.golden(width).astype(np.float64) * scale)
    made = bundles.make(
        folder / "made",
        text,
        proto=bundles.graph(width, scale=scale),
        outputs={"score": squares.sum(axis=1), "contributions": squares},
    )
    target = folder / "models" / "small" / version
    coming = target.with_suffix(".coming")
    shutil.copytree(made.path, coming)
    changed(coming)
    coming.rename(target)
    return target


def pipeline(agent: Agent) -> dict[str, Any]:
    """What the status says of the one pipeline."""
    found: dict[str, Any] = agent.status()["pipelines"]["small"]
    return found


def stages(agent: Agent) -> dict[str, str]:
    """Stage of each version."""
    return {v["version"]: v["stage"] for v in pipeline(agent)["versions"]}


def gaps(rows: list[dict[str, Any]]) -> list[int]:
    """Ms between two rows that follow each other, longest first."""
    stamps = sorted({row["ts_ms"] for row in rows})
    return sorted((b - a for a, b in pairwise(stamps)), reverse=True)


def test_a_new_version_takes_over_between_two_rows(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """Every row is scored once, by the old or the new version, and none is doubled."""
    config = plant(tmp_path, broker)
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, broker))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        until(agent.connected, "links")
        hall = stack.enter_context(Hall(broker))
        until(lambda: len(historian.rows()) > 100, "live rows")
        for version in ("1.1.0", "1.2.0", "1.3.0"):
            publish(tmp_path, version)
            until(lambda: historian.rows()[-1]["model_version"] == version, version)  # noqa: B023
        published = hall.finish()
        stamped = Counter(stamp // 10**6 for _, stamp in published)
        until(lambda: len(historian.rows()) == len(published), "all rows")
        agent.stop()

    rows = historian.rows()
    assert Counter(row["ts_ms"] for row in rows) == stamped
    assert {row["fallback"] for row in rows} == {"model"}
    assert {row["quality"] for row in rows} == {"GOOD"}
    events = [one.payload["event"] for one in historian.messages("events")]
    assert events.count("model activated") == 4
    historian.against_the_schema()
    sent = sorted({stamp // 10**6 for _, stamp in published})
    longest = max(b - a for a, b in pairwise(sent))
    figure(
        f"3 swaps under {len(published)} rows: 0 lost, 0 doubled; longest gap between "
        f"scored rows {gaps(rows)[0]} ms, between published rows {longest} ms"
    )


def test_a_version_that_speaks_nonsense_is_given_back(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """It passed every check and gives one score for all: SCADA sees what happened."""
    config = plant(tmp_path, broker)
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, broker))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        until(agent.connected, "links")
        stack.enter_context(Hall(broker))
        until(lambda: len(historian.rows()) > 100, "live rows")
        publish(tmp_path, "1.1.0", scale=0.0)
        until(lambda: historian.rows()[-1]["model_version"] == "1.1.0", "1.1.0")
        until(
            lambda: historian.rows()[-1]["fallback"] == "last-known-good", "the return"
        )
        last = historian.rows()[-1]
        assert (last["model_version"], last["quality"]) == ("1.0.0", "UNCERTAIN")
        assert "the last known good: small 1.1.0" in last["reason"]
        until(lambda: stages(agent) == {"1.0.0": "active", "1.1.0": "refused"}, "life")
        told = agent.status()
        assert told["state"] == "degraded"
        assert "one and the same score" in told["summary"]

        publish(tmp_path, "1.2.0")
        until(lambda: historian.rows()[-1]["model_version"] == "1.2.0", "1.2.0")
        assert historian.rows()[-1]["fallback"] == "model"
        until(lambda: agent.status()["state"] == "ok", "all is well again")
        agent.stop()
    events = Counter(one.payload["event"] for one in historian.messages("events"))
    assert events["model given back"] == 1
    historian.against_the_schema()


def test_a_version_is_watched_on_live_rows_and_taken_by_hand(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """Nobody acts on it meanwhile; the comparison says where the two differ."""
    config = plant(tmp_path, broker, policy="manual")
    with ExitStack() as stack:
        historian = stack.enter_context(Historian(tmp_path, broker))
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        until(agent.connected, "links")
        stack.enter_context(Hall(broker))
        publish(tmp_path, "1.1.0", scale=0.5)
        until(lambda: stages(agent).get("1.1.0") == "shadow", "watched")
        until(lambda: pipeline(agent)["compared"].get("rows", 0) > 300, "rows compared")
        told = pipeline(agent)["compared"]
        assert told["correlation"] == pytest.approx(1.0, abs=1e-3)
        assert 0.05 < told["disagreement"] < 0.5  # a quarter of the score: fewer alarms
        assert {row["model_version"] for row in historian.rows()} == {"1.0.0"}
        agent.kill()
        agent.start()
        until(lambda: pipeline(agent)["compared"].get("rows", 0) > 200, "it goes on")

        state = str(tmp_path / "agent" / "state")
        for words, said in (
            (("activate", "small", "1.1.0"), "small 1.1.0 scores small"),
            (("rollback", "small"), "small 1.0.0 scores small again"),
        ):
            done = command("model", *words, "--state-dir", state)
            assert (done.returncode, said in done.stdout) == (0, True), done
        until(lambda: pipeline(agent)["held"] == "by hand", "held")
        assert pipeline(agent)["model"] == "small@1.0.0"
        agent.stop()
    historian.against_the_schema()


def test_only_what_a_trusted_key_signed_scores(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """Unsigned: refused, with the reason; signed anew it scores; one byte more: not."""
    key = tmp_path / "plant"
    assert command("model", "key", "--out", str(key)).returncode == 0
    config = plant(tmp_path, broker)
    config["registry"]["trusted_keys"] = [f"{key}.pub"]
    first = tmp_path / "models" / "small" / "1.0.0"
    with ExitStack() as stack:
        agent = stack.enter_context(Agent(tmp_path / "agent", config))
        assert pipeline(agent)["state"] == "no model"
        assert "model.sig" in pipeline(agent)["error"]

        sign(first, load_private(key.with_suffix(".key")))
        until(lambda: pipeline(agent)["state"] == "scoring", "the signed one")
        assert pipeline(agent)["signer"]

        def spoil(bundle: Path) -> None:
            sign(bundle, load_private(key.with_suffix(".key")))
            (bundle / ".git").mkdir()
            (bundle / ".git" / "x").write_text("a hook")

        publish(tmp_path, "1.1.0", changed=spoil)
        until(lambda: stages(agent).get("1.1.0") == "refused", "the one with more")
        assert ".git/x" in pipeline(agent)["next_reason"]
        assert pipeline(agent)["model"] == "small@1.0.0"
        agent.stop()


@pytest.mark.crash
def test_kills_while_versions_come_lose_no_model(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """SIGKILL at random moments of an adoption: it always starts with a whole model."""
    config = plant(tmp_path, broker)
    moments = random.Random(5)
    seconds: list[float] = []
    with Agent(tmp_path / "agent", config) as agent:
        until(lambda: pipeline(agent)["state"] == "scoring", "the first model")
        for number in range(1, 7):
            publish(tmp_path, f"1.{number}.0")
            time.sleep(moments.uniform(0.0, 2.5))
            agent.kill()
            began = time.monotonic()
            agent.start()
            assert pipeline(agent)["state"] == "scoring"
            seconds.append(time.monotonic() - began)
        until(lambda: pipeline(agent)["model"] == "small@1.6.0", "the last one")
        agent.stop()
    figure(
        f"{len(seconds)} SIGKILLs while versions came: scoring with a whole model "
        f"{max(seconds):.1f} s after the start at most"
    )


def test_signatures_that_cannot_be_checked_stop_no_line(
    tmp_path: Path, broker: peers.Mosquitto
) -> None:
    """Keys gone, a damaged list, a disk that takes none: what scored scores on."""
    key, listed = tmp_path / "plant", tmp_path / "revoked.json"
    lost = tmp_path / "lost"
    for made in (key, lost):
        assert command("model", "key", "--out", str(made)).returncode == 0
    words = ("--key", f"{key}.key", "--list", str(listed), "--reason", "lost")
    done = command("model", "revoke", f"{lost}.pub", *words)
    assert done.returncode == 0, done.stderr
    config = plant(tmp_path, broker)
    config["registry"] |= {"trusted_keys": [f"{key}.pub"], "revoked": str(listed)}
    sign(tmp_path / "models" / "small" / "1.0.0", load_private(key.with_suffix(".key")))
    models = tmp_path / "agent" / "state" / "models"
    with Agent(tmp_path / "agent", config) as agent:
        until(lambda: pipeline(agent)["state"] == "scoring", "the signed one")
        (models / "revoked-keys.json").unlink()
        (models / ".revoked-keys.json.new" / "x").mkdir(parents=True)
        agent.kill()
        agent.start()
        assert pipeline(agent)["state"] == "scoring"

        listed.write_text("{}")
        agent.kill()
        agent.start()
        assert pipeline(agent)["state"] == "scoring"
        assert "signatures cannot be checked" in agent.status()["summary"]

        key.with_suffix(".pub").unlink()
        agent.kill()
        agent.start()
        assert pipeline(agent)["state"] == "scoring"
        assert "signatures cannot be checked" in agent.status()["summary"]
        agent.stop()
