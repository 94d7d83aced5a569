"""Contexts of rows: against a plain reference, whatever the cut, over a restart."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.features import heard, naming, words
from edge_agent.features.arrivals import Sorter
from edge_agent.features.contexts import GATED, Contexts, ContextSpec
from edge_agent.features.depth import depth_for
from edge_agent.features.feature_rows import joined
from edge_agent.features.gates import Why
from edge_agent.features.offline import TriggerSpec, offline_rows, trigger_for
from edge_agent.features.plan import FeaturePlan
from edge_agent.features.recalling import Saved
from edge_agent.features.rows import RowBuilder
from edge_agent.features.spec import FeatureSpec
from edge_agent.features.triggers import Due
from edge_agent.features.window import NEVER, Window
from edge_agent.samples import AssetType, Quality, SampleBatch, Tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.features.feature_rows import FeatureRows

SECOND = 1_000_000_000
MS = 1_000_000
T0 = 1_700_000_000 * SECOND
KIND = AssetType(
    "press",
    ("M1", "M2", "M3"),
    (
        Tag("a"),
        Tag("state", text=True),
        Tag("recipe", max_age=1.5),
        Tag("part", text=True),
    ),
    4,
)
A, STATE, RECIPE, PART = range(4)
STATES = ("RUN", "AUTO", "STOP", "HELD", "")
SPEC = ContextSpec(
    running=(("state", ("RUN", "AUTO")),), by=("recipe",), warm_up=SECOND
)
Arrival = tuple[int, int, int, int, float, int]
"""ms received, role, asset, ms stamp, value (of a text: its number), quality"""


def batch(arrivals: Sequence[Arrival]) -> SampleBatch:
    """A batch of KIND."""
    spoken = {STATE: STATES, PART: tuple(f"id{k}" for k in range(9))}
    texts = [spoken[role][int(v)] for _, role, _, _, v, _ in arrivals if role in spoken]
    place = iter(range(len(texts)))
    return SampleBatch.of(
        [KIND.index(role, asset) for _, role, asset, *_ in arrivals],
        [T0 + stamp * MS for _, _, _, stamp, _, _ in arrivals],
        [next(place) if role in spoken else v for _, role, _, _, v, _ in arrivals],
        [quality for *_, quality in arrivals],
        [T0 + received * MS for received, *_ in arrivals],
        texts,
    )


@dataclass
class Plain:
    """One role of one asset, told sample by sample."""

    seen: int = NEVER
    changes: list[tuple[int, str, int, int]] = field(default_factory=list)
    """Stamp, value, since when it is so, since when the gate is as it is."""
    known: tuple[str, int, int] = ("", NEVER, NEVER)

    def hear(self, stamp: int, value: str, opens: Sequence[str] | None) -> None:
        """Take a sample in."""
        if stamp <= self.seen:
            return
        self.seen = stamp
        if self.changes and self.changes[-1][1] == value:
            return
        if not self.changes and not value:
            return
        last, since, begun = self.known
        if value != last:
            since = stamp
            alike = opens is not None and last and (value in opens) == (last in opens)
            begun = begun if alike else stamp
        self.changes.append((stamp, value, since, begun))
        if value:
            self.known = (value, since, begun)

    def at(self, at: int) -> tuple[int, str, int, int]:
        """What it was at a time."""
        past = [change for change in self.changes if change[0] <= at]
        return past[-1] if past else (NEVER, "", NEVER, NEVER)


def plain(
    arrivals: SampleBatch, rows: Sequence[tuple[int, int, int]], held: bool
) -> list[tuple[str, int, int]]:
    """Name, `Why` and since of rows (asset, at, seen), one sample after another."""
    opens, age = SPEC.running[0][1], round(KIND.tags[RECIPE].max_age * SECOND)
    found = []
    for asset, at, seen in rows:
        state, recipe = Plain(), Plain()
        for k in range(seen):
            role, owner = divmod(int(arrivals.tag[k]) - KIND.base, len(KIND.assets))
            value, good = float(arrivals.value[k]), arrivals.quality[k] < Quality.BAD
            if owner != asset or role not in (STATE, RECIPE):
                continue
            if role == STATE:
                said = arrivals.texts[int(value)] if good else ""
                state.hear(int(arrivals.time[k]), said, opens)
            else:
                said = f"{value:g}" if good else ""
                recipe.hear(int(arrivals.time[k]), said, None)
        found.append(judged(state.at(at), recipe.at(at), at, age, recipe.seen, held))
    return found


def judged(
    state: tuple[int, str, int, int],
    recipe: tuple[int, str, int, int],
    at: int,
    age: int,
    seen: int,
    held: bool,
) -> tuple[str, int, int]:
    """One row by the module's words."""
    if state[1] and state[1] not in SPEC.running[0][1]:
        return "", Why.STOPPED, state[2]
    if not state[1]:
        return "", Why.UNKNOWN, state[0]
    if not held and seen != NEVER and at - seen > age and recipe[1]:
        return "", Why.STALE, recipe[0]
    if not recipe[1]:
        return "", Why.UNKNOWN, recipe[0]
    start = max(state[3], recipe[2])
    if at < start + SPEC.warm_up:
        return "", Why.WARMING_UP, start
    return recipe[1], Why.JUDGED, 0


def shown(contexts: Contexts, rows: Due | FeatureRows) -> list[tuple[str, int, int]]:
    """Name, `Why` and since of rows."""
    found = []
    assert rows.context is not None
    for row, number in enumerate(rows.context.tolist()):
        why = int(rows.gates.why[row]) if rows.gates is not None else 0
        assert (number == GATED) == bool(why)
        since = int(rows.gates.since[row]) if rows.gates is not None and why else 0
        found.append(("" if why else contexts.names[number], why, since))
    return found


said = st.one_of(
    st.tuples(st.just(STATE), st.integers(0, 4), st.sampled_from([0, 0, 0, 1, 2])),
    st.tuples(st.just(RECIPE), st.integers(0, 3), st.sampled_from([0, 0, 0, 1, 2])),
    st.tuples(st.just(A), st.integers(0, 5), st.just(0)),
    st.tuples(st.just(PART), st.integers(0, 8), st.just(0)),
)
arrival = st.tuples(
    st.integers(0, 40).map(lambda t: t * 100),
    said,
    st.sampled_from([0, 0, 0, 0, 1, 2]),
    st.integers(-4, 1),
).map(lambda s: (s[0], s[1][0], s[2], s[0] + 100 * s[3], float(s[1][1]), s[1][2]))


def dense(seed: int) -> list[Arrival]:
    """Sixty values within a second, most of one asset, many out of order."""
    random = Random(seed)
    kept = [
        (
            t := random.randrange(0, 4000, 50),
            role := random.choice([STATE, STATE, RECIPE, RECIPE, PART, A]),
            random.choice([0, 0, 0, 1]),
            t + random.choice([0, 0, 50, -50, -100, -200]),
            float(random.randrange(2 if role == STATE else 3)),
            random.choice([0] * 9 + [2]),
        )
        for _ in range(60)
    ]
    return sorted(kept, key=lambda one: one[0])


few = st.lists(arrival, max_size=60).map(lambda s: sorted(s, key=lambda a: a[0]))
streams = st.one_of(few, st.integers(0, 1 << 30).map(dense))
moments = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 42), st.integers(0, 60)), max_size=12
)
cuts = st.lists(st.integers(0, 4200), max_size=12).map(sorted)


def whole(contexts: Contexts, rows: FeatureRows) -> list[list[tuple[Any, ...]]]:
    """Time and context of every row, asset by asset."""
    if not len(rows):
        return [[], [], []]
    told = shown(contexts, rows)
    lines = [
        (int(a), int(t), *c) for a, t, c in zip(rows.asset, rows.at, told, strict=True)
    ]
    return [[one[1:] for one in lines if one[0] == asset] for asset in range(3)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=1))
def test_values_older_than_what_came_before_are_dropped(
    came: list[tuple[int, int]],
) -> None:
    """Of each column the newest stamp so far decides, value by value."""
    seen, expected, late = [3, 0, 5], [], 0
    before = [seen[column] for column, _ in came]
    for place, (column, time) in enumerate(came):
        late += time < seen[column]
        if time > seen[column]:
            seen[column] = time
            expected.append(place)
    columns, times = np.array(came).T
    newer, dropped = heard.in_order(columns, times, np.array(before))

    assert newer.tolist() == expected
    assert dropped == late


@settings(max_examples=150, deadline=None)
@given(streams, moments, st.booleans(), st.integers(0, 4200))
def test_rows_have_the_context_of_what_had_arrived(
    stream: list[Arrival], wanted: list[tuple[int, int, int]], held: bool, cut: int
) -> None:
    """Each row is as if its samples had been told one by one."""
    flags = np.repeat(np.array([[held] * 4]), 3, axis=0).reshape(-1)
    contexts, sorter = Contexts(KIND, SPEC, held=flags), Sorter(KIND)
    whole_of = sorter.arrivals(batch(stream)).batch
    early = [a for a in stream if a[0] <= cut]
    contexts.told(sorter.arrivals(batch(early)), Due.of([]))
    arrivals = sorter.arrivals(batch(stream[len(early) :]))
    rows = sorted(
        ((a, T0 + 100 * t * MS, min(s, len(arrivals))) for a, t, s in wanted),
        key=lambda row: row[2],
    )
    due = contexts.told(arrivals, Due.of(rows))

    if rows:
        seen = [(asset, at, len(early) + count) for asset, at, count in rows]
        assert shown(contexts, due) == plain(whole_of, seen, held)
    now = T0 + 4200 * MS  # and what stays behind the turn is the same
    none = sorter.arrivals(SampleBatch.of([], [], []))
    due = contexts.told(none, Due.of([(asset, now, 0) for asset in range(3)]))
    behind = [(asset, now, len(stream)) for asset in range(3)]
    assert shown(contexts, due) == plain(whole_of, behind, held)


TRIGGERS = (
    TriggerSpec(every=0.7),
    TriggerSpec(on="update", settle=0.2),
    TriggerSpec(on="cycle", part="part", settle=0.2),
    TriggerSpec(on="cycle", part="part", part_at="start", settle=0.2),
)


def built(spec: ContextSpec = SPEC) -> RowBuilder:
    """A builder with one pipeline for each trigger, started at T0."""
    specs = (FeatureSpec("a", "a", "last", hold=3.0),)
    window = Window(KIND, depth_for(specs))
    readers = []
    for trigger in TRIGGERS:
        plan = FeaturePlan(specs, KIND)
        readers.append((plan, trigger_for(trigger, plan, window, T0)))
    return RowBuilder(
        window, readers, contexts=[Contexts(KIND, spec) for _ in TRIGGERS]
    )


def turned(
    rows: RowBuilder, stream: Sequence[Arrival], ends: Sequence[int]
) -> list[list[list[tuple[Any, ...]]]]:
    """Contexts of each pipeline's rows from turns that end at given ms."""
    found: list[list[FeatureRows]] = [[] for _ in TRIGGERS]
    for low, high in pairwise([-1, *ends]):
        mine = [a for a in stream if low < a[0] <= high]
        for one, more in zip(
            found, rows.advance(batch(mine), T0 + high * MS).rows, strict=True
        ):
            one.extend([more] if len(more) else [])
    return [
        whole(contexts, joined(parts)) if contexts and parts else [[], [], []]
        for contexts, parts in zip(rows.contexts, found, strict=True)
    ]


@settings(max_examples=50, deadline=None)
@given(streams, cuts)
def test_turns_leave_no_trace(stream: list[Arrival], ends: list[int]) -> None:
    """However turns cut a stream, each row has the same context for the same reason."""
    assert turned(built(), stream, [5000]) == turned(built(), stream, [*ends, 5000])


@settings(max_examples=40, deadline=None)
@given(streams, st.integers(0, 4200))
def test_a_restart_goes_on(stream: list[Arrival], cut: int) -> None:
    """Contexts that are restored between two turns say what those before had said."""
    through, before, after = built(), built(), built()
    early = [a for a in stream if a[0] <= cut]
    late = [a for a in stream if a[0] > cut]
    for rows in (through, before):
        rows.advance(batch(early), T0 + cut * MS)
    for contexts, saved in zip(after.contexts, before.contexts, strict=True):
        assert contexts is not None
        assert saved is not None
        contexts.restore(saved.saved(), T0 + 10_000 * MS)
        assert list(contexts.names) == list(saved.names)
    end = T0 + 6000 * MS
    for one, two in zip(through.contexts, after.contexts, strict=True):
        assert one is not None
        assert two is not None
        arrivals = Sorter(KIND).arrivals(batch(late))
        behind = [(asset, end, len(late)) for asset in range(3)]
        told = [c.told(arrivals, Due.of(behind)) for c in (one, two)]
        assert shown(one, told[0]) == shown(two, told[1])


def test_a_restart_with_other_assets_and_roles_takes_what_is_left() -> None:
    """Values are found again by the names of asset and role, words by their text."""
    contexts = Contexts(KIND, SPEC)
    stream = [(0, STATE, 1, 0, 0.0, 0), (0, RECIPE, 1, 0, 7.0, 0)]
    contexts.told(Sorter(KIND).arrivals(batch(stream)), Due.of([]))
    kind = AssetType("press", ("M2", "M9"), KIND.tags, 0)
    other = Contexts(kind, ContextSpec(by=("part", "recipe")))
    other.restore(contexts.saved(), T0 + SECOND)
    only = Contexts(kind, ContextSpec(by=("recipe",)))
    only.restore(contexts.saved(), T0 + SECOND)
    none = Sorter(kind).arrivals(SampleBatch.of([], [], []))
    due = only.told(none, Due.of([(0, T0 + MS, 0), (1, T0 + MS, 0)]))

    assert shown(only, due) == [
        ("7", 0, 0),
        ("", Why.UNKNOWN, NEVER),
    ]


def test_stamps_of_a_dead_time_axis_are_not_restored() -> None:
    """A gateway that starts in 1970 must not wait for 2026 to hear its state."""
    contexts, again = Contexts(KIND, SPEC), Contexts(KIND, SPEC)
    stream = [(0, STATE, 0, 0, 0.0, 0)]
    contexts.told(Sorter(KIND).arrivals(batch(stream)), Due.of([]))
    again.restore(contexts.saved(), 5 * SECOND)
    none = Sorter(KIND).arrivals(SampleBatch.of([], [], []))
    due = again.told(none, Due.of([(0, 4 * SECOND, 0)]))

    assert due.gates is not None
    assert due.gates.why.tolist() == [Why.UNKNOWN]


def test_what_was_saved_badly_is_refused() -> None:
    """Arrays that do not fit, or a value without a word, are no state."""
    good = Contexts(KIND, SPEC).saved()
    short = {name: column[1:] for name, column in good.columns.items()}
    wild = {name: column + 9 for name, column in good.columns.items()}
    for columns in (short, wild):
        bad = Saved(good.assets, good.roles, good.words, good.names, columns)
        with pytest.raises(ValueError, match="checkpoint of contexts"):
            Contexts(KIND, SPEC).restore(bad, T0)


def test_a_gap_that_ends_with_the_same_value_warms_up_nothing() -> None:
    """A link that was lost for a second is no start of the machine."""
    contexts = Contexts(KIND, SPEC)
    stream = [
        (0, STATE, 0, 0, 0.0, 0),
        (0, RECIPE, 0, 0, 1.0, 0),
        (3000, STATE, 0, 3000, 0.0, 2),
        (3100, STATE, 0, 3100, 1.0, 0),
        (3100, RECIPE, 0, 3100, 1.0, 0),
    ]
    arrivals = Sorter(KIND).arrivals(batch(stream))
    rows = [(0, T0 + 3000 * MS, 3), (0, T0 + 3100 * MS, 5)]
    due = contexts.told(arrivals, Due.of(rows))

    assert [why for _, why, _ in shown(contexts, due)] == [
        Why.UNKNOWN,
        Why.JUDGED,
    ]


def test_the_list_of_names_is_bounded() -> None:
    """A part id taken for a recipe fills the list, and then is called other."""
    spec = ContextSpec(by=("recipe",))
    contexts = Contexts(KIND, spec)
    count = naming.MAX_NAMES + 5
    for number in range(count):
        stream: list[Arrival] = [(number, RECIPE, 0, number, float(number), 0)]
        arrivals = Sorter(KIND).arrivals(batch(stream))
        contexts.told(arrivals, Due.of([(0, T0 + number * MS, 1)]))

    assert list(contexts.names) == [*map(str, range(200)), naming.OTHER]
    assert contexts.beyond == 5


def test_a_flood_of_values_is_bounded() -> None:
    """Values beyond the bound, and monstrous ones, all read as one."""
    found = words.Words()
    codes = [found[f"w{k}"] for k in range(words.MAX_WORDS + 10)]

    assert codes[-10:] == [words.OTHER] * 10
    assert found["x" * 1000] == words.OTHER
    assert found.beyond == 11
    assert len(found) <= 2 * words.MAX_WORDS + 1
    assert found[" w1\n"] == found["w1"] == codes[1]
    assert found["  "] == words.UNKNOWN


def test_numbers_are_spelled_as_people_write_them() -> None:
    """Recipe 2.0 is recipe 2."""
    assert [words.spelled(v) for v in (2.0, -3.0, 2.5, 1e15)] == [
        "2",
        "-3",
        "2.5",
        "1000000000000000",
    ]


def test_the_notebook_has_the_same_contexts() -> None:
    """Offline rows are given contexts by the same code."""
    stream: list[Arrival] = [
        (0, STATE, 0, 0, 0.0, 0),
        (0, RECIPE, 0, 0, 1.0, 0),
        *((k * 100, A, 0, k * 100, 1.0, 0) for k in range(20)),
        (2000, RECIPE, 0, 2000, 2.0, 0),
        (2000, A, 0, 2000, 1.0, 0),
    ]
    contexts = Contexts(KIND, SPEC)
    specs = (FeatureSpec("a", "a", "last", hold=3.0),)
    rows = offline_rows(
        KIND, specs, TriggerSpec(on="update"), batch(stream), contexts=contexts
    )

    names = [name for name, _, _ in shown(contexts, rows)]
    assert names == [""] * 10 + ["1"] * 6 + [""] * 5  # then its max_age is over
    kept = rows.take(np.array([10, 0]))
    assert kept.context is not None
    assert kept.gates is not None
    assert kept.context.tolist() == [0, GATED]
    assert kept.gates.why.tolist() == [0, Why.WARMING_UP]


@pytest.mark.parametrize(
    ("second", "said", "sentence"),
    [
        (0, [], "state is not known"),
        (9, [(0, STATE, 0, 0, 2.0, 0)], "state is STOP since 00:13"),
        (86_400, [(0, STATE, 0, 0, 2.0, 0)], "state is STOP since 2023-11-15 00:13"),
        (9, [(0, STATE, 0, 0, 0.0, 0)], "recipe is not known"),
        (9, [(0, STATE, 0, 0, 0.0, 2)], "state is not known"),
        (
            9,
            [(0, STATE, 0, 0, 0.0, 0), (0, RECIPE, 0, 0, 4.0, 0)],
            "no new value of recipe since 00:13",
        ),
        (
            0,
            [(0, STATE, 0, 0, 0.0, 0), (0, RECIPE, 0, 0, 4.0, 0)],
            "warming up for another 1 s",
        ),
    ],
)
def test_why_is_told_in_local_time(
    second: int, said: list[Arrival], sentence: str
) -> None:
    """One sentence a technician reads, two hours ahead of UTC."""
    contexts = Contexts(KIND, SPEC, lambda _: 7200)
    contexts.told(Sorter(KIND).arrivals(batch(said)), Due.of([]))
    at = T0 + second * SECOND
    none = Sorter(KIND).arrivals(SampleBatch.of([], [], []))
    due = contexts.told(none, Due.of([(0, at, 0)]))

    assert due.gates is not None
    for _ in range(2):
        found = contexts.sentences(due.gates, due.at)
        assert found == [f"not judged: {sentence}"]


def test_a_long_warm_up_is_told_in_minutes() -> None:
    """Never less than is left, and nothing of a row that is judged."""
    contexts = Contexts(KIND, replace(SPEC, by=(), warm_up=600 * SECOND))
    said: list[Arrival] = [(0, STATE, 0, 0, 0.0, 0)]
    contexts.told(Sorter(KIND).arrivals(batch(said)), Due.of([]))
    found = []
    for second, asset in ((0, 0), (1, 0), (541, 0), (0, 1)):
        at = T0 + second * SECOND
        none = Sorter(KIND).arrivals(SampleBatch.of([], [], []))
        due = contexts.told(none, Due.of([(asset, at, 0)]))
        assert due.gates is not None
        found += contexts.sentences(due.gates, due.at)

    assert found == [
        "not judged: warming up for another 10 min",
        "not judged: warming up for another 10 min",
        "not judged: warming up for another 59 s",
        "not judged: state is not known",
    ]
