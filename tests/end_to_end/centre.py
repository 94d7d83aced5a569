"""The centre of a fleet: an MLflow server with users and TLS, and who works there."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_agent.bundle.keys import load_private
from edge_agent.bundle.signing import sign
from edge_agent.config import schema
from edge_agent.registry.listing import Gateway
from edge_agent.registry.opening import open_registry
from tests import peers
from tests.end_to_end import pumps
from tests.end_to_end.running import command
from tests.model import bundles

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from edge_agent.registry.listing import ModelReport
    from edge_agent.registry.registry import Desk
    from tests.registry.mlflow_server import MlflowServer


@dataclass
class Centre:
    """Publishes and steers as ``admin``; gateways have users of their own.

    Attributes:
        folder: for keys, passwords and bundles.
        server: started by `up`.
    """

    folder: Path
    server: MlflowServer
    _seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        done = command("model", "key", "--out", str(self.folder / "plant"))
        assert done.returncode == 0, done.stderr

    def up(self) -> None:
        """Start the server where it does not run."""
        if not self.server.running:
            self.server.folder.mkdir(parents=True, exist_ok=True)
            self.server.start()

    @property
    def ca(self) -> Path:
        """The server's authority."""
        assert self.server.tls is not None
        return self.server.tls.ca

    @cached_property
    def desk(self) -> Desk:
        """The registry as the centre uses it."""
        settings = schema.Registry.model_validate(self._registry("admin"))
        return open_registry(settings, Gateway(""), password=self.server.password)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One of ``edge-agent``'s commands for the registry, as ``admin``."""
        where = ["--registry", self.server.url, "--user", "admin"]
        password = str(self._password_file("admin", self.server.password))
        where += ["--password-file", password, "--ca-file", str(self.ca)]
        return command(*words, *where)

    def bundle(
        self, name: str, version: str, *, scale: float = 1.0, more: int = 0
    ) -> Path:
        """A bundle of the small model, not signed.

        Args:
            name: of the model.
            version: of it.
            scale: of its rows: another one scores otherwise.
            more: bytes of a file beside it.
        """
        text = {**pumps.passport(), "name": name, "version": version}
        width = len(text["features"])
        squares = np.square(bundles.golden(width).astype(np.float64) * scale)
        folder = bundles.make(
            self.folder / "made",
            text | {"title": f"Version {version}"},
            proto=bundles.graph(width, scale=scale),
            outputs={"score": squares.sum(axis=1), "contributions": squares},
        ).path
        if more:
            weights = np.random.default_rng(5).bytes(more)
            (folder / "weights.bin").write_bytes(weights)
        return folder

    def sign(self, bundle: Path) -> Path:
        """Vouch for a bundle."""
        sign(bundle, load_private(self.folder / "plant.key"))
        return bundle

    def publish(self, name: str, *versions: str, scale: float = 1.0) -> list[str]:
        """Signed versions in the registry; their numbers there."""
        made = [self.sign(self.bundle(name, v, scale=scale)) for v in versions]
        return [self.desk.push(bundle, {}).version for bundle in made]

    def gateway(
        self, folder: Path, broker: peers.Mosquitto, name: str, model: str, port: int
    ) -> dict[str, Any]:
        """A gateway's configuration: two pumps, one model, asked for every second.

        Args:
            folder: for its files.
            broker: of telemetry and SCADA.
            name: of the gateway and its user.
            model: what its pipeline names.
            port: where it believes the server to be.
        """
        config = pumps.configuration(folder, broker, broker)
        registry = self._registry(name) | {
            "password_file": str(self._password_file(name, _word(name))),
            "trusted_keys": [str(self.folder / "plant.pub")],
            "poll": "1s",
        }
        registry["url"] = f"https://{peers.HOST}:{port}"
        pipeline = config["pipelines"]["small"] | {"model": model}
        pipeline["promotion"] = {"policy": "at-once"}
        return config | {
            "gateway": name,
            "registry": registry,
            "pipelines": {"small": pipeline},
        }

    def enrol(self, name: str) -> None:
        """Let a gateway read everything and report."""
        self.server.add_user(name, _word(name))

    def reported(self, gateway: str, model: str) -> ModelReport | None:
        """What a gateway says of a model, by the tags in MLflow."""
        for report in self.desk.reports(model):
            if report.gateway.name == gateway:
                return next(one for one in report.models if one.model == model)
        return None

    def calls(self) -> Counter[str]:
        """Requests since it was last asked, by what they want."""
        asked = self.server.asked()
        fresh, self._seen = asked[self._seen :], len(asked)
        return Counter(filter(None, map(_wanted, fresh)))

    def _registry(self, user: str) -> dict[str, Any]:
        tls = {"ca_file": str(self.ca)}
        return {"type": "mlflow", "url": self.server.url, "user": user, "tls": tls}

    def _password_file(self, user: str, word: str) -> Path:
        path = self.folder / f"{user}.password"
        path.touch(0o600)
        path.write_text(word)
        return path


def _word(gateway: str) -> str:
    return f"{gateway}, and nobody else"


def _wanted(line: str) -> str:
    """``GET mlflow/runs/get`` of a line; files without their names."""
    method, path = line.split()[:2]
    path = path.partition("?")[0]
    if not path.startswith("/api/2.0/"):
        return ""
    path = re.sub(r"/(artifacts|presigned)/.+", r"/\1/FILE", path[len("/api/2.0/") :])
    return f"{method} {path}"
