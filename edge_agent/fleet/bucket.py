"""An archive in an S3-compatible store: what is asked is brought to a folder first.

DuckDB reads buckets through an extension that is not part of it, and that a plant
without a network cannot fetch. Objects never change and are named by their content:
each is fetched once.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from edge_agent.centre.names import sha_of
from edge_agent.durable import write_below
from edge_agent.errors import ArchiveUnavailable
from edge_agent.fleet.folder import Folder
from edge_agent.fleet.listing import Listing, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import ClientConfig, S3Config

    from edge_agent.centre.names import Named
    from edge_agent.fleet.asked import Asked

_AT_ONCE = 16
_PATIENCE = timedelta(seconds=60)
_LARGEST = 2**30
_GONE = "is no longer in the bucket"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bucket is and who asks.

    Attributes:
        bucket, prefix: the archive's; a prefix has no slash at its ends.
        endpoint: ``https://HOST:PORT`` of the store; empty for AWS's own.
        access_key, secret: who asks; empty for a store that lets everybody read.
        region: as the store calls it.
        authority: PEM of its own authority; empty for the system's.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    access_key: str = ""
    secret: str = field(default="", repr=False)
    region: str = "us-east-1"
    authority: str = ""

    def __str__(self) -> str:
        """As it was written, without the secret."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


class Bucket:
    """An archive in a bucket, with a copy of what was asked of it.

    Args:
        place: where it is.
        cache: folder of the copies.

    Raises:
        ArchiveUnavailable: the folder cannot be made.
    """

    def __init__(self, place: Place, cache: Path) -> None:
        self._place = place
        self._store = S3Store(
            place.bucket,
            prefix=place.prefix or None,
            config=_config(place),
            client_options=_client(place),
            retry_config={"max_retries": 2, "retry_timeout": _PATIENCE},
        )
        try:
            cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as why:
            raise ArchiveUnavailable(f"{cache} cannot be made: {why}") from why
        self._copy = Folder(cache)

    @property
    def root(self) -> Path:
        """The folder of the copies."""
        return self._copy.root

    def close(self) -> None:
        """Leave nothing behind but the copies."""
        self._copy.close()

    def listing(self, table: str, asked: Asked) -> Listing:
        """What lies there of a table; its objects are fetched.

        Raises:
            ArchiveUnavailable: the store does not answer, or does not let us in.
        """
        try:
            found = listed(table, self._names(table, asked), asked)
        except BaseError as why:
            raise ArchiveUnavailable(f"{self._place} cannot be listed: {why}") from why
        self._forget(table, asked, found)
        missing = [o for o in found.objects if not (self._copy.path / str(o)).exists()]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            said = dict(zip(missing, pool.map(self._fetch, missing), strict=True))
        wrong = {str(one): why for one, why in said.items() if why}
        objects = tuple(o for o in found.objects if str(o) not in wrong)
        return Listing(objects, found.gateways, {**found.left_out, **wrong})

    def wrong(self, one: Named) -> str:
        """Why a copy cannot be read; it is fetched anew once."""
        why = self._copy.wrong(one)
        return why and self._fetch(one)

    def put(self, one: Named, body: bytes) -> None:
        """Write an object.

        Raises:
            ArchiveUnavailable: the store does not take it.
        """
        try:
            obstore.put(self._store, str(one), body)
        except BaseError as why:
            raise ArchiveUnavailable(f"{one} cannot be written: {why}") from why

    def remove(self, one: Named) -> None:
        """Remove an object and its copy.

        Raises:
            ArchiveUnavailable: the store does not let us.
        """
        try:
            obstore.delete(self._store, str(one))
        except FileNotFoundError:
            pass
        except BaseError as why:
            raise ArchiveUnavailable(f"{one} cannot be removed: {why}") from why
        self._copy.remove(one)

    def _names(self, table: str, asked: Asked) -> Iterator[str]:
        prefix = f"{table}/"
        if asked.site:
            prefix += f"site={quote(asked.site, safe='')}/"
            if asked.gateway:
                prefix += f"gateway={quote(asked.gateway, safe='')}/"
        for page in obstore.list(self._store, prefix, chunk_size=1000):
            yield from (one["path"] for one in page)

    def _fetch(self, one: Named) -> str:
        """Bring an object here; why it could not be, else empty."""
        name = str(one)
        try:
            answer = obstore.get(self._store, name)
            if answer.meta["size"] > _LARGEST:
                return "is larger than any object of the archive"
            body = bytes(answer.bytes())
        except FileNotFoundError:
            return _GONE
        except BaseError as why:
            raise ArchiveUnavailable(f"{name} cannot be fetched: {why}") from why
        if sha_of(body) != one.sha:
            return "is damaged, or half-written"
        try:
            write_below(self._copy.path, name.split("/"), body)
        except OSError as why:
            raise ArchiveUnavailable(
                f"{self._copy.path} does not take a copy: {why}: make room, or name "
                "another folder with --cache"
            ) from why
        return ""

    def _forget(self, table: str, asked: Asked, now: Listing) -> None:
        """Remove copies of what compaction has replaced."""
        kept = set(now.objects)
        for one in self._copy.listing(table, asked).objects:
            if one not in kept:
                self._copy.remove(one)


def _config(place: Place) -> S3Config:
    config: S3Config = {"region": place.region}
    if place.endpoint:
        config["endpoint"] = place.endpoint
        config["virtual_hosted_style_request"] = False
    if place.access_key:
        config["access_key_id"] = place.access_key
        config["secret_access_key"] = place.secret
    else:
        config["skip_signature"] = True
    return config


def _client(place: Place) -> ClientConfig:
    options: ClientConfig = {
        "allow_http": place.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=10),
        "timeout": timedelta(seconds=120),
    }
    if place.authority:
        options["root_certificate"] = place.authority
    return options


def cache_of(place: Place) -> Path:
    """Where copies of a bucket lie unless another folder is named."""
    above = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    whole = f"{place.endpoint}/{place.bucket}/{place.prefix}"
    return Path(above) / "edge-agent" / "fleet" / quote(whole, safe="")
