"""A real MLflow server on a free loopback port."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests import peers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.certificates import Certificates
    from tests.registry.object_store import ObjectStore

#: Seconds it may take to answer: it costs 10 to 20 s of CPU.
START_TIMEOUT = 100.0
_AUTH = """[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@dataclass
class MlflowServer:
    """MLflow with SQLite and artifacts on disk; `kill` and `start` keep the port.

    Attributes:
        folder: where it keeps everything.
        auth: with users: ``admin`` and whom `add_user` adds.
        tls: speaks TLS with the server's certificate.
        store: where the artifacts are; in its own folder without one.
        password: the admin's.
    """

    folder: Path
    auth: bool = False
    tls: Certificates | None = None
    store: ObjectStore | None = None
    password: str = field(default_factory=lambda: secrets.token_hex(8))
    port: int = field(default_factory=peers.free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://{peers.HOST}:{self.port}"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it on its port and wait until it answers.

        Raises:
            RuntimeError: it ended or never answered; the text is its log.
        """
        with (self.folder / "mlflow.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd=self.folder,
                start_new_session=True,  # its workers end with it
            )
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError(self.log())

    def stop(self) -> None:
        """Stop it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its workers at once, as a power cut does."""
        self._end(signal.SIGKILL)

    def hang(self) -> None:
        """Take connections and answer none, until it is killed."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def log(self) -> str:
        """Everything it has logged."""
        return (self.folder / "mlflow.log").read_text("utf-8", "replace")

    def asked(self) -> list[str]:
        """Method and path of every request it has answered, from its log."""
        lines = [line.split('"')[1] for line in self.log().splitlines() if '"' in line]
        return [" ".join(line.split()[:2]) for line in lines if "HTTP/" in line]

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def add_user(self, name: str, word: str = "") -> str:
        """Make a user with the default permission; its password.

        Args:
            name: of the user.
            word: the password, twelve letters at least; one is made up without it.

        Raises:
            HTTPError: the server did not do it.
        """
        word = word or secrets.token_hex(8)
        body = json.dumps({"username": name, "password": word}).encode()
        admin = base64.b64encode(f"admin:{self.password}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/api/2.0/mlflow/users/create",
            body,
            {"content-type": "application/json", "authorization": f"Basic {admin}"},
        )
        with urllib.request.urlopen(request, timeout=20, context=self._trusted()):  # noqa: S310
            return word

    def _trusted(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.tls.ca)) if self.tls else None

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _answers(self) -> bool:
        try:
            url = f"{self.url}/health"
            with urllib.request.urlopen(url, timeout=5, context=self._trusted()):  # noqa: S310
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _command(self) -> list[str]:
        command = [str(peers.require("mlflow")), "server", "--host", peers.HOST]
        command += ["--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        artifacts = self.store.bucket if self.store else self.folder / "artifacts"
        command += ["--artifacts-destination", str(artifacts)]
        if self.tls is not None:
            files = (self.tls.server, self.tls.server_key)
            said = "--ssl-certfile {} --ssl-keyfile {}".format(*files)
            command += ["--uvicorn-opts", said]
        return [*command, "--app-name", "basic-auth"] if self.auth else command

    def _environment(self) -> dict[str, str]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        }
        if self.store is not None:
            environment |= self.store.environment
        if self.auth:
            settings = self.folder / "basic_auth.ini"
            settings.write_text(_AUTH.format(folder=self.folder))
            environment |= {
                "MLFLOW_AUTH_CONFIG_PATH": str(settings),
                "MLFLOW_AUTH_ADMIN_PASSWORD": self.password,
                "MLFLOW_FLASK_SERVER_SECRET_KEY": "for tests",
            }
        return environment
