"""Errors, sorted by what the caller does next.

Anything raised in the agent that is not one of these is a bug: it ends the
process, and systemd starts it again from the last checkpoint.
"""

from __future__ import annotations


class EdgeAgentError(Exception):
    """Root of every error the agent raises on purpose."""


class ConfigError(EdgeAgentError):
    """The operator's files are wrong; the text names every place at once."""


class Transient(EdgeAgentError):
    """Try again later: back-off is the supervisor's, never the raiser's.

    Args:
        message: what happened, where, what to do.
        retry_after: seconds to wait at least, where the peer said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceLost(Transient):
    """A source's link failed or went quiet."""


class SinkLost(Transient):
    """A sink's link failed; its records wait in the outbox.

    Args:
        message: what happened, where, what to do.
        retry_after: seconds to wait at least, where the peer said so.
        hung_up: the peer itself ended a link that worked, maybe for what it was sent.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, hung_up: bool = False
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.hung_up = hung_up


class RegistryUnavailable(Transient):
    """The model registry does not answer now; what runs goes on."""


class RecordRejected(EdgeAgentError):
    """The peer will never take this record; it goes to quarantine."""


class ModelRejected(EdgeAgentError):
    """This model must not score; the text says which check failed and why."""


class PayloadInvalid(EdgeAgentError):
    """A message could not be read; it is counted and a sample of it kept."""


class StoreFull(EdgeAgentError):
    """The disk has no room for a commit; records wait in memory, bounded."""


class StoreDamaged(EdgeAgentError):
    """The store's file is not usable; it is put aside and a new one begun."""


class StoreBusy(EdgeAgentError):
    """The store's disk does not answer now; whoever asked may ask again."""


class QuestionWrong(EdgeAgentError):
    """Somebody asked for what cannot be asked; the text says what is wrong with it."""


class StoreInUse(EdgeAgentError):
    """Another process holds the store's file: one gateway runs one agent; ask it."""


class ArchiveUnavailable(Transient):
    """The archive of all gateways cannot be read or written now."""
