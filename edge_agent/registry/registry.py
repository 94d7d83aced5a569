"""The seam to a model registry; this docstring is its contract.

Calls are synchronous and may block for as long as their link's time limits say: they
run in the registry's own thread, never in the turn's and never on the event loop.
A registry keeps nothing between calls that matters: each call may be the first.

What it raises tells the caller what to do:

* `RegistryUnavailable`: try again later (no link, 5xx, a full disk, a slow server);
* `ModelRejected`: this version can never be had from here (its name leaves the folder,
  it is too large, it is gone); the next one may;
* anything else is a bug.

Nothing a registry says is trusted: what it hands out is verified afterwards
(`bundle.signing`), what it points at only chooses among versions that pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge_agent.bundle.tree import MAX_BYTES, MAX_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge_agent.registry.listing import Listing, Offer, Report

__all__ = ["MAX_BYTES", "MAX_FILES", "Desk", "Registry"]


class Registry(Protocol):
    """What a gateway needs of a registry."""

    def listing(self, name: str) -> Listing:
        """What the registry says of a model, in one call.

        Raises:
            RegistryUnavailable: no answer now.
            ModelRejected: it has no such model; the text says what it has.
        """
        ...

    def offer(self, name: str, version: str) -> Offer:
        """A version to fetch.

        Args:
            name: the model.
            version: the registry's own id, as `listing` gives it.

        Raises:
            RegistryUnavailable: no answer now.
            ModelRejected: it has no such version.
        """
        ...

    def fetch(
        self, offer: Offer, into: Path, proceed: Callable[[int, int], bool]
    ) -> None:
        """Copy every file of a version into a folder of its own.

        When it returns, ``into`` holds all files of the version, synced, and nothing
        else. A call that fails leaves what it has; the next goes on from there. Whether
        the files are the right ones is for others to say.

        Args:
            offer: what.
            into: the folder; made where missing.
            proceed: told bytes done and bytes in all (0 when unknown), at least once a
                MiB; False stops.

        Raises:
            RegistryUnavailable: the link, the server or this disk failed; or
                ``proceed`` said no.
            ModelRejected: too many or too large files, or a name that leaves the
                folder.
        """
        ...

    def report(self, report: Report) -> None:
        """Show the centre this gateway's state; the same report again changes nothing.

        Raises:
            RegistryUnavailable: it could not be written now.
        """
        ...

    def status(self) -> dict[str, object]:
        """What `edge-agent status` shows of the link: at least ``where``."""
        ...


class Desk(Registry, Protocol):
    """What the centre needs besides: publishing and steering; no gateway calls it."""

    def models(self) -> Sequence[str]:
        """Names of all models."""
        ...

    def history(self, name: str) -> Sequence[Mapping[str, str]]:
        """Versions, oldest first: ``version``, ``created`` and all tags of each."""
        ...

    def push(self, bundle: Path, tags: Mapping[str, str]) -> Offer:
        """Publish a bundle's folder; the same bundle again gives the same offer."""
        ...

    def point(self, name: str, alias: str, version: str | None) -> None:
        """Let an alias point at a version; None removes it."""
        ...

    def set_tag(self, name: str, key: str, value: str | None) -> None:
        """Set a tag of the model; None removes it."""
        ...

    def reports(self, model: str = "") -> Iterator[Report]:
        """The reported state of every gateway, or of those that have a model."""
        ...
