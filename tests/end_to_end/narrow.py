"""A link to a server that can be slow: bytes pass as they are, TLS too."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from tests import peers

_PIECE = 2**14


class NarrowLink:
    """Forwards a port of its own to a server's.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self.rate = 0.0
        """Bytes a second towards the client; 0 for as many as there are."""
        self._to = port
        self._listener = socket.create_server((peers.HOST, 0))
        self._enough = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._listen)]

    @property
    def port(self) -> int:
        """Its own."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._close(self._listener)
        for one in list(self._open):
            self._close(one)
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        server = socket.socket()
        # what lies in buffers would arrive although the server is gone
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE)
        try:
            server.connect((peers.HOST, self._to))
        except OSError:
            server.close()
            client.close()
            return
        self._open |= {client, server}
        for ends in ((client, server), (server, client)):
            narrow = ends[0] is server
            thread = threading.Thread(target=self._pass_on, args=(*ends, narrow))
            self._threads.append(thread)
            thread.start()

    def _pass_on(
        self, source: socket.socket, target: socket.socket, narrow: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                target.sendall(piece)
                if narrow and self.rate:
                    self._enough.wait(len(piece) / self.rate)
        self._close(source)
        self._close(target)

    def _close(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
        self._open.discard(one)
