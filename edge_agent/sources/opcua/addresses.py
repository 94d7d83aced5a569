"""Node addresses as operators write them, and what they are on a server today.

A namespace index, and every node id under a browse path, may change with each PLC
download: only the address as written is kept, and resolved anew at each connect.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import ua

from edge_agent.sources.opcua.ids import node_id, step

if TYPE_CHECKING:
    from collections.abc import Sequence

_NODE = re.compile(r"(?:ns=(\d+);|nsu=([^;]+);)?([isgb])=(.+)", re.DOTALL)
_STEP = re.compile(r"(?:[^/&]|&.)+", re.DOTALL)
_ESCAPED = re.compile(r"&(.)", re.DOTALL)
_INDEXED = re.compile(r"(\d+):(.+)", re.DOTALL)

_FORMS = (
    'ns=2;s=Name, ns=3;s="DB_1"."Temp", nsu=urn:maker:plant;s=Name, ns=2;i=1001 '
    "or a browse path /Objects/2:Plant/2:PT1"
)


class Unresolved(Exception):
    """This address means nothing on this server now; the text says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address as written.

    Attributes:
        text: what the operator wrote.
        uri: namespace URI, or None when the index was given.
        node: the node id (its index to be replaced where ``uri`` is given), or None.
        path: names from the root folder down, for a browse path.
    """

    text: str
    uri: str | None
    node: ua.NodeId | None
    path: tuple[ua.QualifiedName, ...] = ()

    def node_id(self, namespaces: Sequence[str]) -> ua.NodeId:
        """Node id under the server's present namespace table.

        Raises:
            Unresolved: the server does not have the namespace.
        """
        if self.node is None:
            raise Unresolved(self.text)
        if self.uri is None:
            return self.node
        if self.uri not in namespaces:
            known = ", ".join(namespaces[1:]) or "none but its own"
            raise Unresolved(
                f"the server has no namespace {self.uri} (it has: {known})"
            )
        return node_id(
            self.node.Identifier, namespaces.index(self.uri), self.node.NodeIdType
        )

    def browse_path(self) -> ua.BrowsePath:
        """The question to TranslateBrowsePathsToNodeIds."""
        elements = [step(name) for name in self.path]
        return ua.BrowsePath(
            node_id(ua.ObjectIds.RootFolder), ua.RelativePath(elements)
        )


def parse(text: str) -> Address:
    """Read an address.

    Raises:
        ValueError: it has none of the known forms.
    """
    if text.startswith("/"):
        return Address(text, None, None, _path(text))
    match = _NODE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a node address; write {_FORMS}")
    index, uri, kind, identifier = match.groups()
    node = _node(text, int(index or 0), kind, identifier)
    if uri is not None:
        # Part 6 5.3.1.11: only ; and % are escaped in a namespace URI
        uri = uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%")
    return Address(text, uri, node)


def _node(text: str, index: int, kind: str, identifier: str) -> ua.NodeId:
    try:
        match kind:
            case "i":
                return node_id(int(identifier), index)
            case "g":
                return node_id(uuid.UUID(identifier), index, ua.NodeIdType.Guid)
            case "b":
                octets = base64.b64decode(identifier, validate=True)
                return node_id(octets, index, ua.NodeIdType.ByteString)
            case _:
                return node_id(identifier, index, ua.NodeIdType.String)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{text!r} is not a node address: {error}") from None


def _path(text: str) -> tuple[ua.QualifiedName, ...]:
    steps = _STEP.findall(text[1:])
    if not steps or "/" + "/".join(steps) != text:
        raise ValueError(f"{text!r} is not a browse path; write {_FORMS}")
    if steps[0] in {"Root", "0:Root"} and len(steps) > 1:
        steps = steps[1:]
    return tuple(_name(written) for written in steps)


def _name(written: str) -> ua.QualifiedName:
    match = _INDEXED.fullmatch(written)
    index, name = (int(match[1]), match[2]) if match else (0, written)
    return ua.QualifiedName(_ESCAPED.sub(r"\1", name), index)
