"""What monitoring must remember over a restart, as bytes and back."""

from __future__ import annotations

import msgspec
import structlog

from edge_agent.monitoring.conditions import Cause, Condition, What
from edge_agent.monitoring.episodes import Episode, Episodes

log = structlog.get_logger()


class _Kept(msgspec.Struct, array_like=True):
    what: str
    strength: float
    sentence: str
    action: str
    asset: str
    tag: str
    context: str
    cause: str
    evidence: dict[str, float | int | str]
    since: int
    seen: int
    unseen: int
    told: bool


_decoder = msgspec.msgpack.Decoder(list[_Kept])


def packed_episodes(episodes: Episodes) -> bytes:
    """Episodes for a checkpoint."""
    return msgspec.msgpack.encode(
        [
            _Kept(
                c.what.value,
                c.strength,
                *(c.sentence, c.action, c.asset, c.tag, c.context),
                c.cause.value,
                dict(c.evidence),
                *(e.since, e.seen, e.unseen, e.told),
            )
            for e in episodes.running.values()
            for c in (e.condition,)
        ]
    )


def unpacked_episodes(body: bytes, whose: str) -> Episodes:
    """Episodes of a checkpoint; none where it is damaged."""
    try:
        kept = [_episode(one) for one in _decoder.decode(body)]
    except (ValueError, msgspec.MsgspecError) as why:
        log.warning("findings not restored", of=whose, why=str(why))
        return Episodes()
    return Episodes({episode.condition.key: episode for episode in kept})


def _episode(kept: _Kept) -> Episode:
    condition = Condition(
        What(kept.what),
        kept.strength,
        *(kept.sentence, kept.action, kept.asset, kept.tag, kept.context),
        Cause(kept.cause),
        kept.evidence,
    )
    return Episode(condition, kept.since, kept.seen, kept.unseen, kept.told)
