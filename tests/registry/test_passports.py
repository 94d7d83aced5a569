"""Passports that outlive their bundles."""

from __future__ import annotations

import hashlib
import os
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edge_agent.bundle.contents import bundle_digest
from edge_agent.errors import ModelRejected
from edge_agent.registry import passports
from tests.model import bundles

if TYPE_CHECKING:
    from pathlib import Path


def keep(folder: Path, number: int) -> str:
    """Keep a text that is no passport; returns its digest."""
    text = f"number: {number}\n".encode()
    sums = {"passport.yaml": hashlib.sha256(text).hexdigest()}
    digest = bundle_digest(sums)
    passports.keep(folder, digest, text, sums)
    return digest


def test_a_passport_outlives_its_bundle(tmp_path: Path) -> None:
    """Who approved the model is there when its folder is gone, by its first digits."""
    bundle = bundles.make(tmp_path / "models")
    folder = tmp_path / "state" / "passports"
    passports.keep_from(folder, bundle.path, bundle.digest)
    shutil.rmtree(tmp_path / "models")

    digest, passport = passports.find(folder, bundle.sha8.upper())
    assert (digest, passport) == (bundle.digest, bundle.passport)
    assert passport.approver == "Test Bench"
    assert passports.digests(folder) == [bundle.digest]


def test_a_bundle_that_changed_meanwhile_is_not_kept(tmp_path: Path) -> None:
    """What lies under a digest is what was commissioned under it, or nothing."""
    bundle = bundles.make(tmp_path / "models")
    bundles.rewrite(bundle.path, lambda text: text.update(approver="Somebody Else"))

    with pytest.raises(ModelRejected, match="not the digest"):
        passports.keep_from(tmp_path / "kept", bundle.path, bundle.digest)
    assert passports.digests(tmp_path / "kept") == []


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_changed_passport_is_found_out(tmp_path: Path, suffix: str) -> None:
    """Another approver written into the kept file is not believed."""
    bundle = bundles.make(tmp_path / "models")
    passports.keep_from(tmp_path, bundle.path, bundle.digest)
    file = tmp_path / f"{bundle.digest}.{suffix}"
    body = file.read_bytes()
    for changed in (
        body.replace(b"a", b"b", 1),
        body[:-30],
        b"",
        b"\xff" * 100,
        b"{}",
        bytes(2_000_000),
    ):
        file.write_bytes(changed)
        with pytest.raises(ModelRejected):
            passports.find(tmp_path, bundle.sha8)
    # the next start makes it good again
    passports.keep_from(tmp_path, bundle.path, bundle.digest)
    assert passports.find(tmp_path, bundle.sha8)[1] == bundle.passport


def test_who_signed_is_kept_and_not_forgotten(tmp_path: Path) -> None:
    """A start that does not know the key takes it from nobody; a new key is noted."""
    bundle = bundles.make(tmp_path / "models")
    text = (bundle.path / "passport.yaml").read_bytes()
    sums = dict(bundle.passport.files)
    sums["passport.yaml"] = hashlib.sha256(text).hexdigest()
    passports.keep(tmp_path, bundle.digest, text, sums, signed_by="ci-2026")
    passports.keep_from(tmp_path, bundle.path, bundle.digest)
    first = passports.read(tmp_path, bundle.digest).signed_by
    passports.keep(tmp_path, bundle.digest, text, sums, signed_by="ci-2027")

    assert first == "ci-2026"
    assert passports.read(tmp_path, bundle.digest).signed_by == "ci-2027"


def test_an_ambiguous_beginning_names_the_candidates(tmp_path: Path) -> None:
    """Two digests that begin alike: the reader is asked for more digits."""
    found = sorted(keep(tmp_path, number) for number in range(40))
    twice = next(a[0] for a, b in pairwise(found) if a[0] == b[0])
    alike = [digest for digest in found if digest.startswith(twice)]

    with pytest.raises(ModelRejected, match=f"{len(alike)} models: write more") as why:
        passports.find(tmp_path, twice)
    assert all(digest in str(why.value) for digest in alike[:5])
    assert passports.digests(tmp_path, twice) == alike


@pytest.mark.parametrize("prefix", ["", "xyz", "../..", "0" * 65, "\0", "ffffffff"])
def test_what_was_never_kept_is_said_to_be_missing(tmp_path: Path, prefix: str) -> None:
    """An unknown or impossible digest is refused in words; no other file is opened."""
    keep(tmp_path, 1)
    (tmp_path / "notes.yaml").write_text("approver: nobody\n")

    with pytest.raises(ModelRejected, match="no passport"):
        passports.find(tmp_path, prefix)
    with pytest.raises(ModelRejected, match="no passport"):
        passports.find(tmp_path / "missing", prefix)
    with pytest.raises(ModelRejected, match="no passport"):
        passports.read(tmp_path, "notes")


def test_the_one_unused_for_longest_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the cap a model that was used again stays, an older use goes."""
    monkeypatch.setattr(passports, "KEPT", 3)
    old = [keep(tmp_path, number) for number in range(3)]
    for age, digest in enumerate(old):
        os.utime(tmp_path / f"{digest}.yaml", (1000 + age, 1000 + age))
    keep(tmp_path, 0)
    new = keep(tmp_path, 3)

    assert set(passports.digests(tmp_path)) == {old[0], old[2], new}
    assert {file.stem for file in tmp_path.iterdir()} == {old[0], old[2], new}
