"""The real servers and clients that tests speak to.

A missing peer skips on a laptop, with a line that says how to get it, and fails
where the environment variable ``CI`` is set: there nothing may pass by absence.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.certificates import Certificates

HOST = "127.0.0.1"
FOLDER = Path(__file__).parent / "peers"

#: Seconds a peer may take to answer on its port on a busy machine.
START_TIMEOUT = 20.0

_PROGRAMS = {
    "mosquitto": "apt-get install mosquitto",
    "mosquitto_sub": "apt-get install mosquitto-clients",
    "mosquitto_pub": "apt-get install mosquitto-clients",
    "node": "apt-get install nodejs npm",
    "systemd-analyze": "apt-get install systemd",
}
_NODE_PROJECTS = ("node_opcua", "node_mqtt")
#: Programs of a Python environment of its own: none of it may come near the agent.
_APART = ("mlflow", "model_signing", "python", "rclone")
_APART_FOLDER = FOLDER / "registry" / ".venv" / "bin"


def in_ci() -> bool:
    """True where nothing may be skipped."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def find(name: str) -> Path | None:
    """Path of a peer if it is installed: a program, or a folder of ``tests/peers``.

    ``python`` is the interpreter that has mlflow and model_signing.

    Raises:
        KeyError: no such peer is known.
    """
    if name in _NODE_PROJECTS:
        ready = (FOLDER / name / "node_modules").is_dir() and find("node")
        return FOLDER / name if ready else None
    if name in _APART:
        program = _APART_FOLDER / name
        return program if program.exists() else None
    if name not in _PROGRAMS:
        raise KeyError(name)
    places = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=places)
    return Path(found) if found else None


def require(name: str) -> Path:
    """Path of a peer; where it is missing the test skips, or fails in CI."""
    found = find(name)
    if found is not None:
        return found
    remedy = _PROGRAMS.get(name, f"npm ci --prefix tests/peers/{name}")
    if name in _APART:
        remedy = ".ci/venv-apart tests/peers/registry"
    reason = f"{name} is not installed: {remedy}"
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> bool:
    """True once a TCP connection is accepted, False when the process ended first.

    Raises:
        TimeoutError: neither happened within `START_TIMEOUT`.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return False
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    message = f"nothing listens on {HOST}:{port} after {START_TIMEOUT:.0f} s"
    raise TimeoutError(message)


class Mosquitto:
    """A mosquitto broker on a free loopback port, with its own configuration.

    Started on entering the context and stopped on leaving it. `kill` and `start`
    (or `restart`) keep the port, so that a client finds it again; `pause` stops it
    from answering while its connections stay open, as a hung host does.

    Args:
        folder: where it keeps configuration, log and (if persistent) sessions.
        config: lines added to mosquitto.conf, for all listeners.
        users: passwords by user; anonymous clients are then refused.
        tls: the listener speaks TLS with the server's certificate.
        client_certificates: with ``tls``, only clients with a certificate of the
            same authority are let in.
        persistence: keep sessions and queued messages over a restart.
    """

    host = HOST

    def __init__(
        self,
        folder: Path,
        *,
        config: str = "",
        users: Mapping[str, str] | None = None,
        tls: Certificates | None = None,
        client_certificates: bool = False,
        persistence: bool = False,
    ) -> None:
        self.program = require("mosquitto")
        self.folder = folder
        self.port = free_port()
        self.users = dict(users or {})
        self.tls = tls
        self._extra = config
        self._client_certificates = client_certificates
        self._persistence = persistence
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(3):  # another process may take the free port before us
            if self._launched():
                return self
            self.port = free_port()
        raise RuntimeError(self.log())

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address as an agent's configuration writes it."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """True while the process lives, paused or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it again on the same port and wait until it accepts connections.

        Raises:
            RuntimeError: it ended; the text is its log.
        """
        if not self._launched():
            raise RuntimeError(self.log())

    def stop(self) -> None:
        """Stop it in good order: it writes its persistence file and says goodbye."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it and start it on the same port."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """Everything it has logged, over all its starts."""
        path = self.folder / "mosquitto.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def _launched(self) -> bool:
        written = self.folder / "mosquitto.conf"
        written.write_text("\n".join(self._lines()) + "\n", "utf-8")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "-c", written], stdout=log, stderr=log
            )
        return wait_for_port(self.port, self._process)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)  # a paused one ends only when resumed
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            message = "mosquitto is not running"
            raise RuntimeError(message)
        self._process.send_signal(number)

    def _lines(self) -> list[str]:
        lines = [f"listener {self.port} {self.host}", "log_dest stdout", "log_type all"]
        if os.geteuid() == 0:  # else it drops to a user that cannot read our folder
            lines.append("user root")
        if self._persistence:
            lines += ["persistence true", f"persistence_location {self.folder}/"]
        return [*lines, *self._access_lines(), *self._tls_lines(), self._extra]

    def _access_lines(self) -> list[str]:
        if not self.users:
            return ["allow_anonymous true"]
        path = self.folder / "passwords"
        path.touch(mode=0o600)
        hashed = (_hashed(user, word) for user, word in self.users.items())
        path.write_text("\n".join(hashed) + "\n", "utf-8")
        return ["allow_anonymous false", f"password_file {path}"]

    def _tls_lines(self) -> list[str]:
        if self.tls is None:
            return []
        lines = [f"cafile {self.tls.ca}", f"certfile {self.tls.server}"]
        lines.append(f"keyfile {self.tls.server_key}")
        if self._client_certificates:
            lines.append("require_certificate true")
        return lines


def _hashed(user: str, word: str) -> str:
    """A line of a mosquitto password file: PBKDF2-SHA512, 101 rounds ($7$)."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", word.encode(), salt, 101)
    written = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{user}:$7$101${'$'.join(written)}"
