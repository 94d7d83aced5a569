"""Whether a node's data type can be a sample: a number, or a text where one is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncua import ua

from edge_agent.sources.opcua.services import supertype

if TYPE_CHECKING:
    from edge_agent.sources.opcua.link import Link

_IDS = ua.ObjectIds
_NUMBERS = {
    _IDS.Boolean,
    _IDS.SByte,
    _IDS.Byte,
    _IDS.Int16,
    _IDS.UInt16,
    _IDS.Int32,
    _IDS.UInt32,
    _IDS.Int64,
    _IDS.UInt64,
    _IDS.Float,
    _IDS.Double,
    _IDS.DateTime,
    _IDS.Number,
    _IDS.Integer,
    _IDS.UInteger,
    _IDS.Enumeration,
}
_TEXTS = {_IDS.String, _IDS.LocalizedText}
_OPEN = {_IDS.BaseDataType}
_BUILT_IN = 25
_DEPTH = 12
"""Derivations followed at most: a server may answer in circles."""


class DataTypes:
    """Judges data types; each is asked about once per connection."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._roots: dict[ua.NodeId, int] = {}

    async def unfit(self, kind: object, *, text: bool) -> str:
        """Why a node of this type cannot feed the tag; empty when it can.

        A text tag also takes numbers (a part counter is written out).
        """
        if not isinstance(kind, ua.NodeId):
            return ""
        root = await self._root(kind)
        if root in _NUMBERS or root in _OPEN or (text and root in _TEXTS):
            return ""
        name = ua.ObjectIdNames.get(root, str(root))
        if root in _TEXTS:
            return f"its values are texts ({name}): set text: true, or give a number"
        return f"its values are neither number nor text ({name})"

    async def _root(self, kind: ua.NodeId) -> int:
        """The type of namespace 0 that this one is, or is derived from."""
        walked: list[ua.NodeId] = []
        at: ua.NodeId | None = kind
        root = int(_IDS.BaseDataType)  # unknown: the values will tell
        while at is not None and len(walked) < _DEPTH:
            known = self._roots.get(at)
            if known is not None or _decides(at):
                root = known if known is not None else int(at.Identifier)
                break
            walked.append(at)
            at = await supertype(self._link, at)
        self._roots.update(dict.fromkeys(walked, root))
        return root


def _decides(kind: ua.NodeId) -> bool:
    if kind.NamespaceIndex != 0 or not isinstance(kind.Identifier, int):
        return False
    number = kind.Identifier
    return number <= _BUILT_IN or number in _NUMBERS
