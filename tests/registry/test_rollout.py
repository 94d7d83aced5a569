"""When a rollout waits, widens, ends and is stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ModelRejected
from edge_agent.registry import steering
from edge_agent.registry.choosing import CANARY, CHAMPION, bucket, in_canary
from edge_agent.registry.listing import (
    CANARY_PERCENT,
    HALTED,
    PAUSED,
    Gateway,
    Listing,
    ModelReport,
    Report,
)
from edge_agent.registry.rollout import Decision, Kind, first_share, judge
from edge_agent.registry.rules import (
    FORMER,
    HOUR,
    ROLLOUT_RULES,
    ROLLOUT_SINCE,
    ROLLOUT_VERSION,
    ROLLOUT_WELL,
    Limit,
    Rules,
    rollout_of,
    write_time,
)
from edge_agent.registry.standings import Standing
from edge_agent.samples import NANOSECONDS

if TYPE_CHECKING:
    from random import Random

OLD, NEW = "1", "2"
NOW = 1_900_000_000 * NANOSECONDS
BEGAN = NOW - 6 * 3600 * NANOSECONDS
#: All in a share of 10 %, with the model's name below.
INSIDE = [name for i in range(400) if bucket("pump", name := f"gw-{i:03}") < 10][:20]
OUTSIDE = [name for i in range(400) if bucket("pump", name := f"gw-{i:03}") >= 10][:20]


def listing(
    percent: float = 10,
    *,
    well: int = 0,
    rules: Rules | None = None,
    tags: dict[str, str] | None = None,
    aliases: dict[str, str] | None = None,
) -> Listing:
    """A model in the middle of a rollout of `NEW`."""
    held = {
        CANARY_PERCENT: f"{percent:g}",
        ROLLOUT_VERSION: NEW,
        ROLLOUT_SINCE: write_time(BEGAN),
        ROLLOUT_RULES: (rules or Rules()).write(),
        **({ROLLOUT_WELL: write_time(well)} if well else {}),
        **(tags or {}),
    }
    return Listing("pump", {CHAMPION: OLD, CANARY: NEW, **(aliases or {})}, held)


def said(
    gateway: str,
    at: int = NOW,
    *,
    version: str = OLD,
    state: str = "active",
    candidate: str = "",
    stage: str = "",
    reason: str = "",
) -> Report:
    """One gateway's report."""
    model = ModelReport("pump", version, "", 0, state, candidate, stage, reason)
    return Report(Gateway(gateway), "0.2.0", at, (model,))


def told(how: dict[str, str], gateway: str, at: int = NOW) -> Report:
    """The same, with what differs from a gateway that has met nothing new."""
    return said(gateway, at, **how)


def well(gateway: str, at: int = NOW) -> Report:
    """It scores with the new version."""
    return said(gateway, at, version=NEW)


def refused(gateway: str, at: int = NOW) -> Report:
    """It took the new version off again."""
    why = "the score is NaN"
    return said(
        gateway, at, state="returned", candidate=NEW, stage="refused", reason=why
    )


def judged(of: Listing, reports: list[Report], now: int = NOW) -> Decision:
    """What is decided."""
    rollout = rollout_of(of)
    assert rollout is not None
    return judge(rollout, of, reports, now)


def test_a_share_that_was_well_for_long_enough_widens() -> None:
    """An hour after enough gateways score with it the next share begins."""
    reports = [*map(well, INSIDE), *map(said, OUTSIDE)]
    hour = int(HOUR) * NANOSECONDS

    first = judged(listing(), reports)
    early = judged(listing(well=NOW - hour + NANOSECONDS), reports)
    due = judged(listing(well=NOW - hour), reports)

    assert (first.kind, first.well) == (Kind.WAIT, NOW)
    assert (early.kind, early.well) == (Kind.WAIT, NOW - hour + NANOSECONDS)
    assert (due.kind, due.percent) == (Kind.WIDEN, 50)


def test_behind_the_last_share_it_becomes_champion() -> None:
    """Everybody has been well with it for the time of a watch."""
    reports = [*map(well, INSIDE), *map(well, OUTSIDE)]

    decision = judged(listing(100, well=BEGAN), reports)

    assert decision.kind is Kind.PROMOTE
    assert "40 of 40 gateways are well" in decision.reason


def test_a_share_that_takes_in_nobody_is_passed_over() -> None:
    """Three gateways that are all in the first share need no second."""
    decision = judged(listing(well=BEGAN), [*map(well, INSIDE[:3])])

    assert decision.kind is Kind.PROMOTE


def test_the_first_failure_halts_by_default() -> None:
    """The reason names the gateway and what it said."""
    decision = judged(listing(well=BEGAN), [*map(well, INSIDE[1:]), refused(INSIDE[0])])

    assert decision.kind is Kind.HALT
    assert INSIDE[0] in decision.reason
    assert "the score is NaN" in decision.reason


@pytest.mark.parametrize(
    "how",
    [
        {"candidate": NEW, "stage": "refused"},
        {"candidate": NEW, "stage": "failed"},
        {"candidate": NEW, "stage": "refused", "state": "limits", "version": ""},
        {"version": NEW, "state": "limits"},
    ],
)
def test_what_counts_as_failed(how: dict[str, str]) -> None:
    """Refused before it scored, or taken off after."""
    assert judged(listing(), [told(how, INSIDE[0])]).kind is Kind.HALT


@pytest.mark.parametrize(
    "how",
    [
        {"candidate": "3", "stage": "refused"},
        {"state": "returned", "reason": "version 0 was bad"},
        {"state": "returned", "candidate": NEW, "stage": "shadow"},
        {"version": "", "state": "limits"},
        {"version": NEW, "state": "returned"},
    ],
)
def test_what_another_version_did_is_not_held_against_it(how: dict[str, str]) -> None:
    """A gateway that fell back before the rollout, or has met a worse one since."""
    assert judged(listing(), [told(how, INSIDE[0])]).kind is Kind.WAIT


def test_failures_count_wherever_they_are_told() -> None:
    """Outside the share, from a wrong clock, and from a gateway long gone."""
    for report in (refused(OUTSIDE[0]), refused(INSIDE[0], 0), refused(INSIDE[0], 1)):
        assert judged(listing(), [report]).kind is Kind.HALT


def test_a_share_of_failures_can_be_allowed() -> None:
    """Of 20 that met it, 10 % is two: one is borne, the second halts."""
    rules = Rules(failed=Limit.of("10%"))
    some = [*map(well, INSIDE[2:]), *map(refused, INSIDE[:2])]

    borne = judged(listing(well=BEGAN, rules=rules), [well(INSIDE[1]), *some[:18]])
    one = judged(
        listing(well=BEGAN, rules=rules), [well(INSIDE[0]), *some[:-2], some[-1]]
    )
    two = judged(listing(well=BEGAN, rules=rules), some)

    assert (borne.kind, one.kind, two.kind) == (Kind.PROMOTE, Kind.PROMOTE, Kind.HALT)


def test_a_failure_that_is_borne_is_no_gateway_that_is_well() -> None:
    """It is told beside those that are waited for."""
    rules = Rules(failed=Limit(3))
    some = [*map(well, INSIDE[:7]), *map(said, INSIDE[7:9]), refused(INSIDE[9])]

    decision = judged(listing(well=BEGAN, rules=rules), some)

    assert decision.kind is Kind.WAIT
    assert "7 of 10 gateways are well, 9 are needed, it failed on 1" in decision.reason


def test_a_share_that_can_no_longer_be_well_is_halted() -> None:
    """Else nothing would end the rollout: ninety percent of nine are all of them."""
    rules = Rules(failed=Limit(3))
    some = [*map(well, INSIDE[:8]), refused(INSIDE[8])]

    decision = judged(listing(well=BEGAN, rules=rules), some)

    assert decision.kind is Kind.HALT
    assert decision.reason.endswith("; 9 of 9 can no longer be well")


def test_enough_gateways_must_score_with_it() -> None:
    """One of ten may be slow, two are waited for by name, and the watch is over."""
    coming = said(INSIDE[0], candidate=NEW, stage="shadow")
    nine = [*map(well, INSIDE[1:10])]

    assert judged(listing(well=BEGAN), [*nine, coming]).kind is Kind.PROMOTE
    slow = judged(listing(well=BEGAN), [*nine[1:], said(INSIDE[1]), coming])

    assert (slow.kind, slow.well) == (Kind.WAIT, 0)
    assert INSIDE[0] in slow.reason
    assert INSIDE[1] in slow.reason


def test_few_gateways_are_no_proof() -> None:
    """So many as the rules say must be well, however small the share."""
    decision = judged(
        listing(well=BEGAN, rules=Rules(least=4)), [*map(well, INSIDE[:3])]
    )

    assert decision.kind is Kind.WAIT
    assert "4 are needed" in decision.reason


HOURS = 3600 * NANOSECONDS


@pytest.mark.parametrize(
    ("report", "standing"),
    [
        (well(INSIDE[0]), Standing.WELL),
        (said(INSIDE[0], candidate=NEW, stage="fetched"), Standing.COMING),
        (said(INSIDE[0]), Standing.WAITING),
        (said(INSIDE[0], stage="held"), Standing.HELD),
        (said(OUTSIDE[0]), Standing.OUTSIDE),
        (well(INSIDE[0], NOW - 3 * HOURS), Standing.QUIET),
        (said(INSIDE[0], NOW - 3 * HOURS), Standing.QUIET),
        (said(INSIDE[0], NOW - 20 * HOURS), Standing.SILENT),
        (said(INSIDE[0], 5), Standing.CLOCK),
        (well(INSIDE[0], 5), Standing.CLOCK),
        (well(INSIDE[0], NOW - 20 * HOURS), Standing.CLOCK),
        (well(INSIDE[0], NOW + 20 * HOURS), Standing.CLOCK),
        (refused(OUTSIDE[0]), Standing.FAILED),
    ],
)
def test_how_a_gateway_stands(report: Report, standing: Standing) -> None:
    """By what its last report says and how old that is."""
    (stand,) = judged(listing(), [report]).stands.each

    assert stand.standing is standing


def test_a_gateway_with_an_alias_of_its_own_is_counted_apart() -> None:
    """Whether it is pinned to another version or to this one."""
    for version in (OLD, NEW):
        of = listing(aliases={f"gw-{INSIDE[0]}": version})
        (stand,) = judged(of, [said(INSIDE[0])]).stands.each
        assert stand.standing is Standing.PINNED


@pytest.mark.parametrize("at", [5, NOW - 20 * HOURS, NOW + 20 * HOURS])
def test_a_clock_that_is_wrong_carries_nothing_on(at: int) -> None:
    """A report from 1970 proves neither that a gateway is well nor that it is gone."""
    reports = [well(name, at) for name in INSIDE]

    alone = judged(listing(well=BEGAN), reports)
    beside = judged(listing(well=BEGAN), [*reports[1:], well(INSIDE[0])])

    assert alone.kind is Kind.WAIT
    assert "20 wrong clock" in alone.reason
    assert beside.kind is Kind.PROMOTE


def test_gateways_that_fall_silent_stop_it_and_halt_it() -> None:
    """After two hours they are waited for, after a day they are a reason to halt."""
    gone = [well(name, NOW) for name in INSIDE[:4]]

    def after(hours: int) -> Decision:
        now = NOW + hours * HOURS
        alive = [well(name, now) for name in INSIDE[4:]]
        return judged(listing(well=BEGAN), [*gone, *alive], now)

    assert after(2).kind is Kind.PROMOTE
    assert after(3).kind is Kind.WAIT
    assert after(30).kind is Kind.HALT
    assert "4 gateways said nothing" in after(30).reason


def test_a_last_good_word_is_no_proof() -> None:
    """Who has said nothing since the watch began may have been ended by the version."""
    began = NOW - int(1.5 * HOURS)
    before = [well(name, began - 1) for name in INSIDE[:3]]
    since = [well(name, began) for name in INSIDE[3:]]

    waits = judged(listing(well=began), [*before, *since])
    enough = judged(listing(well=began), [*before[1:], well(INSIDE[0]), *since])

    assert (waits.kind, waits.well) == (Kind.WAIT, began)
    assert f"another report of {INSIDE[0]}, {INSIDE[1]}" in waits.reason
    assert enough.kind is Kind.PROMOTE


def test_a_gateway_that_was_off_before_holds_nothing_up() -> None:
    """It takes the version when it comes back."""
    off = [said(name, NOW - 50 * HOURS) for name in INSIDE[:10]]

    decision = judged(listing(well=BEGAN), [*off, *map(well, INSIDE[10:])])

    assert decision.kind is Kind.PROMOTE
    assert decision.stands.counts[Standing.SILENT] == 10


def test_what_a_person_did_is_not_undone() -> None:
    """A pause, or an alias that was moved or removed, waits; a failure still halts."""
    some = [*map(well, INSIDE)]
    paused = listing(well=BEGAN, tags={PAUSED: "true"})
    moved = listing(well=BEGAN, aliases={CANARY: "3"})
    removed = Listing("pump", {CHAMPION: OLD}, listing(well=BEGAN).tags)

    for of in (paused, moved, removed):
        assert judged(of, some).kind is Kind.WAIT
        assert judged(of, [*some, refused(OUTSIDE[0])]).kind is Kind.HALT


def test_what_was_cut_short_is_finished() -> None:
    """A halt or a promotion of which only the first write was done."""
    halted = listing(tags={HALTED + NEW: "by hand"})
    champion = listing(aliases={CHAMPION: NEW})

    assert judged(halted, []).kind is Kind.HALT
    assert judged(champion, [*map(said, INSIDE)]).kind is Kind.PROMOTE
    assert judged(champion, [refused(INSIDE[0])]).kind is Kind.HALT


def test_nobody_to_ask_is_waited_for() -> None:
    """A rollout to no gateway is not a rollout that went well."""
    assert judged(listing(well=BEGAN), []).kind is Kind.WAIT
    assert judged(listing(well=BEGAN), [*map(said, OUTSIDE)]).kind is Kind.WAIT


def test_a_watch_that_began_in_the_future_begins_anew() -> None:
    """The clock of the machine that looked before was ahead."""
    decision = judged(listing(well=NOW + HOURS), [*map(well, INSIDE)])

    assert (decision.kind, decision.well) == (Kind.WAIT, NOW)


def test_the_first_share_holds_a_gateway() -> None:
    """Ten percent of three gateways may be nobody: then it is a little more."""
    free = Listing("pump", {CHAMPION: OLD})
    reports = [*map(said, OUTSIDE[:3])]

    share = first_share(Rules(), free, reports)
    begun = replace(free, tags={CANARY_PERCENT: f"{share:g}"})

    assert sum(in_canary(begun, r.gateway) for r in reports) == 1
    assert first_share(Rules(), free, [*map(said, INSIDE)]) == 10
    assert first_share(Rules(), free, []) == 10
    pinned = replace(free, aliases={CHAMPION: OLD, f"gw-{OUTSIDE[0]}": OLD})
    assert first_share(Rules(), pinned, [said(OUTSIDE[0])]) == 10


def test_control_characters_of_a_gateway_reach_no_terminal() -> None:
    """Its reason is shown to the person at the centre."""
    bad = refused("gw\x1b[2J")
    model = replace(bad.models[0], reason="\x1b]0;owned\x07" + "x" * 5000)

    decision = judged(listing(), [replace(bad, models=(model,))])

    assert decision.reason.isprintable()
    assert len(decision.reason) < 400


@pytest.mark.parametrize(
    ("text", "of_10", "of_200"),
    [("1", 1, 1), ("5", 5, 5), ("5%", 1, 10), ("7 %", 1, 14), ("100%", 10, 200)],
)
def test_a_limit_is_a_number_or_a_share(text: str, of_10: int, of_200: int) -> None:
    """A share is one gateway at least."""
    assert Limit.of(text).among(10) == of_10
    assert Limit.of(text).among(200) == of_200


@pytest.mark.parametrize("text", ["", "0", "-1", "101%", "1e3", "one", "5%5", "nan%"])
def test_a_limit_that_is_none_is_told(text: str) -> None:
    """The operator reads what may be written."""
    with pytest.raises(ValueError, match=r"3 nor|most 100"):
        Limit.of(text)


def test_tags_hold_a_rollout() -> None:
    """Whoever reads them knows the version, its share, its rules and its watch."""
    rules = Rules((5, 100), 60.0, failed=Limit(2, 0.1))

    found = rollout_of(listing(5, well=NOW, rules=rules))

    assert found is not None
    assert (found.version, found.percent, found.since) == (NEW, 5, BEGAN)
    assert (found.well, found.rules) == (NOW, rules)
    assert rollout_of(Listing("pump", {CHAMPION: OLD})) is None


@pytest.mark.parametrize(
    "tags",
    [
        {ROLLOUT_RULES: ""},
        {ROLLOUT_RULES: "[" * 100_000},
        {ROLLOUT_RULES: '{"steps": []}'},
        {ROLLOUT_RULES: '{"watch": -1}'},
        {ROLLOUT_SINCE: "yesterday"},
        {ROLLOUT_SINCE: "2026-01-01T00:00:00"},
        {ROLLOUT_WELL: "9" * 400},
        {CANARY_PERCENT: "nan"},
        {CANARY_PERCENT: "many"},
    ],
)
def test_tags_that_cannot_be_read_are_told(tags: dict[str, str]) -> None:
    """Nothing is guessed: the text says what to do."""
    with pytest.raises(ModelRejected, match="halt the rollout"):
        rollout_of(listing(tags=tags))


def applied(of: Listing, some: list[steering.Write]) -> Listing:
    """A listing after writes."""
    aliases, tags = dict(of.aliases), dict(of.tags)
    for one in some:
        words = aliases if one.alias else tags
        words.pop(one.key, None)
        if one.value is not None:
            words[one.key] = one.value
    return replace(of, aliases=aliases, tags=tags)


def test_a_rollout_leaves_nothing_behind() -> None:
    """Promoted: the alias and the memory of the one before; halted: why."""
    free = Listing("pump", {CHAMPION: OLD, "challenger": NEW})
    begun = applied(free, steering.begin(free, NEW, Rules(), 10, NOW))

    promoted = applied(begun, steering.promote(begun, NEW))
    halted = applied(begun, steering.halt(begun, NEW, "it is\nwrong"))

    assert rollout_of(begun) is not None
    assert (promoted.aliases, promoted.tags) == ({CHAMPION: NEW}, {FORMER: OLD})
    assert (halted.aliases, halted.tags) == (
        {CHAMPION: OLD},
        {HALTED + NEW: "it is wrong"},
    )


def test_a_wider_share_is_watched_anew() -> None:
    """The time that the smaller one was well is not its own."""
    of = listing(well=BEGAN)
    reports = [*map(well, INSIDE), *map(well, OUTSIDE)]
    rollout = rollout_of(of)
    assert rollout is not None

    some = steering.carry_out(judged(of, reports), rollout, of)
    wider = applied(of, some)

    assert wider.tags[CANARY_PERCENT] == "50"
    assert judged(wider, reports).well == NOW
    assert some[0] == steering.Write(ROLLOUT_WELL, None)


def test_halting_a_champion_gives_back_the_one_before() -> None:
    """Unless that is halted too: then there is none to give."""
    champion = Listing("pump", {CHAMPION: NEW}, {FORMER: OLD})
    neither = replace(champion, tags={FORMER: OLD, HALTED + OLD: "no"})

    halted = applied(champion, steering.halt(champion, NEW, "bad"))
    both = applied(neither, steering.halt(neither, NEW, "bad"))

    assert (halted.aliases, halted.tags) == ({CHAMPION: OLD}, {HALTED + NEW: "bad"})
    assert both.aliases == {CHAMPION: NEW}
    assert set(both.halted) == {OLD, NEW}


def test_halting_another_version_leaves_the_rollout() -> None:
    """Its share and its rules stay."""
    of = listing()

    halted = applied(of, steering.halt(of, "7", "bad"))

    assert rollout_of(halted) == rollout_of(of)
    assert halted.aliases == of.aliases


def test_begun_again_it_goes_on_with_new_rules() -> None:
    """The share does not shrink under gateways that have the version."""
    of = listing(50, well=NOW)

    again = rollout_of(applied(of, steering.begin(of, NEW, Rules(watch=60), 10, NOW)))

    was = rollout_of(of)
    assert was is not None
    assert again == replace(was, rules=Rules(watch=60))


def test_a_rollout_that_cannot_be_read_is_begun_anew() -> None:
    """That is what its error tells the operator to do."""
    of = listing(50, tags={ROLLOUT_SINCE: "yesterday"})

    anew = rollout_of(applied(of, steering.begin(of, NEW, Rules(), 10, NOW)))

    assert anew is not None
    assert (anew.percent, anew.since) == (10, NOW)


_REPORTS = st.builds(
    lambda name, at, how: told(how, name, at),
    st.sampled_from([*INSIDE[:6], *OUTSIDE[:3]]),
    st.sampled_from([0, BEGAN - 30 * HOURS, NOW - 26 * HOURS, NOW - 3 * HOURS, NOW]),
    st.sampled_from(
        [
            {},
            {"version": NEW},
            {"candidate": NEW, "stage": "shadow"},
            {"candidate": NEW, "stage": "refused", "state": "returned"},
            {"stage": "held"},
        ]
    ),
)
_FLEETS = st.lists(_REPORTS, max_size=12)
_LISTINGS = st.builds(
    lambda percent, since, failed, lost, enough: listing(
        percent,
        well=since,
        rules=Rules(failed=failed, lost=lost, enough=enough),
        tags={ROLLOUT_SINCE: write_time(NOW - 30 * HOURS)},
    ),
    st.sampled_from([10, 50, 100]),
    st.sampled_from([0, BEGAN, NOW]),
    st.sampled_from([Limit(1), Limit(3), Limit(1, 0.3)]),
    st.sampled_from([Limit(1), Limit(2, 0.2)]),
    st.sampled_from([0.5, 0.9, 1.0]),
)


@given(_LISTINGS, _FLEETS, st.randoms(use_true_random=False))
def test_the_order_of_reports_changes_nothing(
    of: Listing,
    reports: list[Report],
    random: Random,
) -> None:
    """Registries list gateways as they like, and one twice after a lost answer."""
    shuffled = [*reports, *reports[:2]]
    random.shuffle(shuffled)

    assert judged(of, shuffled) == judged(of, reports)


@given(_LISTINGS, _FLEETS, st.data())
def test_more_failures_never_carry_a_rollout_on(
    of: Listing, reports: list[Report], data: st.DataObject
) -> None:
    """What was halted stays halted, what waited does not go on, when another fails."""
    once = list({r.gateway.name: r for r in reports}.values())
    before = judged(of, once)
    lost = {stand.gateway for stand in before.stands.of(Standing.LOST)}
    names = sorted({*INSIDE[:8], *OUTSIDE[:3]} - lost)
    bad = data.draw(st.sets(st.sampled_from(names), min_size=1))

    after = judged(
        of,
        [*(r for r in once if r.gateway.name not in bad), *map(refused, sorted(bad))],
    )

    if before.kind is Kind.HALT:
        assert after.kind is Kind.HALT
    if before.kind is Kind.WAIT:
        assert after.kind in (Kind.WAIT, Kind.HALT)


@given(_LISTINGS, _FLEETS)
def test_a_rollout_ends_one_way(of: Listing, reports: list[Report]) -> None:
    """What is written never makes a version champion and halted at once."""
    rollout = rollout_of(of)
    assert rollout is not None
    decision = judged(of, reports)

    after = applied(of, steering.carry_out(decision, rollout, of))

    promoted = after.aliases.get(CHAMPION) == NEW
    assert promoted == (decision.kind is Kind.PROMOTE)
    assert (NEW in after.halted) == (decision.kind is Kind.HALT)
    assert (rollout_of(after) is None) == (promoted or NEW in after.halted)


@given(_LISTINGS, _FLEETS, st.integers(0, 12))
def test_a_step_that_was_cut_ends_the_same(
    of: Listing, reports: list[Report], done: int
) -> None:
    """Wherever the machine that looked was killed, the next look ends it as begun."""
    rollout = rollout_of(of)
    assert rollout is not None
    decision = judged(of, reports)
    some = steering.carry_out(decision, rollout, of)
    half = applied(of, some[:done])

    left = rollout_of(half)
    if left is None:
        ended = applied(of, some)
        assert half.aliases == ended.aliases
        assert set(half.tags) - {ROLLOUT_RULES, ROLLOUT_SINCE} == set(ended.tags)
    elif decision.kind in (Kind.HALT, Kind.PROMOTE) and done:
        again = judge(left, half, reports, NOW)
        ended = applied(half, steering.carry_out(again, left, half))
        assert ended == applied(of, some)
