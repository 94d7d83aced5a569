"""What the life of models needs of the running pipelines; this file is the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.comparison import Comparison
    from edge_agent.registry.crew import Crew
    from edge_agent.registry.lifecycle import Version


class Unfit(ModelRejected):
    """A version that is here cannot be loaded for a pipeline.

    Args:
        key: which.
        reason: why, in a sentence.
    """

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


class Gone(NamedTuple):
    """A version that failed in the turn and was taken off there, or must go.

    ``limits`` says that limits shall judge instead, and not the version before.
    """

    pipeline: str
    key: str
    reason: str
    limits: bool = False


class Floor(Protocol):
    """The running pipelines. Every call comes from one thread, and none waits long."""

    def fit(self, pipeline: str, version: Version) -> None:
        """Load a vetted version for a pipeline, and keep it at hand.

        Raises:
            Unfit: its files are damaged, or it does not fit this plant.
        """
        ...

    def man(self, pipeline: str, crew: Crew) -> None:
        """Let a crew work from the next turn on; who is there already stays loaded.

        Raises:
            Unfit: one of them cannot be loaded; who worked before still does.
        """
        ...

    def comparison(self, pipeline: str) -> Comparison:
        """How the two versions at a post compare so far."""
        ...

    def threshold(self, pipeline: str) -> float:
        """The alarm's limit of the newer of the two versions at a post."""
        ...

    def barred(self, version: Version) -> str:
        """Why a version must not score today (it has expired); empty where it may."""
        ...

    def tend(self) -> None:
        """Called every second or so: let models rest that memory is short for."""
        ...

    def gone(self) -> Sequence[Gone]:
        """Versions taken off since the last call."""
        ...
