"""Files of a bundle to bytes and plain values, with no surprises on the way.

YAML is read by the 1.2 core rules: only ``true`` and ``false`` are booleans, ``1e-5``
is a number, a date stays text. What a reviewer could overlook is refused: a key given
twice, anchors and aliases, tags, several documents.
"""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from yaml.composer import Composer

from edge_agent.errors import ModelRejected

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

_RESOLVERS: tuple[tuple[str, str, str], ...] = (
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", "n~\0"),
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"^[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
)


class _StrictLoader(Composer, yaml.CSafeLoader):
    """PyYAML with the 1.2 core rules and no anchors.

    libyaml parses and Python composes: a passport takes a fifth of the time of the
    parser written in Python, which hundreds of models at start feel.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own name)

    def __init__(self, stream: str) -> None:
        yaml.CSafeLoader.__init__(self, stream)
        Composer.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse anchors and aliases, where a small text can grow without bound."""
        event: Any = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1
            raise ModelRejected(
                f"line {line}: anchors and aliases (& and *) are refused"
            )
        return super().compose_node(parent, index)

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,
    ) -> dict[Hashable, Any]:
        """Refuse a key that is given twice: the second would win silently."""
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise ModelRejected(f"line {line}: {key!r} is given twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in _RESOLVERS:
    for _character in _first:
        _StrictLoader.yaml_implicit_resolvers.setdefault(
            "" if _character == "\0" else _character, []
        ).append((_tag, re.compile(_pattern)))


def read_plain(folder: Path, name: str, limit: int) -> bytes:
    """A plain file of a folder: no link leads out of it, no pipe keeps one waiting.

    Args:
        folder: where.
        name: of the file.
        limit: bytes it may have.

    Raises:
        ModelRejected: not there, not a plain file, or larger.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with open(os.open(folder / name, flags), "rb") as stream:  # noqa: PTH123
            facts = os.fstat(stream.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise ModelRejected(f"{name} is not a plain file")
            # as much as there is: a read reserves what it is asked for
            body = stream.read(min(facts.st_size, limit) + 1)
    except OSError as error:
        if (folder / name).is_symlink():
            raise ModelRejected(f"{name} is a link; copy the file itself") from error
        raise ModelRejected(f"cannot read {name}: {error.strerror}") from error
    if len(body) > limit:
        raise ModelRejected(f"{name} is larger than {limit} bytes")
    return body


def read_yaml(text: bytes, where: str) -> dict[str, Any]:
    """One YAML mapping.

    Args:
        text: the file's bytes, UTF-8.
        where: the file's name for the error.

    Raises:
        ModelRejected: no readable YAML, or not one mapping.
    """
    try:
        # a SafeLoader without anchors, tags or duplicate keys
        value = yaml.load(text.decode("utf-8"), Loader=_StrictLoader)  # noqa: S506
    except UnicodeDecodeError as error:
        raise ModelRejected(f"{where} is not UTF-8 text: {error.reason}") from error
    except ModelRejected as error:
        raise ModelRejected(f"{where}, {error}") from error
    except (yaml.YAMLError, RecursionError, TypeError) as error:
        raise ModelRejected(f"{where} is not readable YAML: {_brief(error)}") from error
    if not isinstance(value, dict):
        raise ModelRejected(f"{where} must hold keys and values, one a line")
    return value


def read_json(text: bytes, where: str) -> dict[str, Any]:
    """One JSON object; NaN, Infinity and a key given twice are refused.

    Raises:
        ModelRejected: no readable JSON, or not an object.
    """

    def refuse(word: str) -> NoReturn:
        raise ModelRejected(f"{where} holds {word}, which is not a number")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):  # another reader may take the first of the two
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ModelRejected(f"{where}: {twice!r} is given twice")
        return found

    try:
        value = json.loads(
            text.decode("utf-8"), parse_constant=refuse, object_pairs_hook=once
        )
    except (ValueError, RecursionError) as error:
        raise ModelRejected(f"{where} is not readable JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelRejected(f"{where} must hold one JSON object")
    return value


def _brief(error: BaseException) -> str:
    """PyYAML's message on one line."""
    mark = getattr(error, "problem_mark", None)
    text = getattr(error, "problem", None) or str(error) or type(error).__name__
    return f"line {mark.line + 1}: {text}" if mark is not None else str(text)
