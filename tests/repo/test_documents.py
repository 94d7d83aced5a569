"""What the documents tell people to type and to open exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "systemd/README.md",
]


def text(name: str) -> str:
    """One file of the repository."""
    return (ROOT / name).read_text("utf-8")


def targets() -> set[str]:
    """Targets of the Makefile that people may call."""
    return set(re.findall(r"^\.PHONY: (\w+)$", text("Makefile"), re.MULTILINE))


def commands() -> set[str]:
    """Subcommands of `edge-agent`, one file each."""
    return {path.stem for path in (ROOT / "edge_agent" / "cli").iterdir()}


def code(document: str) -> str:
    """Everything in a document that is set as code."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text(document), re.DOTALL))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document: str) -> None:
    """Every `make X` that a document shows is a target."""
    named = set(re.findall(r"\bmake ([a-z]+)\b", code(document)))

    assert named <= targets()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_subcommands_exist(document: str) -> None:
    """Every `edge-agent X` that a document shows is a command."""
    pattern = r"(?:^|[\s`/])edge-agent ([a-z]+)\b(?!\.)"
    named = set(re.findall(pattern, code(document), re.MULTILINE))

    assert named <= commands()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """A relative link names a file of the repository."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text(document))
    here = (ROOT / document).parent
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (here / link).exists()] == []


def test_help_lists_every_target() -> None:
    """`make help` shows all targets, each with its line."""
    lines = re.findall(r"^([a-z]+):.*?## \S", text("Makefile"), re.MULTILINE)

    assert targets() == set(lines)


def test_the_newest_change_is_this_version() -> None:
    """The changelog opens with the version that is built."""
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    newest = re.search(r"^## \[(\S+)\]", text("CHANGELOG.md"), re.MULTILINE)

    assert newest is not None
    assert newest[1] == version
