"""Several files as one tree: named sections are joined, nothing is overwritten.

``sources``, ``pipelines`` and ``outputs`` take names from every file, ``assets``
takes groups; any other key belongs to one file. What is said twice is refused with
both places: which one wins must not depend on the name of a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.config.tree import Block, Items, Mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.config.problems import Problem
    from edge_agent.config.tree import Node

NAMED = ("sources", "pipelines", "outputs")
LISTED = ("assets",)


def merged(trees: Sequence[Block], problems: list[Problem]) -> Block:
    """One tree of all files; the first is the main file."""
    root = Block(Mark(trees[0].mark.source, 1, 1))
    for tree in trees:
        for key, node in tree.items.items():
            if key not in root.items:
                root.items[key] = _own(node) if key in (*NAMED, *LISTED) else node
                root.keys[key] = tree.keys[key]
            elif not _joined(key, root.items[key], node, problems):
                first = root.keys[key]
                said = f"{key!r} is said twice, first at {first}"
                problems.append(tree.keys[key].problem(said, "keep one of them"))
    return root


def _own(node: Node) -> Node:
    """A copy of the outer level, so that joining leaves the file's tree alone."""
    match node:
        case Block():
            return Block(node.mark, node.flow, dict(node.items), dict(node.keys))
        case Items():
            return Items(node.mark, node.flow, list(node.items))
        case _:
            return node


def _joined(key: str, into: Node, node: Node, problems: list[Problem]) -> bool:
    match into, node:
        case Block(), Block() if key in NAMED:
            _join_names(key, into, node, problems)
        case Items(), Items() if key in LISTED:
            into.items.extend(node.items)
        case _:
            return False
    return True


def _join_names(key: str, into: Block, node: Block, problems: list[Problem]) -> None:
    for name, value in node.items.items():
        if name in into.items:
            said = f"{key}: the name {name!r} is taken, first at {into.keys[name]}"
            problems.append(node.keys[name].problem(said, "rename or remove one"))
        else:
            into.items[name] = value
            into.keys[name] = node.keys[name]
