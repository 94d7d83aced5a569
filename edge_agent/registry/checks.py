"""The checks between fetched and vetted: is it the right one, and does it run here?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge_agent.bundle import passport as passports
from edge_agent.bundle import signing, tree
from edge_agent.bundle.contents import bundle_digest
from edge_agent.bundle.folders import PASSPORT_FILE
from edge_agent.errors import ModelRejected
from edge_agent.registry.lifecycle import PINNED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge_agent.bundle.passport import Passport
    from edge_agent.bundle.trust import Trust
    from edge_agent.registry.cache import Mark
    from edge_agent.registry.lifecycle import Version
    from edge_agent.registry.vetting import Verdict

#: Before this year a gateway's clock is not set, and judges no date.
_CLOCK_IS_SET = 2024


class Room(Protocol):
    """Tries a model out (`vetting.VettingRoom`)."""

    def vet(self, folder: Path) -> Verdict:
        """Whether it may score here, and what it costs."""
        ...

    def close(self) -> None:
        """Give its memory back until it is needed again."""
        ...


@dataclass(frozen=True, slots=True)
class Verified:
    """What is known of a version once it is verified.

    Attributes:
        digest: of the bundle.
        passport: parsed only after its signature was checked.
        body: passport.yaml as it lies there.
        sums: SHA-256 of every file the digest is made of.
        signer: key id; empty where no signature is asked for.
    """

    digest: str
    passport: Passport
    body: bytes
    sums: Mapping[str, str]
    signer: str


def verify(
    version: Version, folder: Path, trust: Trust | None, mark: Mark, site: str
) -> Verified:
    """Is this folder the version that was signed, and no step back?

    Args:
        version: what was asked for.
        folder: its files, in this gateway's own copy.
        trust: who may sign; None asks for no signature.
        mark: what of the model was active here.
        site: where this gateway stands.

    Raises:
        ModelRejected: it is not; the text says which check failed.
    """
    signed = signing.verify(folder, trust) if trust is not None else None
    files: Mapping[str, str] = tree.listed(folder) if signed is None else signed.files
    passport = passports.load(folder)
    for name, digest in passport.files.items():
        if files.get(name) != digest:
            held = "is missing" if name not in files else "has another SHA-256"
            raise ModelRejected(f"{name} {held} than passport.yaml says")
    sums = {**passport.files, PASSPORT_FILE: files[PASSPORT_FILE]}
    digest = bundle_digest(sums)
    if passport.name != version.name:
        raise ModelRejected(
            f"the registry gave it as {version.name}, its passport says {passport.name}"
        )
    if passport.targets.sites and site not in passport.targets.sites:
        there = ", ".join(passport.targets.sites)
        raise ModelRejected(f"it is for {there}, not for {site or 'an unnamed site'}")
    if why := downgrade(passport.release, digest, mark, version):
        raise ModelRejected(why)
    body = passports.passport_bytes(folder)
    signer = signed.key_id if signed else ""
    return Verified(digest, passport, body, sums, signer)


def downgrade(release: int, digest: str, mark: Mark, version: Version) -> str:
    """Why taking this version would be a step back that nobody here asked for.

    Returns:
        A sentence; empty where it is none: it is newer, was active here before, or the
        operator's own file or order names it.
    """
    if release >= mark.release or digest in mark.proven:
        return ""
    if version.via == PINNED or version.urgent:
        return ""
    return (
        f"downgrade: release {release} is below {mark.release}, which was active here; "
        "publish the old model again under a higher release, or pin it: model: "
        f"{version.name}@{version.version}"
    )


def expired(passport: Passport, now: dt.datetime) -> str:
    """Why a version must not score any more; empty where it may.

    A clock that shows a time before the model was trained, or no year of ours, proves
    nothing: the version goes on.
    """
    if passport.expires is None or not _clock_is_set(passport, now):
        return ""
    if now.date() <= passport.expires:
        return ""
    return f"{passport.name} {passport.version} expired on {passport.expires}"


def overdue(passport: Passport, now: dt.datetime) -> str:
    """Whether somebody should have looked at it again by now, in a sentence."""
    if not _clock_is_set(passport, now) or now.date() <= passport.review_date:
        return ""
    return (
        f"{passport.name} {passport.version} should have been reviewed by "
        f"{passport.review_date}: ask {passport.owner} ({passport.contact})"
    )


def _clock_is_set(passport: Passport, now: dt.datetime) -> bool:
    trained = passport.training.end
    if trained.tzinfo is None:
        trained = trained.replace(tzinfo=dt.UTC)
    return now.year >= _CLOCK_IS_SET and now >= trained
