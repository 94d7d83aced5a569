"""The core as a configuration describes it."""

from __future__ import annotations

import io
import json
from math import inf
from typing import TYPE_CHECKING

from edge_agent.assembly import core, shortest_hold
from edge_agent.cli import replay
from edge_agent.config import loading
from edge_agent.features.contexts import Contexts
from edge_agent.features.gates import Why
from edge_agent.features.triggers import Every
from edge_agent.lines import restore, saved
from edge_agent.recording import Recording
from edge_agent.rehearsal import manned
from edge_agent.samples import NANOSECONDS, SampleBatch
from tests.config.plants import written

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.config.loading import Loaded
    from edge_agent.lines import Line

START = 1_700_000_000 * NANOSECONDS


def test_the_shortest_hold_is_that_of_a_sources_own_tags(tmp_path: Path) -> None:
    """Features hold 30 s; one tag of plc1 says less, and no tag is read from spare."""
    spare = "sources:\n  spare: { type: opcua, endpoint: 'opc.tcp://192.0.2.6:4840' }\n"
    edit = ("unit: bar\n", "unit: bar\n        max_age: 5s\n")
    loaded = loading.read(written(tmp_path, edit, spare_yaml=spare))
    made, tags = manned(loaded), loaded.plant.tags
    holds = {
        name: shortest_hold(made.values(), tags, index)
        for index, name in enumerate(tags.sources)
    }

    assert holds == {"plc1": 5.0, "cell": 30.0, "spare": inf}


def test_only_a_live_agent_gives_ticks_up(tmp_path: Path) -> None:
    """The limit of what is made up for reaches the ticks; without one all are made."""
    loaded = loading.read(written(tmp_path))
    skipped = []
    for catch_up in (60 * NANOSECONDS, None):
        line = core(loaded, manned(loaded), START, catch_up).lines[0]
        ((_, every),) = line.builder.pipelines
        assert isinstance(every, Every)
        line.builder.advance(SampleBatch.of([], [], []), START + 100 * NANOSECONDS)
        skipped.append(every.skipped)

    assert skipped == [40, 0]


def in_context(folder: Path) -> Loaded:
    """Two pumps whose state is a text and whose recipe a number."""
    tags = (
        "      state: { source: cell, topic: 'line3/{id}/s', field: s, text: true }\n"
        "      recipe: { source: cell, topic: 'line3/{id}/s', field: r }\n"
    )
    context = (
        "    context:\n"
        "      running: { state: [RUN, AUTO], recipe: [2.0, 7] }\n"
        "      by: [recipe]\n"
        "      shifts: { early: 06:00-14:00, late: 14:00-06:00 }\n"
        "      zone: Europe/Berlin\n"
    )
    score = "    score: { every: 1s }\n"
    return loading.read(
        written(
            folder,
            ("pipelines:\n", tags + "pipelines:\n"),
            (score, score + context),
        )
    )


def spoken(loaded: Loaded, *said: tuple[str, str | float]) -> SampleBatch:
    """What tags (``asset/role``) said, a second after the start."""
    tags = loaded.plant.tags
    numbers = {tags.name(tag): tag for tag in range(len(tags))}
    texts = [value for _, value in said if isinstance(value, str)]
    place = iter(range(len(texts)))
    return SampleBatch.of(
        [numbers[name] for name, _ in said],
        [START + NANOSECONDS] * len(said),
        [next(place) if isinstance(v, str) else v for _, v in said],
        texts=texts,
    )


SAID = (
    ("P-101/state", "RUN"),
    ("P-101/recipe", 2.0),
    ("P-102/state", "STOPPED"),
    ("P-102/recipe", 2.0),
)


def contexts_of(line: Line, second: int) -> tuple[list[str], list[int]]:
    """Names of the contexts of both pumps at a second, and why they have none."""
    (contexts,) = line.builder.contexts
    assert isinstance(contexts, Contexts)
    assert line.posts[0].contexts is contexts
    end = START + second * NANOSECONDS
    rows = line.builder.advance(SampleBatch.of([], [], []), end).rows[0]
    assert rows.context is not None
    newest = rows.context[-2:].tolist()
    why = [0, 0] if rows.gates is None else rows.gates.why[-2:].tolist()
    return [contexts.names[n] if n >= 0 else "" for n in newest], why


def test_the_configured_context_reaches_the_rows(tmp_path: Path) -> None:
    """Texts and numbers, shifts in their zone: 22:13 UTC is 23:13 in Berlin."""
    loaded = in_context(tmp_path)
    line = core(loaded, manned(loaded), START).lines[0]
    line.builder.advance(spoken(loaded, *SAID), START + NANOSECONDS)

    assert contexts_of(line, 2) == (["2/late", ""], [Why.JUDGED, Why.STOPPED])
    assert contexts_of(line, 9 * 3600)[0] == ["2/early", ""]


def test_contexts_are_part_of_the_checkpoint(tmp_path: Path) -> None:
    """After a restart the state of a silent machine is known; damage begins anew."""
    loaded = in_context(tmp_path)
    before, after, anew = (
        core(loaded, manned(loaded), START).lines[0] for _ in range(3)
    )
    before.builder.advance(spoken(loaded, *SAID), START + NANOSECONDS)
    told = contexts_of(before, 2)
    kept = saved([before])
    now = START + 3 * NANOSECONDS
    restore([after], kept, now)
    damaged = {name: body[:-9] for name, body in kept.items()}
    restore([anew], damaged, now)

    assert contexts_of(after, 4) == told
    assert contexts_of(anew, 4)[1] == [Why.UNKNOWN, Why.UNKNOWN]


def test_a_replay_tells_the_contexts_too(tmp_path: Path) -> None:
    """Each line says in which context its row was."""
    loaded = in_context(tmp_path)
    out = io.StringIO()
    replay.replay(loaded, Recording(spoken(loaded, *SAID)), out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]

    assert [(one["asset"], one["context"]) for one in lines] == [
        ("P-101", "2/late"),
        ("P-102", ""),
    ]
