"""What is installed is what was tested: locks that are complete and agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME, DEMO, DEV = (
    "requirements.txt",
    "requirements-demo.txt",
    "requirements-dev.txt",
)


def entries(lock: str) -> list[str]:
    """Logical lines of a lock, continuations joined."""
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def pins(lock: str) -> set[str]:
    """``name==version`` of every package."""
    return {entry.split()[0] for entry in entries(lock)}


def names(requirements: list[str]) -> set[str]:
    """Normalised package names of requirement lines."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in requirements)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


@pytest.mark.parametrize("lock", [RUNTIME, DEMO, DEV])
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    """Each line has one version and at least one SHA-256."""
    odd = [
        entry
        for entry in entries(lock)
        if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)
    ]

    assert odd == []


def test_smaller_locks_are_part_of_larger_ones() -> None:
    """What was tested with the developers' lock is what demo and gateway run."""
    assert pins(RUNTIME) <= pins(DEMO) <= pins(DEV)


def test_every_declared_dependency_is_locked() -> None:
    """pyproject.toml and the locks name the same packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    declared = project["project"]["dependencies"]
    extras = project["project"]["optional-dependencies"]
    build = project["dependency-groups"]["build"]

    assert names(declared) <= names(entries(RUNTIME))
    assert names(declared + extras["demo"] + build) <= names(entries(DEMO))
    assert names(extras["dev"]) <= names(entries(DEV))
    assert build == project["build-system"]["requires"]


def test_an_exact_dependency_says_why() -> None:
    """A pinned version in pyproject.toml carries its reason as a comment."""
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    pinned = [line for line in lines if re.match(r'\s*"[\w-]+==', line)]

    assert pinned
    assert [line for line in pinned if "#" not in line] == []
