"""An S3 server on a free loopback port: moto's, with one bucket in memory."""

from __future__ import annotations

import subprocess
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests import peers

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class ObjectStore:
    """A store for MLflow's artifacts.

    Attributes:
        folder: for its log.
    """

    folder: Path
    port: int = field(default_factory=peers.free_port)
    _process: subprocess.Popen[bytes] | None = None

    bucket = "s3://models/edge"

    @property
    def environment(self) -> dict[str, str]:
        """What MLflow must know of it."""
        return {
            "MLFLOW_S3_ENDPOINT_URL": self._url(""),
            "AWS_ACCESS_KEY_ID": "mlflow",
            "AWS_SECRET_ACCESS_KEY": "no secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ("-m", "moto.server", "-H", peers.HOST, "-p", str(self.port))
        with (self.folder / "store.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(peers.require("python")), *words], stdout=log, stderr=log
            )
        assert peers.wait_for_port(self.port, self._process), self.log()
        request = urllib.request.Request(self._url("models"), method="PUT")  # noqa: S310
        urllib.request.urlopen(request, timeout=20).close()  # noqa: S310
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self) -> list[str]:
        """Its requests, a line each."""
        return (self.folder / "store.log").read_text("utf-8").splitlines()

    def _url(self, path: str) -> str:
        return f"http://{peers.HOST}:{self.port}/{path}"
