"""The rules of a rollout, and the tags that hold it. Pure.

A rollout has no file of its own: it lives in the model's aliases and tags, so that cron
on one machine and a person on another can do its next step, and everyone sees it.

    canary                  alias: the version
    edge.canary.percent     how large its share is now
    edge.rollout.version    the version, as long as the rollout goes on
    edge.rollout.since      when it began, by the centre's clock
    edge.rollout.rules      what is watched, as JSON
    edge.rollout.well       since when the share is well, by the centre's clock
    edge.champion.former    the champion before this one, to go back to
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from edge_agent.errors import ModelRejected
from edge_agent.registry.listing import CANARY_PERCENT
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from edge_agent.registry.listing import Listing

ROLLOUT_VERSION, ROLLOUT_SINCE = "edge.rollout.version", "edge.rollout.since"
ROLLOUT_RULES, ROLLOUT_WELL = "edge.rollout.rules", "edge.rollout.well"
FORMER = "edge.champion.former"

HOUR, DAY = 3600.0, 86_400.0
EVERYBODY = 100.0
_LONG = 4096

_Percent = Annotated[float, msgspec.Meta(gt=0, le=EVERYBODY)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=366 * DAY)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=10**6)]


@dataclass(frozen=True, slots=True)
class Limit:
    """So many gateways are too many: a count, or a share if that is more.

    Attributes:
        count: gateways, at least.
        share: of those that are counted, 0 to 1.
    """

    count: _Count = 1
    share: _Share = 0.0

    @staticmethod
    def of(text: str, least: int = 1) -> Limit:
        """Read ``3`` or ``5%``, which is ``least`` gateways in a small fleet.

        Raises:
            ValueError: it is neither.
        """
        match = re.fullmatch(r"([0-9]{1,6})|([0-9]{1,3}(?:\.[0-9]+)?) ?%", text.strip())
        if match is None:
            raise ValueError(f"{text!r} is neither a number like 3 nor a share like 5%")
        if match[2]:
            found = Limit(least, float(match[2]) / EVERYBODY)
        else:
            found = Limit(int(match[1]))
        if found.count < 1 or found.share > 1:
            raise ValueError(f"{text!r}: at least 1, at most 100%")
        return found

    def among(self, gateways: int) -> int:
        """How many are too many among so many."""
        # without the rounding 0.07 of 100 would be 8
        return max(self.count, math.ceil(round(self.share * gateways, 9)))


@dataclass(frozen=True, slots=True)
class Rules:
    """What is watched, and how a rollout goes on.

    Attributes:
        steps: shares in percent, growing; behind the last it becomes champion.
        watch: s that a share must have been well before the next step; in that time
            its gateways must have said so again.
        enough: so much of a share must score with the version, 0 to 1.
        least: and so many gateways.
        failed: so many gateways on which it failed halt it, of those that met it; so
            do fewer when ``enough`` cannot be reached without them.
        lost: so many gateways that fell silent halt it, of its share.
        quiet: s without a report after which a gateway does not count as well; an
            agent leaves an hour between two reports at most.
        gone: s without a report after which a gateway is lost.
    """

    steps: Annotated[
        tuple[_Percent, ...], msgspec.Meta(min_length=1, max_length=20)
    ] = (10.0, 50.0, EVERYBODY)
    watch: _Seconds = HOUR
    enough: _Share = 0.9
    least: _Count = 1
    failed: Limit = Limit(1)
    lost: Limit = Limit(2, 0.2)
    quiet: _Seconds = 2 * HOUR
    gone: _Seconds = DAY

    def write(self) -> str:
        """As the tag holds them."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout that goes on.

    Attributes:
        model: which model.
        version: the registry's id of the version.
        percent: how large its share is now.
        since: ns UTC when it began, by the centre's clock.
        well: ns UTC since when its share is well; 0 when it is not.
        rules: what is watched.
    """

    model: str
    version: str
    percent: float
    since: int
    well: int
    rules: Rules


def rollout_of(listing: Listing) -> Rollout | None:
    """The rollout that a model's tags hold; None where there is none.

    Raises:
        ModelRejected: they cannot be read; the text says what to do.
    """
    tags = listing.tags
    version = tags.get(ROLLOUT_VERSION, "")
    if not version:
        return None
    try:
        rules = msgspec.json.decode(tags.get(ROLLOUT_RULES, "")[:_LONG], type=Rules)
        since = read_time(tags.get(ROLLOUT_SINCE, ""))
        percent = _percent(tags.get(CANARY_PERCENT, "0"))
        well = read_time(tags[ROLLOUT_WELL]) if ROLLOUT_WELL in tags else 0
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ModelRejected(
            f"the tags edge.rollout.* of {listing.name} cannot be read: {error}; halt "
            f"the rollout (edge-agent fleet halt {listing.name} {version}) or begin it "
            "anew"
        ) from error
    return Rollout(listing.name, version, percent, since, well, rules)


def _percent(text: str) -> float:
    percent = float(text)
    if not 0 <= percent <= EVERYBODY:
        raise ValueError(f"{CANARY_PERCENT} is {text}, not 0 to 100")
    return percent


def read_time(text: str) -> int:
    """A time as tags hold it, in ns UTC.

    Raises:
        ValueError: it is none, or one without a time zone.
    """
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return int(read.timestamp()) * NANOSECONDS


def write_time(at: int) -> str:
    """As tags hold it: to the second, which people can read."""
    return datetime.fromtimestamp(at // NANOSECONDS, UTC).isoformat()
