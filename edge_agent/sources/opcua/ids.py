"""Node ids and status codes from plain values.

asyncua's annotations ask for number types of its own (``Int32``, ``String``) where
its code takes and gives plain ones: the difference is settled here, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asyncua import ua

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

_Made = TypeVar("_Made")


def node_id(
    identifier: int | str | bytes | UUID,
    index: int = 0,
    kind: ua.NodeIdType | None = None,
) -> ua.NodeId:
    """Node id; its kind follows from the identifier where it is not given."""
    return _loosely(ua.NodeId)(identifier, index, kind)


def status_code(code: int) -> ua.StatusCode:
    """Status code of a number."""
    return _loosely(ua.StatusCode)(code)


def step(name: ua.QualifiedName) -> ua.RelativePathElement:
    """One step of a browse path: down any hierarchical reference."""
    return _loosely(ua.RelativePathElement)(
        ReferenceTypeId=node_id(ua.ObjectIds.HierarchicalReferences),
        IsInverse=False,
        IncludeSubtypes=True,
        TargetName=name,
    )


def _loosely(kind: Callable[..., _Made]) -> Callable[..., _Made]:
    return kind
