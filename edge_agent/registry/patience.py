"""How long a registry is left alone, from how it has answered lately. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.samples import NANOSECONDS

#: Share by which a pause varies: a plant that gets its power back must not ask all at
#: once, nor come back all at once to a server that was away.
JITTER = 0.1
#: Times the usual pause that a server which does not answer is left alone at most.
LONGEST = 10.0

_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Patience:
    """How a kind of call has done lately.

    Attributes:
        failures: that came in a row; each doubles the pause.
        asked: seconds that the server asked to be left alone for.
    """

    failures: int = 0
    asked: float = 0.0

    def failed(self, asked: float | None) -> Patience:
        """After one more failure."""
        return Patience(self.failures + 1, asked or 0.0)

    def pause(self, every: float, share: float, longest: float = LONGEST) -> int:
        """Ns until the next call.

        Args:
            every: seconds between two calls while all is well.
            share: drawn by the caller between -1 and 1.
            longest: times `every` that failures make of it at most.
        """
        doublings = min(max(self.failures - 1, 0), _DOUBLINGS)
        grown = every * min(2.0**doublings, longest) * (1 + JITTER * share)
        asked = self.asked * (1 + JITTER * abs(share))
        return round(max(grown, asked) * NANOSECONDS)
