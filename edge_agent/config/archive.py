"""What has to fit together in ``centre``: where the archive is, and who is let in."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from edge_agent.config.keeping import Centre
    from edge_agent.config.lists import Complain

_AT = ("centre",)
_STORE = ("endpoint", "bucket", "access_key")
_ONLY_STORE = (
    *(*_STORE, "region", "password_file", "password_credential"),
    *("ca_file", "proxy", "allow_http"),
)


def check_centre(centre: Centre, complain: Complain) -> None:
    """Each kind of archive has what it needs, and nothing that it ignores."""
    if centre.type == "directory":
        if centre.path is None:
            complain(_AT, "'path' is missing", "type: directory needs it")
        for key in _ONLY_STORE:
            if key in centre.model_fields_set:
                said = f"{key} has no meaning with type: directory"
                complain((*_AT, key), said, "remove it, or write type: s3")
        return
    if centre.path is not None:
        said = "path has no meaning with type: s3"
        complain((*_AT, "path"), said, "remove it, or write endpoint: and bucket:")
    for key in _STORE:
        if getattr(centre, key) is None:
            complain(_AT, f"'{key}' is missing", "type: s3 needs it")
    _check_secret(centre, complain)
    _check_plain(centre, complain)


def _check_secret(centre: Centre, complain: Complain) -> None:
    given = [centre.password_file, centre.password_credential]
    if all(given):
        said = "password_file and password_credential exclude each other"
        complain((*_AT, "password_credential"), said, "remove one of them")
    elif not any(given):
        said = "the secret key is missing: nothing is taken from the environment"
        complain(_AT, said, "add password_file: FILE or password_credential: NAME")


def _check_plain(centre: Centre, complain: Complain) -> None:
    """Without TLS only to this computer, or where the operator says so."""
    if centre.endpoint is None or centre.endpoint.startswith("https://"):
        return
    host = urlsplit(centre.endpoint).hostname or ""
    if not centre.allow_http and not _is_here(host):
        said = "http:// lets anybody on the way read and change what is sent"
        complain((*_AT, "endpoint"), said, "write https://, or add allow_http: true")
    if centre.ca_file is not None:
        said = "an authority has no meaning with http://"
        complain((*_AT, "ca_file"), said, "remove it, or write https://")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
