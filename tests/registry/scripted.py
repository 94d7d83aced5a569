"""An HTTP server that answers by a script: what no real MLflow does on purpose."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

from tests import peers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.certificates import Certificates

    Script = Callable[["Conversation"], None]

API = "/api/2.0/"
ARTIFACTS = f"{API}mlflow-artifacts/artifacts"
PRESIGNED = f"{API}mlflow-artifacts/presigned/"
ROOT = "1/run/artifacts/bundle"


class Conversation(BaseHTTPRequestHandler):
    """One request, and the ways to answer it."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def answer(
        self, body: bytes = b"", status: int = 200, **headers: str | int | None
    ) -> None:
        """Answer; a header given as None is left out."""
        given = {"content-type": "text/plain", "content-length": len(body)}
        given |= {key.replace("_", "-"): value for key, value in headers.items()}
        self.send_response(status)
        for key, value in given.items():
            if value is not None:
                self.send_header(key, str(value))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def say(self, document: object, status: int = 200) -> None:
        """Answer in JSON."""
        body = json.dumps(document).encode()
        self.answer(body, status, content_type="application/json")

    def serve(self, body: bytes, etag: str = '"1"') -> None:
        """A file, from where it is asked for."""
        wanted = self.headers.get("range", "")
        if wanted and self.headers.get("if-range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            part = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.answer(body[start:], 206, etag=etag, content_range=part)
        else:
            self.answer(body, etag=etag)

    def do_GET(self) -> None:
        """Play the script."""
        self.server.requests.append(self)
        self.server.script(self)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    script: Script
    requests: list[Conversation]
    stopped: threading.Event

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what is tested."""


@dataclass
class Scripted:
    """A server on a free port.

    Attributes:
        script: answers every request.
        tls: speaks TLS with the server's certificate.
        client_certificates: with ``tls``, lets in only clients that have one.
    """

    script: Script
    tls: Certificates | None = None
    client_certificates: bool = False
    _server: _Server = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        self._server = _Server((peers.HOST, 0), Conversation)
        self._server.script, self._server.requests = self.script, []
        self._server.stopped = threading.Event()
        if self.tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls.server, self.tls.server_key)
            if self.client_certificates:
                context.load_verify_locations(self.tls.ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{peers.HOST}:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Conversation]:
        """Every request so far."""
        return self._server.requests

    def asked(self, under: str) -> list[Conversation]:
        """Requests whose path begins so."""
        return [one for one in self.requests if one.path.startswith(under)]


@dataclass
class Files:
    """The script of an MLflow that has one version, ``pump@1``.

    Attributes:
        files: bytes by name.
        scripts: what to answer instead, by the beginning of the path.
        source: of the version.
    """

    files: dict[str, bytes]
    scripts: dict[str, Script] = field(default_factory=dict)
    source: str = f"mlflow-artifacts:/{ROOT}"

    @staticmethod
    def of(folder: Path) -> Files:
        """The files of a folder."""
        return Files({p.name: p.read_bytes() for p in folder.iterdir()})

    def __call__(self, said: Conversation) -> None:
        """Answer a request."""
        path = unquote(urlsplit(said.path).path)
        for beginning, script in self.scripts.items():
            if path.startswith(beginning):
                script(said)
                return
        if path == f"{API}mlflow/model-versions/get":
            version = {"name": "pump", "version": "1", "source": self.source}
            said.say({"model_version": version})
        elif path == ARTIFACTS:
            said.say({"files": [self.entry(name) for name in self.files]})
        elif path.startswith(f"{ARTIFACTS}/{ROOT}/"):
            said.serve(self.files[path.removeprefix(f"{ARTIFACTS}/{ROOT}/")])
        else:
            said.say({"error_code": "NOT_IMPLEMENTED", "message": "no"}, 501)

    def entry(self, name: str) -> dict[str, Any]:
        """A file as a listing has it."""
        return {"path": name, "is_dir": False, "file_size": len(self.files[name])}
