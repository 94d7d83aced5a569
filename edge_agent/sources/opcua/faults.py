"""What a server's refusal means to the person who must act."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from edge_agent.errors import SourceLost
from edge_agent.sources.opcua.ids import status_code

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES = ua.StatusCodes

_NOT_TRUSTED_THERE = (
    "the server refuses our certificate: trust pki/own/certificate.der on the server"
    " (it usually waits there in a list of rejected certificates)"
)
_CLOCK = (
    "the server finds a certificate outside its dates: compare the clocks of gateway"
    " and server, and the certificates' dates"
)
_LOGIN = "the server refuses user and password: check user and password_file"

_MEANINGS = {
    _CODES.BadCertificateUntrusted: _NOT_TRUSTED_THERE,
    _CODES.BadSecurityChecksFailed: _NOT_TRUSTED_THERE,
    _CODES.BadCertificateInvalid: _NOT_TRUSTED_THERE,
    _CODES.BadCertificateUseNotAllowed: _NOT_TRUSTED_THERE,
    _CODES.BadCertificateUriInvalid: _NOT_TRUSTED_THERE,
    _CODES.BadCertificateTimeInvalid: _CLOCK,
    _CODES.BadCertificateIssuerTimeInvalid: _CLOCK,
    _CODES.BadInvalidTimestamp: _CLOCK,
    _CODES.BadSecurityPolicyRejected: "the server refuses this security policy",
    _CODES.BadUserAccessDenied: _LOGIN,
    _CODES.BadIdentityTokenInvalid: _LOGIN,
    _CODES.BadIdentityTokenRejected: _LOGIN,
    _CODES.BadTooManySessions: "the server has no session left: close other clients",
    _CODES.BadMaxConnectionsReached: (
        "the server has no connection left: close other clients"
    ),
    _CODES.BadTooManySubscriptions: (
        "the server has no subscription left: close other clients or raise its limit"
    ),
    _CODES.BadSessionIdInvalid: "the server has ended our session",
    _CODES.BadSessionClosed: "the server has ended our session",
    _CODES.BadSubscriptionIdInvalid: "the server has dropped our subscription",
    _CODES.BadNoSubscription: "the server has dropped our subscription",
    _CODES.BadNodeIdUnknown: "the server has no such node (yet)",
    _CODES.BadNodeIdInvalid: "the server does not accept this node id",
    _CODES.BadNoMatch: "the server has no such browse path (yet)",
    _CODES.BadNotReadable: "this node cannot be read with our rights",
    _CODES.BadAttributeIdInvalid: "this node is no variable",
    _CODES.BadTooManyMonitoredItems: (
        "the server has no room for more items: fewer tags, or raise its limit"
    ),
    _CODES.BadShutdown: "the server shuts down",
    _CODES.BadServerHalted: "the server has halted",
    _CODES.BadTimeout: "the subscription timed out on the server",
}


def meaning(code: int) -> str:
    """A status code in words, with its name for the manual."""
    status = status_code(code)
    said = _MEANINGS.get(code) or (status.doc or "").rstrip(".") or "refused"
    return f"{said} [{status.name}]"


def explained(error: BaseException) -> str:
    """An error of asyncua or the network in words."""
    if isinstance(error, UaStatusCodeError):
        return meaning(error.code)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there: is the server started, is the port right?"
    text = str(error) or type(error).__name__
    return text[0].lower() + text[1:] if text[:2].istitle() else text


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what asyncua and the network raise into `SourceLost`.

    Args:
        doing: what was tried, as the beginning of the operator's sentence.

    Raises:
        SourceLost: anything of asyncua or the network went wrong.
    """
    try:
        yield
    except SourceLost:
        raise
    except (UaError, OSError, EOFError) as error:
        raise SourceLost(f"{doing}: {explained(error)}") from error
