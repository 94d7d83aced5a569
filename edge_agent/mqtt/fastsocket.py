"""The socket paho is given on the fast path: it sees every packet but PUBLISH.

paho reads a packet in several tiny recv calls and speaks to anything
socket-like; its own websocket transport sits at the same seam. Here the wire
reads in large pieces, keeps what it understands and passes the rest on.

Invariant: paho's packets and ours never mix, because a send is taken whole: what
the kernel does not accept now waits here, and goes first.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.mqtt.dialing import Connection

PIECE = 256 * 1024


class FastSocket:
    """One connection; a new one for each attempt.

    Args:
        connection: connected, non-blocking.
        blocked: called with True when output waits for the kernel, False when not.
    """

    def __init__(self, connection: Connection, blocked: Callable[[bool], None]) -> None:
        self._connection = connection
        self._secure = isinstance(connection, ssl.SSLSocket)
        self._blocked = blocked
        self._control = bytearray()
        self._unsent = bytearray()
        self.error: OSError | None = None
        self.ended = False

    # -- what paho sees -------------------------------------------------------

    def recv(self, size: int) -> bytes:
        """Bytes of packets passed on; b"" or an error when the link is gone."""
        if self._control:
            data = bytes(self._control[:size])
            del self._control[:size]
            return data
        if self.error is not None:
            raise self.error
        if self.ended:
            return b""
        raise BlockingIOError

    def send(self, data: bytes | bytearray) -> int:
        """Take a whole packet; order is kept with what already waits."""
        self.write(data)
        return len(data)

    def close(self) -> None:
        """Close the connection."""
        self.ended = True
        self._connection.close()

    def fileno(self) -> int:
        """File descriptor, -1 once closed."""
        return self._connection.fileno()

    def setblocking(self, flag: bool) -> None:
        """Never blocks; paho asks for what is so."""
        if flag:
            raise ValueError("this socket does not block")

    # -- what the wire uses ---------------------------------------------------

    @property
    def unsent(self) -> int:
        """Bytes that wait for the kernel."""
        return len(self._unsent)

    @property
    def undelivered(self) -> int:
        """Bytes passed on that paho has not read."""
        return len(self._control)

    @property
    def pending(self) -> bool:
        """TLS holds decrypted bytes: the selector will not tell."""
        connection = self._connection
        return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0

    def pass_on(self, packets: bytes | bytearray) -> None:
        """Give whole packets to paho's next `recv`."""
        self._control += packets

    def read(self) -> bytes:
        """What has arrived, about `PIECE` bytes at most; b"" when nothing has.

        The end of the link is not raised here but where paho reads: it decides.
        """
        if not self._secure:
            return self._received()
        pieces, size = [], 0
        while size < PIECE:  # TLS gives one record, 16 KB, at a time
            piece = self._received()
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def _received(self) -> bytes:
        if self.ended or self.error is not None:
            return b""
        try:
            data = self._connection.recv(PIECE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        except ssl.SSLWantWriteError:
            self._blocked(True)
            return b""
        except OSError as failed:
            self.error = failed
            return b""
        self.ended = not data
        return data

    def write(self, data: bytes | bytearray) -> None:
        """Send, or keep for when the kernel has room."""
        if self._unsent:
            self._unsent += data
            return
        sent = self._sent(data)
        if sent < len(data):
            self._unsent += memoryview(data)[sent:]
            self._blocked(True)

    def flush(self) -> None:
        """Send what waits; called when the kernel has room again."""
        while self._unsent and self.error is None:
            sent = self._sent(self._unsent)
            if not sent:
                return
            del self._unsent[:sent]
        self._blocked(False)

    def _sent(self, data: bytes | bytearray) -> int:
        try:
            return self._connection.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError as failed:  # the next read tells paho
            self.error = failed
            return len(data)
