"""Answers are right whatever lies in the archive, and say what was left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edge_agent.centre.names import Named, sha_of
from edge_agent.errors import ArchiveUnavailable
from edge_agent.fleet import lines
from edge_agent.fleet.compaction import compact
from edge_agent.fleet.folder import Folder
from edge_agent.fleet.losses import losses
from edge_agent.fleet.models import models
from edge_agent.fleet.overview import overview
from tests.fleet.made import BEGIN, DAY_US, EVER, HOUR_US, Row, health, parquet, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.fleet.lake import Lake

NOW = (BEGIN + 40 * DAY_US) * 1000


def lost(seq: int, count: int = 1, **columns: object) -> Row:
    """A loss of the first day."""
    return {
        "ts": BEGIN + seq,
        "boot": 1,
        "seq": seq,
        "what": "rows",
        "subject": "score",
        "cause": "the disk was full",
        "count": count,
        "first": BEGIN,
        "last": BEGIN + seq,
        **columns,
    }


def total(lake: Lake) -> int:
    """Rows lost in all."""
    return sum(one.count for one in losses(lake))


def test_a_loss_of_no_known_number_is_no_loss_of_nothing(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """What an agent missed while it did not run nobody has counted: it is said."""
    put(archive, "losses", "s", "g", [lost(1, 0, what="samples"), lost(2, 3)])
    put(archive, "losses", "s", "h", [lost(3, 0), lost(4, 0, what="samples")])
    found = losses(opened())

    told = {one.what: (one.count, one.unknown, one.how_many) for one in found}
    assert told == {
        "rows": (3, 1, "3 + not known"),
        "samples": (0, 2, "not known"),
    }
    assert [row[4] for row in lines.losses(found)] == ["3 + not known", "not known"]


def test_a_fresh_fleet_has_answers_too(opened: Callable[..., Lake]) -> None:
    """No table is there yet: nothing is found, nothing fails."""
    found = overview(opened(), NOW)

    assert (found.gateways, found.models, found.drift, found.silent) == (0, (), (), ())


def test_an_object_written_again_with_more_rows_counts_once(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """A gateway cut off before the acknowledgement sends the same rows again."""
    put(archive, "losses", "s", "g", [lost(i) for i in range(10)])
    put(archive, "losses", "s", "g", [lost(i) for i in range(15)])
    put(archive, "losses", "s", "g", [lost(i) for i in range(15, 20)])

    assert total(opened()) == 20


def test_the_same_bytes_under_another_name_count_once(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """A copy made by hand adds nothing."""
    rows = [lost(i) for i in range(10)]
    put(archive, "losses", "s", "g", rows)
    put(archive, "losses", "s", "g", rows, ids=(1000, 2000))

    assert total(opened()) == 10


def test_gateways_of_one_name_at_two_sites_are_two(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Their boots and numbers may be the same."""
    for site in ("north", "south"):
        put(archive, "losses", site, "line1", [lost(i) for i in range(10)])

    assert total(opened()) == 20


def test_a_store_that_began_anew_may_number_its_rows_again(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Rows of equal numbers but other times are different rows."""
    put(archive, "losses", "s", "g", [lost(i) for i in range(10)])
    again = [lost(i, ts=BEGIN + HOUR_US + i) for i in range(10)]
    put(archive, "losses", "s", "g", again)

    assert total(opened()) == 20


def test_compaction_changes_no_answer_wherever_it_is_cut_off(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Before, between the new object and the removal of the old, and after."""
    for first in range(0, 40, 10):
        put(archive, "losses", "s", "g", [lost(i) for i in range(first, first + 12)])
    before = total(opened())
    old = {path: path.read_bytes() for path in archive.rglob("*.parquet")}

    done = compact(opened(), "losses")
    left = list(archive.rglob("*.parquet"))
    after = total(opened())
    for path, body in old.items():
        path.write_bytes(body)
    between = total(opened())
    again = compact(opened(), "losses")

    assert (done.before, done.after, len(left)) == (4, 1, 1)
    assert before == after == between == 42
    assert again.before == 5
    assert list(archive.rglob("*.parquet")) == left  # the same rows, the same name


def test_compaction_keeps_columns_it_does_not_know(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """A centre that is older than its gateways loses nothing."""
    put(archive, "losses", "s", "g", [lost(1)], without=["cause"])
    put(archive, "losses", "s", "g", [lost(2, shift="night")])

    compact(opened(), "losses")
    lake = opened()

    (path,) = archive.rglob("*.parquet")
    assert b"shift" in path.read_bytes()
    assert total(lake) == 2


def test_compaction_leaves_the_day_that_goes_on_and_what_is_damaged(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Gateways still write to one, and a person must look at the other."""
    put(archive, "losses", "s", "g", [lost(1)])
    put(archive, "losses", "s", "g", [lost(2)])
    put(archive, "losses", "s", "bad", [lost(1)])
    (one,) = put(archive, "losses", "s", "bad", [lost(2)])
    (archive / str(one)).write_bytes(b"PAR1 and nothing else")
    today = replace(EVER, until=(BEGIN + HOUR_US) * 1000)

    assert compact(opened(today), "losses").before == 0
    done, lake = compact(tried := opened(), "losses"), opened()

    assert (done.before, list(tried.left_out)) == (2, [str(one)])
    assert total(lake) == 3


def test_old_objects_lack_columns_and_new_ones_have_more(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """What is not there is null, what is not known is not read."""
    put(archive, "health", "s", "old", [health(BEGIN)], without=["agent_version"])
    put(archive, "health", "s", "new", [health(BEGIN, firmware="7")])

    found = {one.gateway: one for one in models(opened(), NOW)}

    assert found["old"].agent_version == ""
    assert found["new"].agent_version == "0.1"


@pytest.mark.parametrize("kept", [0, 7, -1])
def test_a_half_written_object_is_named_and_left_out(
    archive: Path, opened: Callable[..., Lake], kept: int
) -> None:
    """The others are answered."""
    put(archive, "losses", "s", "g", [lost(1)])
    (half,) = put(archive, "losses", "s", "h", [lost(2)])
    path = archive / str(half)
    path.write_bytes(path.read_bytes()[:kept])
    lake = opened()

    assert total(lake) == 1
    assert lake.left_out == {str(half): "is damaged, or half-written"}


def test_a_bit_that_turned_is_seen(archive: Path, opened: Callable[..., Lake]) -> None:
    """Also where the file can still be read."""
    (one,) = put(archive, "losses", "s", "g", [lost(i, i) for i in range(500)])
    path = archive / str(one)
    body = bytearray(path.read_bytes())
    body[len(body) // 3] ^= 4
    path.write_bytes(bytes(body))
    lake = opened()

    assert total(lake) == 0
    assert list(lake.left_out) == [str(one)]


def _named(table: str, body: bytes, gateway: str) -> Named:
    return Named(table, "s", gateway, "2026-01-01", 1, 2, sha_of(body))


def test_what_is_named_rightly_and_cannot_be_read_is_left_out(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """No Parquet at all, or columns of another kind."""
    put(archive, "losses", "s", "g", [lost(1)])
    odd = parquet("labels", [{"ts": BEGIN, "label": "x"}])
    strange = parquet("losses", [{**lost(2), "count": "many"}], texts=["count"])
    bodies = {"no parquet": b"PAR1 text PAR1", "strange": strange, "other": odd}
    for gateway, body in bodies.items():
        path = archive / str(_named("losses", body, gateway))
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
    lake = opened()

    assert total(lake) == 1
    left = {str(_named("losses", bodies[g], g)) for g in ("no parquet", "strange")}
    assert set(lake.left_out) == left


def test_odd_names_of_sites_and_gateways_are_names(
    archive: Path, opened: Callable[..., Lake]
) -> None:
    """Slashes, quotes, patterns and letters of any script."""
    names = ("a/b", "x'y\"z", "*?[1]{}", "üñ 中", "..", "%2F", "site=q", " ", "day=1")
    for name in names:
        put(archive, "losses", name, name, [lost(1)])
    lake = opened()

    assert sorted(one.site for one in losses(lake)) == sorted(names)
    only = opened(replace(EVER, site="a/b", gateway="a/b"))
    assert [one.site for one in losses(only)] == ["a/b"]
    assert lake.left_out == {}


def test_links_are_not_followed(
    archive: Path, opened: Callable[..., Lake], tmp_path: Path
) -> None:
    """An archive that others write to leads nowhere else."""
    (one,) = put(tmp_path / "elsewhere", "losses", "s", "g", [lost(1)])
    (archive / "losses").mkdir()
    (archive / "losses" / "site=s").symlink_to(tmp_path / "elsewhere/losses/site=s")
    folder = archive / "losses" / "site=t" / "gateway=g" / "day=2026-01-01"
    folder.mkdir(parents=True)
    (folder / str(one).rsplit("/", 1)[-1]).symlink_to(tmp_path / "elsewhere" / str(one))

    assert total(opened()) == 0


def test_an_archive_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(ArchiveUnavailable, match="is no folder"):
        Folder(tmp_path / "none")
