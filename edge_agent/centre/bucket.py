"""Where objects are put: a folder, or a bucket of an S3-compatible store.

One class for both. A folder's objects are written by `durable`, not by obstore, which
neither syncs a file nor its folder: after a power cut it would leave an empty object
under a name that says it is whole. Requests are tried once: who calls waits and tries
again. Nothing is taken from the environment: no keys, no proxy, no address.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.store import LocalStore, S3Store

from edge_agent import durable
from edge_agent.centre import refusals
from edge_agent.centre.aside import Aside
from edge_agent.errors import SinkLost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from obstore.store import ClientConfig

    from edge_agent.config.keeping import Centre

#: Seconds until a connection is made, and at least until a request is answered.
CONNECT, ANSWER = 10.0, 60.0
#: Bytes a second that a slow line takes at least.
SLOWEST = 16_384
#: Bytes that a folder's disk keeps free.
RESERVE = 64 << 20
#: Names asked for at once.
PAGE = 1_000
_ENVIRONMENT = threading.Lock()
#: Names and addresses of every computer, for what does not go through a proxy.
_ALL = "*,0.0.0.0/0,::/0"


class Bucket:
    """Objects by name.

    Args:
        store: obstore's.
        where: what a person calls it.
        prefix: in front of every name.
        root: the folder, where it is one.
    """

    def __init__(
        self,
        store: LocalStore | S3Store,
        where: str,
        prefix: str = "",
        root: Path | None = None,
    ) -> None:
        self.where = where
        self._store = store
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._root = root
        self._conditional = True
        self._aside = Aside(refusals.silent(where))

    @property
    def is_folder(self) -> bool:
        """Whether it lies on a disk of this machine."""
        return self._root is not None

    async def check(self) -> None:
        """Whether it is there and lets us in; what may be done there is not asked.

        Raises:
            SinkLost: where, why, what to do.
        """
        if self._root is not None:
            if not await self._aside.call(ANSWER, self._root.is_dir):
                raise SinkLost(refusals.no_folder(self._root))
            return
        try:
            async with asyncio.timeout(ANSWER):
                await obstore.get_async(self._store, f"{self._prefix}probe")
        except TimeoutError:
            raise SinkLost(refusals.silent(self.where)) from None
        except (BaseError, OSError) as why:
            if not refusals.lets_in(why):
                raise SinkLost(refusals.told(self.where, why)) from None

    async def send(self, name: str, body: bytes) -> None:
        """Put an object; one that is there has the same bytes and is left.

        Args:
            name: below the prefix.
            body: all of it.

        Raises:
            SinkLost: it may be there or not; where, why, what to do.
        """
        if self._root is not None:
            await self._aside.call(ANSWER, partial(self.put, name, body))
            return
        try:
            async with asyncio.timeout(ANSWER + len(body) / SLOWEST):
                await self._create(name, body)
        except TimeoutError:
            raise SinkLost(refusals.silent(self.where)) from None
        except (BaseError, OSError) as why:
            raise SinkLost(refusals.told(self.where, why)) from None

    def put(self, name: str, body: bytes) -> None:
        """`send`, for who may wait.

        Raises:
            SinkLost: see `send`.
        """
        try:
            if self._root is not None:
                self._spare(self._root, len(body))
                # never made here: a share that is not mounted must not fill the disk
                parts = (self._prefix + name).split("/")
                durable.write_below(self._root, parts, body)
            else:
                obstore.put(self._store, self._prefix + name, body, use_multipart=False)
        except (BaseError, OSError) as why:
            raise SinkLost(refusals.told(self.where, why)) from None

    def get(self, name: str) -> bytes:
        """An object's bytes.

        Raises:
            SinkLost: it cannot be read.
        """
        with self._telling():
            return bytes(obstore.get(self._store, self._prefix + name).bytes())

    def names(self, folder: str = "") -> list[tuple[str, int]]:
        """Names below a folder, with their sizes in bytes, sorted.

        Raises:
            SinkLost: it cannot be listed.
        """
        found: list[tuple[str, int]] = []
        if self._root is not None and not self._root.is_dir():
            # obstore takes a folder that is gone for an empty one
            raise SinkLost(refusals.no_folder(self._root))
        with self._telling():
            below = f"{self._prefix}{folder}".rstrip("/") or None
            for page in obstore.list(self._store, below, chunk_size=PAGE):
                found += [(one["path"], one["size"]) for one in page]
        cut = len(self._prefix)
        return sorted((path[cut:], size) for path, size in found)

    def remove(self, names: Sequence[str]) -> None:
        """Delete objects; those that are gone are no error.

        Raises:
            SinkLost: some may be there still.
        """
        with self._telling():
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    obstore.delete(self._store, self._prefix + name)

    def _spare(self, root: Path, size: int) -> None:
        """The last of a disk is for the store: what waits there is bounded."""
        found = os.statvfs(root)
        if found.f_bavail * found.f_frsize - size < RESERVE:
            raise SinkLost(refusals.nearly_full(self.where, RESERVE))

    async def _create(self, name: str, body: bytes) -> None:
        """Put with If-None-Match where the store knows it."""
        path = self._prefix + name
        if self._conditional:
            try:
                await obstore.put_async(self._store, path, body, mode="create")
            except AlreadyExistsError:
                return  # its name says what is in it
            except (BaseError, OSError) as why:
                if not _knows_no_condition(why):
                    raise
                self._conditional = False
            else:
                return
        await obstore.put_async(self._store, path, body, use_multipart=False)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as why:
            raise SinkLost(refusals.told(self.where, why)) from None


def open_bucket(settings: Centre, password: str | None) -> Bucket:
    """The bucket that is configured; nothing is asked of it yet.

    Args:
        settings: of the centre; checked by `config.rules`.
        password: the secret key, for a store.

    Raises:
        SinkLost: a folder or file that is named is not there.
    """
    if settings.path is not None:
        return _folder(settings.path, settings.prefix)
    where = f"{settings.endpoint}/{settings.bucket}"
    client = _client(settings)
    with _no_environment():
        store = S3Store(
            settings.bucket,
            # both: of the environment the second would win over the first
            endpoint=str(settings.endpoint),
            aws_endpoint_url_s3=str(settings.endpoint),
            region=settings.region,
            access_key_id=settings.access_key or "",
            secret_access_key=password or "",
            virtual_hosted_style_request=False,
            client_options=client,
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=1)},
        )
    return Bucket(store, where, settings.prefix)


def _folder(path: Path, prefix: str) -> Bucket:
    if not path.is_dir():
        raise SinkLost(refusals.no_folder(path))
    return Bucket(LocalStore(path), str(path), prefix, path)


def _client(settings: Centre) -> ClientConfig:
    client: dict[str, Any] = {
        "allow_http": str(settings.endpoint).startswith("http://"),
        "connect_timeout": timedelta(seconds=CONNECT),
        # ours ends a request by the size of what it carries
        "timeout": timedelta(hours=1),
        "user_agent": "edge-agent",
    }
    if settings.proxy is None:
        # only a proxy that is given keeps those of the environment out
        client |= {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": _ALL}
    else:
        client["proxy_url"] = settings.proxy
    if settings.ca_file is not None:
        try:
            authority = settings.ca_file.read_bytes()
        except OSError as why:
            raise SinkLost(refusals.no_authority(settings.ca_file, why)) from None
        client["root_certificate"] = authority
        if settings.proxy is not None:
            client["proxy_ca_certificate"] = authority.decode("ascii", "replace")
    return client  # type: ignore[return-value]  # built key by key


@contextlib.contextmanager
def _no_environment() -> Iterator[None]:
    """Hide ``AWS_*``, from which obstore takes even "trust any certificate"."""
    with _ENVIRONMENT:
        hidden = {k: v for k, v in os.environ.items() if k.upper().startswith("AWS_")}
        for key in hidden:
            del os.environ[key]
        try:
            yield
        finally:
            os.environ.update(hidden)


def _knows_no_condition(why: Exception) -> bool:
    return isinstance(why, NotSupportedError) or "501" in str(why)
