"""The agent as its own process, configured for the bench by the operator's file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.bench.bundle import NAME, write_bundle
from tests.bench.measure import Child
from tests.bench.plant import NAMES, ROLES

if TYPE_CHECKING:
    from tests.bench.arena import Arena

PLAIN_STORE = "tests.bench.agent_without_store"
_OUTPUT_INFLIGHT = 1000


def start(
    arena: Arena,
    source: dict[str, Any],
    period_ms: int,
    *,
    publish: str = "live",
    store: bool = True,
) -> Child:
    """Run ``edge-agent run`` on a configuration written for this arena.

    Args:
        arena: broker and folder.
        source: the one source, of type mqtt or opcua.
        period_ms: between two rows of an asset; sets the model's windows.
        publish: live or committed.
        store: False runs the same agent with a journal that forgets.
    """
    for name in ("state", "run"):
        (arena.folder / name).mkdir()
    write_bundle(arena.folder / "models", period_ms)
    config = arena.folder / "agent.yaml"
    content = configuration(source, arena.folder, arena.port, publish)
    config.write_text(yaml.safe_dump(content, sort_keys=False))
    module = "edge_agent" if store else PLAIN_STORE
    return Child(
        "-m", module, "run", "--config", str(config), ready=None, log=arena.log("agent")
    )


def mqtt_source(arena: Arena, qos: int) -> dict[str, Any]:
    """The bench's broker as a source."""
    return {
        "type": "mqtt",
        "host": "127.0.0.1",
        "port": arena.port,
        "qos": qos,
        "payload": "json",
        "time_field": "ts",
    }


def opcua_source(endpoint: str, publishing_ms: int = 500) -> dict[str, Any]:
    """A server without security, as every contender uses it."""
    return {
        "type": "opcua",
        "endpoint": endpoint,
        "security": "None",
        "publishing": f"{publishing_ms}ms",
        "sampling": "50ms",
        "queue": 100,
    }


def configuration(
    source: dict[str, Any],
    folder: Path = Path(),
    port: int = 1883,
    publish: str = "live",
) -> dict[str, Any]:
    """What the operator of the bench's plant would write.

    Args:
        source: the one source.
        folder: holds models, state and run.
        port: of the broker for the scores.
        publish: live or committed.
    """
    return {
        "site": {"enterprise": "bench"},
        "gateway": "gw-bench",
        "sources": {"plant": source},
        "assets": [{"type": "machine", "ids": list(NAMES), "tags": _tags(source)}],
        "pipelines": {
            "bench": {
                "assets": "machine",
                "model": NAME,
                "score": {"on": "update"},
                "report": {"deadband": 0.0},
            }
        },
        "registry": {"type": "directory", "path": str(folder / "models")},
        "outputs": {
            "scada": {
                "type": "mqtt",
                "host": "127.0.0.1",
                "port": port,
                "inflight": _OUTPUT_INFLIGHT,
                "publish": publish,
            }
        },
        "state_dir": str(folder / "state"),
        "runtime_dir": str(folder / "run"),
        "log_level": os.environ.get("BENCH_LOG_LEVEL", "warning"),
    }


def _tags(source: dict[str, Any]) -> dict[str, dict[str, str]]:
    if source["type"] == "mqtt":
        where = {"topic": "plant/{id}/data", "unit": "bar"}
        return {r: {"source": "plant", **where, "field": r} for r in ROLES}
    where = {"source": "plant", "unit": "bar"}
    return {r: {**where, "node": f"ns=2;s={{id}}.{r}"} for r in ROLES}


def database_bytes(arena: Arena) -> int:
    """What the store's files hold."""
    return sum(f.stat().st_size for f in Path(arena.folder / "state").rglob("*.db*"))
