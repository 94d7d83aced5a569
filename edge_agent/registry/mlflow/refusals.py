"""What a server's refusal means for the one who must act. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from edge_agent.errors import ModelRejected, RegistryUnavailable
from edge_agent.registry.mlflow.answers import Failure, Unexpected, read

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds that a server may ask to be left alone for.
_LONGEST_WAIT = 3600.0
_TEXT, _REDIRECT = 300, 3

ABSENT, EXISTS = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"
_FOR_GOOD = frozenset(
    {ABSENT, EXISTS, "INVALID_PARAMETER_VALUE", "BAD_REQUEST", "NOT_IMPLEMENTED"}
)


class Refused(ModelRejected):
    """MLflow understood and said no; asking again will not help.

    Args:
        message: what it said.
        code: MLflow's word for it.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotAllowed(RegistryUnavailable):
    """MLflow knows us and does not let us do this; somebody may allow it one day."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as its refusal is told.

    Attributes:
        where: the server's URL.
        user: who asked; empty for nobody.
        needs: what a user must be allowed for it.
    """

    where: str
    user: str
    needs: str


def refusal(
    asked: Asked, status: int, headers: Mapping[str, str], body: bytes
) -> Refused | RegistryUnavailable:
    """The error for an answer that is none of 2xx.

    Args:
        asked: what was asked.
        status: of the answer.
        headers: of the answer.
        body: what came of it, bounded.
    """
    failure = _failure(body)
    if failure.error_code in _FOR_GOOD:
        said = _short(failure.message) or failure.error_code
        return Refused(f"{asked.where}: {said}", failure.error_code)
    text = _sentence(asked, status, headers, body)
    if status == HTTPStatus.FORBIDDEN and b"Invalid Host header" not in body:
        return NotAllowed(text)
    return RegistryUnavailable(text, retry_after=_wait(headers))


def _sentence(
    asked: Asked, status: int, headers: Mapping[str, str], body: bytes
) -> str:
    where, user = asked.where, asked.user
    if status // 100 == _REDIRECT:
        to = _short(headers.get("location", "another address"))
        return f"{where} sends to {to}: not followed; write that as url if it is right"
    if status == HTTPStatus.UNAUTHORIZED:
        return _unknown(where, user)
    if status == HTTPStatus.FORBIDDEN and b"Invalid Host header" in body:
        return (
            f"{where} does not answer to this name: start MLflow with --allowed-hosts "
            f"{where.split('//', 1)[-1].split('/', 1)[0]}"
        )
    if status == HTTPStatus.FORBIDDEN:
        who = f"user {user!r}" if user else "a client without user"
        return f"{where} does not let {who} do this: it needs {asked.needs} (403)"
    if status == HTTPStatus.NOT_FOUND:
        return f"{where} does not know this request (404): is it MLflow's address?"
    return f"{where} answers {status}: {_short(body.decode('utf-8', 'replace'))}"


def _unknown(where: str, user: str) -> str:
    if user:
        return f"{where} refuses the password of user {user!r} (401)"
    return f"{where} asks who we are (401): give user and password_file, or a token"


def _failure(body: bytes) -> Failure:
    try:
        return read(body, Failure)
    except Unexpected:
        return Failure()


def _wait(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None  # a date: this gateway's clock may be wrong
    return min(seconds, _LONGEST_WAIT) if seconds >= 0 else None


def _short(text: str) -> str:
    """One printable line of what a stranger says."""
    line = " ".join(text.split())
    return "".join(c for c in line if c.isprintable())[:_TEXT]
