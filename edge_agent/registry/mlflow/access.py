"""Who asks, and whom to trust: certificates, password, token."""

from __future__ import annotations

import ssl
from base64 import b64encode
from typing import TYPE_CHECKING

from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from edge_agent.config.schema import Tls


def trusting(tls: Tls | None, *, ours: bool) -> ssl.SSLContext:
    """Whom to trust, and who we are.

    Args:
        tls: what the operator set; without it the system's authorities are trusted.
        ours: for MLflow itself; to others our certificate is not shown.

    Raises:
        ConfigError: a file cannot be used.
    """
    ca_file = str(tls.ca_file) if tls and tls.ca_file else None
    try:
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if ours and tls and tls.cert_file and tls.key_file:
            # without an answer for a password a locked key would ask the terminal
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(f"registry: tls: a file cannot be used: {error}") from error
    return context


def credentials(user: str, password: str | None) -> dict[str, str]:
    """The header that says who asks.

    Args:
        user: empty for none.
        password: the user's, or without a user a token; None for neither.

    Raises:
        ConfigError: the token does not fit a header.
    """
    if password is None:
        return {}
    if not user:
        if not password.isascii():
            raise ConfigError("registry: the token holds letters that no header takes")
        return {"authorization": f"Bearer {password}"}
    word = b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {word}"}
