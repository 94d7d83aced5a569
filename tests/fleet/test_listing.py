"""Which objects are read row by row, so that each row counts once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.centre.names import Named
from edge_agent.fleet.asked import DAY, Asked
from edge_agent.fleet.listing import NOT_NAMED, apart, gateway_of, listed

EVER = Asked(0, 40_000 * DAY)
DAYS = ("2026-01-01", "2026-01-02")


def named(first: int, last: int, sha: int, day: str = DAYS[0]) -> Named:
    """An object of one gateway."""
    return Named("health", "s", "g", day, first, last, f"{sha:016x}")


STRETCHES = st.lists(
    st.builds(
        lambda first, length, sha, day: named(first, first + length, sha, day),
        st.integers(0, 40),
        st.integers(0, 6),
        st.integers(0, 2**32),
        st.sampled_from(DAYS),
    ),
    max_size=12,
    unique=True,
)


@given(STRETCHES)
def test_objects_that_are_read_as_they_are_share_no_row(objects: list[Named]) -> None:
    """An object alone overlaps with no other of its day; none is lost."""
    alone, shared = apart(objects)

    kept = {(one.folder, one.sha) for one in (*alone, *shared)}
    assert kept == {(one.folder, one.sha) for one in objects}
    for one in alone:
        for other in (*alone, *shared):
            if other != one and other.folder == one.folder:
                assert other.last < one.first or one.last < other.first


def test_the_same_bytes_under_two_names_are_one_object() -> None:
    """A copy whose name tells other rows adds nothing."""
    one, copy = named(1, 5, 7), named(6, 9, 7)

    assert apart([one, copy]) == ([one], [])


def test_names_that_are_none_are_told_and_folders_are_known() -> None:
    """A stranger's file is left out with its name; a writer's own is not there yet."""
    fine = str(named(1, 2, 3))
    folder = fine.rsplit("/", 1)[0]
    names = [
        *(fine, f"{folder}/notes.parquet", f"{folder}/.{fine[-20:]}.new"),
        "health/site=s/gateway=empty/",
    ]

    found = listed("health", names, EVER)

    assert [str(one) for one in found.objects] == [fine]
    assert found.left_out == {f"{folder}/notes.parquet": NOT_NAMED}
    assert found.gateways == {("s", "g"), ("s", "empty")}


def test_names_that_are_quoted_otherwise_are_no_objects() -> None:
    """A name has one spelling, so that a copy lies where it is looked for."""
    fine = str(Named("health", "a b", "g", DAYS[0], 1, 2, "0" * 16))

    found = listed("health", [fine.replace("%20", " ")], EVER)

    assert found.objects == ()
    assert list(found.left_out.values()) == [NOT_NAMED]


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_any_site_and_gateway_come_back(site: str, gateway: str) -> None:
    """Names with slashes, quotes or letters of any script are names."""
    try:
        one = Named("alarms", site, gateway, DAYS[0], 1, 2, "0" * 16)
        name = str(one)
    except UnicodeEncodeError:
        return  # half a character is no text

    assert listed("alarms", [name], EVER).objects == (one,)
    assert gateway_of(name) == (site, gateway)


def test_other_days_sites_and_gateways_are_not_read() -> None:
    """What is asked decides which objects are opened."""
    names = [str(named(1, 2, 3)), str(named(3, 4, 5, DAYS[1]))]
    day = 20_454 * DAY  # 2026-01-01

    assert len(listed("health", names, Asked(day, day + DAY)).objects) == 1
    assert len(listed("health", names, Asked(day, day + DAY + 1)).objects) == 2
    assert listed("health", names, Asked(day, day + DAY, site="x")).objects == ()
    assert listed("health", names, Asked(day, day + DAY, gateway="x")).objects == ()
