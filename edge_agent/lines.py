"""The pipelines on one asset type, and what of them must survive a crash."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import structlog

from edge_agent.alarms import LONG_AGO, NEVER
from edge_agent.comparison import Comparison
from edge_agent.features.recalling import Saved
from edge_agent.features.triggers import FUTURE
from edge_agent.pipeline import PipelineState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from edge_agent.alarms import AlarmStates
    from edge_agent.captured.taking import Captures
    from edge_agent.features.contexts import Contexts
    from edge_agent.features.making import Making
    from edge_agent.features.rows import RowBuilder
    from edge_agent.features.triggers import Trigger
    from edge_agent.pipeline import Pipeline
    from edge_agent.posts import Post, Seating, Turned
    from edge_agent.records import EvidenceRecord
    from edge_agent.stamps import Stamps

log = structlog.get_logger()


@dataclass(slots=True)
class Line:
    """The pipelines on one asset type, with the windows they share."""

    builder: RowBuilder
    posts: Sequence[Post]
    """One a pipeline, in the builder's order."""
    period: int = 0
    """Ns between ticks, 0 for none."""
    settle: int = 0
    """Ns after which an open row closes by itself."""
    states: list[PipelineState] = field(default_factory=list)
    making: Making | None = None
    """How the rows of the turn were made."""
    _captures: Captures | None = None
    _told: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.states:
            self.states = [
                PipelineState.fresh(len(p.pipeline.info.assets)) for p in self.posts
            ]

    def capture(self, captures: Captures) -> None:
        """Keep from now on what alarms are computed from."""
        self._captures, self.builder.shows = captures, True

    def evidence(self, place: int, done: Turned, now: int) -> list[EvidenceRecord]:
        """What the alarms of a pipeline's turn were computed from, within that turn."""
        judged, making = done.judged, self.making
        if self._captures is None or judged is None or making is None:
            return []
        if not len(judged.moves):
            return []
        plan, _ = self.builder.pipelines[place]
        of = self._captures.of
        return of(making, place, plan, done.pipeline, judged, done.records, now)

    def triggers(self) -> Iterator[tuple[str, Trigger]]:
        """Name and trigger of each pipeline."""
        for post, (_, trigger) in zip(self.posts, self.builder.pipelines, strict=True):
            yield post.pipeline.info.pipeline, trigger

    def seat(self, place: int, seating: Seating) -> None:
        """Let something else score a pipeline.

        Another model may read other tags: then its rows are made anew, from windows
        that keep what they hold, and so are those that have begun. Waiting for a
        moment without one could last for ever: with a tag that is dead there is none.
        """
        plan, trigger = self.builder.pipelines[place]
        if seating.plan.specs != plan.specs:
            other = list(seating.plan.roles) != list(plan.roles)
            if other and seating.trigger is not None:
                made = seating.trigger(seating.plan, self.builder.window)
                made.take_over(trigger)
                trigger = made
            self.builder.replan(place, seating.plan, trigger)
        beside = seating.beside
        differs = beside is not None and beside.plan.specs != seating.plan.specs
        self.builder.watch(place, beside.plan if beside and differs else None)
        self.posts[place].seat(seating)

    def unmade(self) -> Iterator[tuple[str, str, int]]:
        """What was left out since the last call: rows, contexts, evidence.

        Yields:
            Counter, pipeline, how many.
        """
        for name, trigger in self.triggers():
            if late := self._more("rows_late_total", name, trigger.late):
                yield "rows_late_total", name, late
            if skipped := self._more("ticks_skipped_total", name, trigger.skipped):
                log.warning("turns stood still", pipeline=name, ticks_skipped=skipped)
                yield "ticks_skipped_total", name, skipped
        for post in self.posts:
            name = post.pipeline.info.pipeline
            for counter, total in self._left_out(name, post.contexts):
                if more := self._more(counter, name, total):
                    yield counter, name, more

    def _left_out(
        self, name: str, contexts: Contexts | None
    ) -> Iterator[tuple[str, int]]:
        if self._captures is not None:
            yield from self._captures.left_out(name)
        if contexts is not None:
            yield "context_values_late_total", contexts.late
            yield "contexts_beyond_limit_total", contexts.beyond

    def _more(self, counter: str, name: str, total: int) -> int:
        more = total - self._told.get((counter, name), 0)
        if more:
            self._told[counter, name] = total
        return more


def saved(lines: Sequence[Line], stamps: Stamps | None = None) -> dict[str, bytes]:
    """State to go on from after a restart, by name."""
    found = {}
    if stamps is not None:
        found["clocks"] = msgspec.msgpack.encode(stamps.saved())
    for line in lines:
        for post, state in zip(line.posts, line.states, strict=True):
            info = post.pipeline.info
            name = f"alarms/{info.pipeline}"
            found[name] = _packed(state.alarms.to_arrays(), info.assets)
            if post.beside is not None:
                kept = (post.key, post.beside.key, post.comparison.saved())
                found[f"beside/{info.pipeline}"] = msgspec.msgpack.encode(kept)
            if post.contexts is not None:
                found[f"context/{info.pipeline}"] = _kept(post.contexts)
        for name, trigger in line.triggers():
            if begun := trigger.saved():
                found[f"trigger/{name}"] = msgspec.msgpack.encode(begun)
    return found


def restore(
    lines: Sequence[Line],
    checkpoint: Mapping[str, bytes],
    now: int,
    stamps: Stamps | None = None,
) -> None:
    """Go on where a checkpoint was made; what does not fit starts fresh."""
    if stamps is not None and "clocks" in checkpoint:
        _set(stamps, checkpoint["clocks"])
    for line in lines:
        for position, post in enumerate(line.posts):
            pipeline = post.pipeline
            body = checkpoint.get(f"alarms/{pipeline.info.pipeline}")
            if body is not None:
                line.states[position] = _restored(body, pipeline, now)
            body = checkpoint.get(f"beside/{pipeline.info.pipeline}")
            if body is not None:
                _recall(post, body, pipeline.info.pipeline)
            body = checkpoint.get(f"context/{pipeline.info.pipeline}")
            if body is not None and post.contexts is not None:
                _remember(post.contexts, pipeline.info.pipeline, body, now)
        for name, trigger in line.triggers():
            body = checkpoint.get(f"trigger/{name}")
            if body is not None:
                _resume(trigger, name, body, now)


def _packed(arrays: Mapping[str, NDArray[np.int64]], assets: Sequence[str]) -> bytes:
    plain = {name: (a.shape, a.tobytes()) for name, a in arrays.items()}
    return msgspec.msgpack.encode((tuple(assets), plain))


def _restored(body: bytes, pipeline: Pipeline, now: int) -> PipelineState:
    name, assets = pipeline.info.pipeline, pipeline.info.assets
    try:
        then, plain = msgspec.msgpack.decode(body)
        arrays = {
            name: np.frombuffer(raw, np.int64).reshape(shape)
            for name, (shape, raw) in plain.items()
        }
        state = PipelineState.restored(arrays, then, assets)
        return replace(state, alarms=_resumed(state.alarms, now))
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as why:
        log.warning("alarm state not restored", pipeline=name, why=str(why))
        return PipelineState.fresh(len(assets))


def _recall(post: Post, body: bytes, name: str) -> None:
    try:
        key, other, numbers = msgspec.msgpack.decode(body)
        post.recall(str(key), str(other), Comparison.restored(numbers))
    except (ValueError, TypeError, msgspec.MsgspecError) as why:
        log.warning("comparison not restored", pipeline=name, why=str(why))


def _kept(contexts: Contexts) -> bytes:
    saved = contexts.saved()
    plain = {name: column.tobytes() for name, column in saved.columns.items()}
    whole = (saved.assets, saved.roles, saved.words, saved.names, plain)
    return msgspec.msgpack.encode(whole)


def _remember(contexts: Contexts, name: str, body: bytes, now: int) -> None:
    try:
        assets, roles, words, names, plain = msgspec.msgpack.decode(body)
        columns = {key: np.frombuffer(raw, np.int64) for key, raw in plain.items()}
        every = tuple(map(tuple, words))
        saved = Saved(tuple(assets), tuple(roles), every, tuple(names), columns)
        contexts.restore(saved, now + FUTURE)
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as why:
        log.warning("contexts not restored", pipeline=name, why=str(why))


def _resumed(states: AlarmStates, now: int) -> AlarmStates:
    """Alarms as they were; delays begin anew, and no stamp lies in the future.

    A gateway whose clock is dead starts in 1970: a delay that runs until 2026, or a
    change of 2026 that counts as recent, would hold an alarm back for ever.
    """
    ahead = now + FUTURE
    return replace(
        states,
        pending=np.full_like(states.pending, NEVER),
        judged=np.where(states.judged > ahead, NEVER, states.judged),
        recent=np.where(states.recent > ahead, LONG_AGO, states.recent),
    )


def _set(stamps: Stamps, body: bytes) -> None:
    try:
        stamps.restore(msgspec.msgpack.decode(body, type=dict[str, int]))
    except (ValueError, msgspec.MsgspecError) as why:
        log.warning("clock errors not restored", why=str(why))


def _resume(trigger: Trigger, name: str, body: bytes, now: int) -> None:
    try:
        kept: dict[str, Any] = msgspec.msgpack.decode(body)
        trigger.restore(kept, now)
    except (ValueError, TypeError, AttributeError, msgspec.MsgspecError) as why:
        log.warning("trigger state not restored", pipeline=name, why=str(why))
