"""Changes that nobody else tells of: of the clock, the configuration, the trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge_agent.bundle.keys import short
from edge_agent.durable import write_whole
from edge_agent.records import EventRecord
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge_agent.bundle.trust import Trust
    from edge_agent.clock import Clock
    from edge_agent.config.loading import Loaded

#: Ns of change between two looks that are a step; less is slew.
STEP = NANOSECONDS
_NAME = "standing.json"
_MOST = 1 << 20


class Steps:
    """Steps of the gateway's wall clock.

    Args:
        clock: agent time, which never steps.
        gateway: its name.
    """

    def __init__(self, clock: Clock, gateway: str) -> None:
        self._clock, self._gateway = clock, gateway
        self._offset = clock.wall_offset()

    def look(self) -> list[EventRecord]:
        """What happened since the last look."""
        offset = self._clock.wall_offset()
        step, self._offset = offset - self._offset, offset
        if abs(step) <= STEP:
            return []
        seconds = step / NANOSECONDS
        where = "forward" if step > 0 else "back"
        said = (
            f"the gateway's clock was set {where} by {abs(seconds):.1f} s; ages, "
            "delays and order are not touched, only dates"
        )
        now = self._clock.now()
        return [
            EventRecord(now, "clock step", self._gateway, said, {"step_s": seconds})
        ]


class Standing(msgspec.Struct, frozen=True):
    """What an agent ran with, to be compared with the next start.

    Attributes:
        version: of the agent.
        configuration: digest of its files.
        files: their names.
        trusted: ids of the keys whose signatures count.
        revoked: number of the list of revoked keys, 0 for none.
    """

    version: str = ""
    configuration: str = ""
    files: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    revoked: int = 0


def standing_of(loaded: Loaded, version: str, trust: Trust | None) -> Standing:
    """How an agent stands.

    Args:
        loaded: its configuration.
        version: its own.
        trust: whose signatures count; None where none is asked for.
    """
    return Standing(
        version,
        loaded.digest,
        tuple(path.name for path in loaded.files),
        tuple(sorted(trust.keys)) if trust is not None else (),
        trust.revoked.number if trust is not None else 0,
    )


class Standings:
    """Compares how the agent stands with how it stood when it was last looked at.

    Args:
        folder: of the log; remembers it over a restart.
        gateway: its name.
        ask: how it stands now; None while that cannot be told.
    """

    def __init__(
        self, folder: Path, gateway: str, ask: Callable[[], Standing | None]
    ) -> None:
        self._folder, self._gateway, self._ask = folder, gateway, ask
        self._was: Standing | None = None
        self._read = False

    def look(self, at: int, tell: Callable[[EventRecord], object]) -> None:
        """Tell what is different, then remember it.

        Args:
            at: agent time.
            tell: takes events.

        Raises:
            OSError: it cannot be remembered: the same is told again after a restart.
        """
        if not self._read:
            self._was, self._read = read_standing(self._folder), True
        now = self._ask()
        if now is None or now == self._was:
            return
        for event in changes(self._was, now, self._gateway, at):
            tell(event)
        self._was = now
        keep_standing(self._folder, now)


def read_standing(folder: Path) -> Standing | None:
    """That of the run before; None where none can be read."""
    try:
        with (folder / _NAME).open("rb") as file:
            return msgspec.json.decode(file.read(_MOST), type=Standing)
    except (OSError, msgspec.MsgspecError, UnicodeError):
        return None


def keep_standing(folder: Path, standing: Standing) -> None:
    """Keep it for the next start; the folder is made.

    Raises:
        OSError: the disk refused: the next start tells the same again.
    """
    folder.mkdir(0o750, parents=True, exist_ok=True)
    write_whole(folder / _NAME, msgspec.json.encode(standing))


def changes(
    before: Standing | None, now: Standing, gateway: str, at: int
) -> Iterator[EventRecord]:
    """What is different from the run before. Pure.

    Args:
        before: that run; None for the first one.
        now: this one.
        gateway: its name.
        at: agent time.
    """
    was = before or Standing()
    if now.configuration != was.configuration:
        details = {
            "sha256": now.configuration,
            "was": was.configuration,
            "files": list(now.files),
        }
        said = f"now {now.configuration[:16]}, {_was(was.configuration[:16])}"
        yield EventRecord(at, "configuration changed", gateway, said, details)
    if before is not None and now.version != was.version:
        said = f"now {now.version}, {_was(was.version)}"
        details = {"version": now.version, "was": was.version}
        yield EventRecord(at, "agent updated", gateway, said, details)
    if (now.trusted, now.revoked) != (was.trusted, was.revoked):
        yield _trust(was, now, gateway, at)


def _trust(was: Standing, now: Standing, gateway: str, at: int) -> EventRecord:
    new = sorted(set(now.trusted) - set(was.trusted))
    gone = sorted(set(was.trusted) - set(now.trusted))
    said = [
        *(f"{short(key)} is trusted" for key in new),
        *(f"{short(key)} is trusted no more" for key in gone),
    ]
    if now.revoked != was.revoked:
        said.append(f"the list of revoked keys is number {now.revoked}")
    details = {
        "trusted": list(now.trusted),
        "was": list(was.trusted),
        "revoked_list": now.revoked,
    }
    text = _sentence(said)
    return EventRecord(at, "trust changed", gateway, text, details)


def _was(former: str) -> str:
    return f"was {former}" if former else "the first one here"


def _sentence(said: Sequence[str]) -> str:
    return "; ".join(said) or "the order of the keys"
