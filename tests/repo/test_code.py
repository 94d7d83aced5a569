"""Limits of size and naming that no linter knows, and what no file may hold."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "edge_agent").rglob("*.py"))

#: Names that say nothing about the plant.
EMPTY_NAMES = {
    "base",
    "common",
    "core",
    "data",
    "handler",
    "helper",
    "helpers",
    "info",
    "manager",
    "misc",
    "processor",
    "service",
    "tools",
    "util",
    "utils",
}

#: What no tracked file but this one may hold.
FORBIDDEN = {
    "registry host": r"(?:pypi|pythonhosted|npmjs|npmmirror|jfrog|artifactory)"
    r"\.\w",
    "path of one machine": r"(?<![\w.<-])/(?:work|root|home/\w+)/\w",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "conflict": r"^(?:<{7}|>{7}) \w",
}


def name(path: Path) -> str:
    """Path inside the repository."""
    return str(path.relative_to(ROOT))


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a module, nested ones too."""
    tree = ast.parse(path.read_text("utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        docstring = node.body[0]
        total -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return total


def test_modules_are_short() -> None:
    """A module ends at 300 lines; beyond it holds two things."""
    lengths = {name(p): len(p.read_text("utf-8").splitlines()) for p in MODULES}

    assert {path: lines for path, lines in lengths.items() if lines > 300} == {}


def test_functions_are_short() -> None:
    """No function is over 60 lines, and half have ten or fewer."""
    lengths = {
        f"{name(path)}:{node.name}": length(node)
        for path in MODULES
        for node in functions(path)
    }

    assert {where: lines for where, lines in lengths.items() if lines > 60} == {}
    assert statistics.median(lengths.values()) <= 10


def test_names_are_of_the_plant() -> None:
    """No module or package is called utils or the like."""
    parts = {part for path in MODULES for part in path.relative_to(ROOT).parts}
    stems = {part.removesuffix(".py") for part in parts}

    assert EMPTY_NAMES & stems == set()


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_tracked_file_holds(kind: str) -> None:
    """Registry hosts, paths of one machine, keys and conflicts stay out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git is what made the checkout
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    tracked = [ROOT / part for part in listed.stdout.decode().split("\0") if part]
    pattern = re.compile(FORBIDDEN[kind], re.MULTILINE)
    found = [
        f"{name(path)}: {match[0]}"
        for path in tracked
        if path.is_file() and path != Path(__file__)
        for match in pattern.finditer(path.read_text("utf-8", "replace"))
    ]

    assert found == []
