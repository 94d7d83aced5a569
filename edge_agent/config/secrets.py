"""Passwords: from a file only the agent may read, or from systemd; never from YAML."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIMIT = 4096


class Guarded(Protocol):
    """A link that may need a password: sources and outputs do."""

    @property
    def password_file(self) -> Path | None:
        """A file that holds the password alone."""
        ...

    @property
    def password_credential(self) -> str | None:
        """The name of a systemd credential."""
        ...


def password_of(
    name: str, link: Guarded, environment: Mapping[str, str] = os.environ
) -> str | None:
    """The password of a link, None if it has none.

    Args:
        name: the link as the operator calls it, for messages.
        link: its settings.
        environment: where ``CREDENTIALS_DIRECTORY`` is looked up.

    Raises:
        ConfigError: the file or credential is missing, empty or open to others.
    """
    if link.password_file is not None:
        return from_file(name, link.password_file)
    if link.password_credential is not None:
        return _from_credential(name, link.password_credential, environment)
    return None


def from_file(name: str, path: Path) -> str:
    """The one line a guarded file holds.

    Raises:
        ConfigError: the file is missing, empty or open to others.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(_unreadable(name, path, error)) from None
    if mode & (stat.S_IRWXO):
        raise ConfigError(
            f"{name}: everyone on this computer can read or change the password file "
            f"{path}; run: chmod o-rwx {path}"
        )
    return _read(name, path)


def _from_credential(name: str, wanted: str, environment: Mapping[str, str]) -> str:
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigError(
            f"{name}: password_credential {wanted!r} needs systemd, which did not hand "
            f"over any credentials; add to the unit: LoadCredential={wanted}:/PATH, "
            "or use password_file"
        )
    path = Path(folder) / wanted
    if not path.is_file():
        raise ConfigError(
            f"{name}: systemd did not hand over the credential {wanted!r}; add to the "
            f"unit: LoadCredential={wanted}:/PATH"
        )
    return _read(name, path)


def _read(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LIMIT + 1)
        text = raw.decode().rstrip("\r\n")
    except OSError as error:
        raise ConfigError(_unreadable(name, path, error)) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: the password in {path} is not UTF-8") from None
    if not text or len(raw) > _LIMIT or "\n" in text:
        raise ConfigError(
            f"{name}: {path} must hold the password alone, in one line of at most "
            f"{_LIMIT} bytes"
        )
    return text


def _unreadable(name: str, path: Path, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return (
        f"{name}: the password file {path} cannot be read: {reason}; the agent's user "
        "must be allowed to read it"
    )
