"""HTTP to one MLflow server: the only place that knows httpx.

Nothing of the environment is used (no proxy, no .netrc), no redirect is followed, no
compressed body is taken, and every answer is bounded in bytes and in time.
"""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from edge_agent import __version__
from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.mlflow.access import credentials, trusting
from edge_agent.registry.mlflow.answers import Unexpected, read
from edge_agent.registry.mlflow.refusals import Asked, refusal
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edge_agent.clock import Clock
    from edge_agent.config.schema import Registry

    Headers = Mapping[str, str]

T = TypeVar("T")

#: Seconds: to connect, for each read or write, and for a whole answer in JSON.
CONNECT, SILENCE, ANSWER = 10.0, 20.0, 60.0
#: Seconds that a MiB of a file may take; the part is kept and gone on with later.
MIB_TIME = 300.0
#: Bytes of an answer in JSON, and of one that says what is wrong.
MAX_ANSWER, MAX_FAILURE = 2**23, 2**16

_API = "/api/2.0/"
_HEADERS = {"accept-encoding": "identity", "user-agent": f"edge-agent/{__version__}"}
#: No connection is kept: a poll a minute would find it closed, or closing.
_LIMITS = httpx.Limits(max_connections=2, max_keepalive_connections=0)


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way.

    Attributes:
        start: where its bytes begin: the offset asked for, or 0.
        mark: the server's strong ETag; empty when the rest cannot be asked for later.
        pieces: the bytes; raises `RegistryUnavailable` when they stop.
    """

    start: int
    mark: str
    pieces: Iterable[bytes]


class OtherPart(RegistryUnavailable):
    """The rest that came does not belong to what is here."""


class Client:
    """One server, as one user.

    Args:
        settings: address, TLS, user and proxy.
        password: the user's; without a user a token.
        clock: bounds slow answers.

    Raises:
        ConfigError: a certificate's file cannot be used.
    """

    def __init__(self, settings: Registry, password: str | None, clock: Clock) -> None:
        self.url = (settings.url or "").rstrip("/")
        self.user = settings.user or ""
        self.calls = 0
        self._clock = clock
        self._server_name = settings.tls.server_name if settings.tls else None
        self._http = _session(settings, trusting(settings.tls, ours=True))
        self._http.headers.update(credentials(self.user, password))
        self._elsewhere = _session(settings, trusting(settings.tls, ours=False))

    def get(self, path: str, answer: type[T], needs: str, /, **params: str | int) -> T:
        """Ask; ``needs`` tells what a user must be allowed for it.

        Raises:
            RegistryUnavailable: no answer now, or one that is not MLflow's.
            Refused: MLflow said no.
        """
        url = f"{self.url}{_API}{quote(path)}"
        return self._json(
            self._http.build_request("GET", url, params=params), answer, needs
        )

    def send(
        self, method: str, path: str, body: object, answer: type[T], needs: str
    ) -> T:
        """Ask for a change; raises as `get` does."""
        url = f"{self.url}{_API}{quote(path)}"
        request = self._http.build_request(method, url, json=body)
        return self._json(request, answer, needs)

    def upload(self, path: str, size: int, pieces: Iterable[bytes], needs: str) -> None:
        """Put one artifact; raises as `get` does.

        Args:
            path: of the artifact, as MLflow's proxy knows it.
            size: bytes.
            pieces: all of them.
            needs: what a user must be allowed for it.
        """
        headers = {"content-length": str(size)}
        request = self._http.build_request(
            "PUT", self.artifact(path), content=pieces, headers=headers
        )
        with self._answered(self._http, request) as response:
            self._accept(response, needs)

    def artifact(self, path: str) -> str:
        """The address of an artifact at MLflow's proxy."""
        return f"{self.url}{_API}mlflow-artifacts/artifacts/{quote(path)}"

    @contextlib.contextmanager
    def download(
        self, url: str, offset: int, mark: str, headers: Headers | None = None
    ) -> Iterator[Download]:
        """A file's bytes from an offset on; from 0 when it changed since.

        Args:
            url: `artifact`'s, or one of another server: that gets no credentials.
            offset: bytes that are here already.
            mark: what the server called the file they are of.
            headers: for another server.

        Raises:
            RegistryUnavailable: no answer now, or one that does not fit.
            OtherPart: the rest of another file.
            Refused: MLflow said no.
        """
        http = self._http if headers is None else self._elsewhere
        asked = dict(headers or {})
        if offset:
            asked |= {"range": f"bytes={offset}-", "if-range": mark}
        with self._answered(http, self._request(http, url, asked)) as response:
            self._accept(response, "READ on the model's experiment")
            start = self._start(response, offset, mark)
            yield Download(start, _strong(response), self._timed(response))

    def _request(self, http: httpx.Client, url: str, headers: Headers) -> httpx.Request:
        try:
            return http.build_request("GET", url, headers=headers)
        except (httpx.InvalidURL, ValueError, TypeError) as error:
            raise RegistryUnavailable(
                f"{self.url} gives a bad address: {error}"
            ) from None

    def _json(self, request: httpx.Request, answer: type[T], needs: str) -> T:
        with self._answered(self._http, request) as response:
            self._accept(response, needs)
            body = self._body(response, MAX_ANSWER)
            kind = response.headers.get("content-type", "nothing")
        try:
            return read(body, answer)
        except Unexpected as error:
            raise RegistryUnavailable(
                f"{self.url} does not answer as MLflow does ({kind[:80]}, {error}): is "
                "url right, or a login page before it?"
            ) from error

    @contextlib.contextmanager
    def _answered(
        self, http: httpx.Client, request: httpx.Request
    ) -> Iterator[httpx.Response]:
        self.calls += 1
        if self._server_name and http is self._http:
            request.extensions["sni_hostname"] = self._server_name
        try:
            response = http.send(request, stream=True)
            try:
                yield response
            finally:
                response.close()
        except (httpx.HTTPError, httpx.StreamError, ssl.SSLError) as error:
            raise RegistryUnavailable(_lost(request, error)) from error

    def _accept(self, response: httpx.Response, needs: str) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise RegistryUnavailable(f"{self.url} answers compressed, unasked")
        if response.status_code not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            body = self._body(response, MAX_FAILURE)
            where = _origin(response.request)
            ours = where == _origin_of(self.url)
            who = self.user if ours else ""
            asked = Asked(self.url if ours else where, who, needs)
            raise refusal(asked, response.status_code, response.headers, body)

    def _body(self, response: httpx.Response, limit: int) -> bytes:
        body = bytearray()
        until = self._clock.now() + int(ANSWER * NANOSECONDS)
        for piece in response.iter_raw():
            body += piece
            if len(body) > limit:
                raise RegistryUnavailable(
                    f"{self.url} answers more than {limit} bytes: refused"
                )
            if self._clock.now() > until:
                raise RegistryUnavailable(f"{self.url} answers too slowly")
        return bytes(body)

    def _timed(self, response: httpx.Response) -> Iterator[bytes]:
        until, room = self._clock.now() + int(MIB_TIME * NANOSECONDS), 2**20
        for piece in response.iter_raw():
            yield piece
            room -= len(piece)
            now = self._clock.now()
            if now > until:
                raise RegistryUnavailable(f"{self.url} sends too slowly")
            if room <= 0:
                until, room = now + int(MIB_TIME * NANOSECONDS), 2**20

    def _start(self, response: httpx.Response, offset: int, mark: str) -> int:
        if response.status_code == HTTPStatus.OK:
            return 0
        said = response.headers.get("content-range", "")
        same = response.headers.get("etag", mark) == mark
        if not offset or not same or not said.startswith(f"bytes {offset}-"):
            raise OtherPart(
                f"{self.url} sends another part than was asked for: {said[:80]!r}"
            )
        return offset


def _session(settings: Registry, context: ssl.SSLContext) -> httpx.Client:
    return httpx.Client(
        verify=context,
        proxy=settings.proxy,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(SILENCE, connect=CONNECT),
        limits=_LIMITS,
        headers=_HEADERS,
    )


def _strong(response: httpx.Response) -> str:
    """The ETag, where the rest of a file may be asked for by it."""
    mark: str = response.headers.get("etag", "")
    return "" if mark.startswith("W/") else mark


def _origin(request: httpx.Request) -> str:
    return _origin_of(str(request.url))


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _lost(request: httpx.Request, error: Exception) -> str:
    where = _origin(request)
    if isinstance(error, httpx.ConnectTimeout):
        return f"{where} does not answer within {CONNECT:g} s"
    if isinstance(error, httpx.TimeoutException):
        return f"{where} was silent for {SILENCE:g} s"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"the certificate of {where} is not trusted ({error}): give its authority "
            "in tls: ca_file, or mend the certificate"
        )
    return f"no link to {where}: {str(error) or type(error).__name__}"
