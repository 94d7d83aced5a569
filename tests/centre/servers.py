"""S3 servers on free loopback ports: moto for the protocol, rclone for its guard."""

from __future__ import annotations

import socket
import subprocess
import threading
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from edge_agent.config.keeping import Centre
from tests import peers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.certificates import Certificates

KEY, SECRET = "gw-07", "correct horse battery staple"
BUCKET = "archive"


@dataclass
class Server:
    """One of the two.

    Attributes:
        folder: for its log and what it keeps.
        kind: ``moto`` or ``rclone``.
        tls: speaks TLS with the server's certificate; rclone only.
    """

    folder: Path
    kind: str
    tls: Certificates | None = None
    port: int = field(default_factory=peers.free_port)
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "kept" / BUCKET).mkdir(parents=True, exist_ok=True)
        self.start()
        if self.kind == "moto":
            url = f"{self.url}/{BUCKET}"
            request = urllib.request.Request(url, method="PUT")  # noqa: S310
            urllib.request.urlopen(request, timeout=20).close()  # noqa: S310
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://{peers.HOST}:{self.port}"

    def start(self) -> None:
        """Start it on its port."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
        assert peers.wait_for_port(self.port, self._process), self.log()

    def kill(self) -> None:
        """End it at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def log(self) -> str:
        """What it has said."""
        return (self.folder / "server.log").read_text("utf-8", "replace")

    def settings(self, prefix: str = "", **more: Any) -> Centre:  # noqa: ANN401 - any key
        """As an operator writes them."""
        keys: dict[str, Any] = {
            "type": "s3",
            "endpoint": self.url,
            "bucket": BUCKET,
            "prefix": prefix,
            "access_key": KEY,
        }
        return Centre(**keys | more)

    def _command(self) -> list[str]:
        if self.kind == "moto":
            words = ["-m", "moto.server", "-H", peers.HOST, "-p", str(self.port)]
            return [str(peers.require("python")), *words]
        command = [str(peers.require("rclone")), "serve", "s3"]
        command += ["--addr", f"{peers.HOST}:{self.port}", "--no-cleanup"]
        command += ["--auth-key", f"{KEY},{SECRET}", "--vfs-cache-mode", "off"]
        command += ["--config", str(self.folder / "rclone.conf")]
        if self.tls is not None:
            command += [
                "--cert",
                str(self.tls.server),
                "--key",
                str(self.tls.server_key),
            ]
        return [*command, str(self.folder / "kept")]


class Scripted:
    """An HTTP server that answers every PUT by a script; anything else is 404.

    Args:
        script: gets the number of the PUT, from 0; returns status and headers.
    """

    def __init__(self, script: Callable[[int], int | None]) -> None:
        self.puts: list[tuple[str, bytes]] = []
        self.authorities: list[str] = []
        outer = self

        class _Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                number = len(outer.puts)
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length)
                outer.puts.append((self.path, body))
                outer.authorities.append(self.headers.get("authorization", ""))
                status = script(number)
                if status is None:  # never answered
                    outer.stopped.wait(30)
                    self.close_connection = True
                    return
                self._say(status)

            def do_GET(self) -> None:
                outer.authorities.append(self.headers.get("authorization", ""))
                body = b"<Error><Code>NoSuchKey</Code></Error>"
                self._say(404, body)

            def _say(self, status: int, body: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("etag", '"1"')
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self.stopped = threading.Event()
        self._server = ThreadingHTTPServer((peers.HOST, 0), _Answer)
        self._server.daemon_threads = True
        self.url = f"http://{peers.HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def settings(self, **more: Any) -> Centre:  # noqa: ANN401 - any key
        """As an operator writes them."""
        keys: dict[str, Any] = {
            "type": "s3",
            "endpoint": self.url,
            "bucket": BUCKET,
            "access_key": KEY,
        }
        return Centre(**keys | more)


class Cutter:
    """A TCP proxy that ends a connection in the middle of what goes up.

    Args:
        port: of the server behind it.
        after: bytes of one connection that pass; then it is cut.
        times: connections that are cut; later ones pass.
    """

    def __init__(self, port: int, after: int, times: int) -> None:
        self._behind = port
        self._after = after
        self._left = times
        self.cut = 0
        self._listener = socket.create_server((peers.HOST, 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def mend(self) -> None:
        """Cut nothing any more."""
        self._left = 0

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def _pass(self, near: socket.socket) -> None:
        far = socket.create_connection((peers.HOST, self._behind))
        back = threading.Thread(target=_copy, args=(far, near), daemon=True)
        back.start()
        gone = 0
        with suppress(OSError):
            while piece := near.recv(4096):
                gone += len(piece)
                if gone > self._after and self._left > 0:
                    self._left -= 1
                    self.cut += 1
                    break
                far.sendall(piece)
        for one in (near, far):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        back.join(5)
        near.close()
        far.close()


def _copy(source: socket.socket, into: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            into.sendall(piece)


class Tunnel:
    """A proxy that knows CONNECT and nothing else; who asked for what is kept."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server((peers.HOST, 0))
        self.url = f"http://{peers.HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def _pass(self, near: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (piece := near.recv(4096)):
            head += piece
        first = head.split(b"\r\n", 1)[0].decode()
        self.asked.append(first)
        host, port = first.split()[1].rsplit(":", 1)
        with near, socket.create_connection((host, int(port))) as far:
            near.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
            back = threading.Thread(target=_copy, args=(far, near), daemon=True)
            back.start()
            _copy(near, far)
            with suppress(OSError):
                far.shutdown(socket.SHUT_WR)
            back.join(5)
