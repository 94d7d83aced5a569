"""From the merged tree to models, keeping all that is sound when some is not.

A mistake in one source must not hide a wrong reference in another pipeline. So the
smallest thing around each mistake (a source, a tag, a pipeline …) is left out, its
name is remembered, and the rest goes on to the checks that need several things.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from edge_agent.config.problems import did_you_mean, dotted
from edge_agent.config.references import check
from edge_agent.config.rosters import Known
from edge_agent.config.schema import AgentConfig, AssetGroup
from edge_agent.config.tree import Block, Items, Scalar, at, plain
from edge_agent.config.words import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from edge_agent.config.lists import Place
    from edge_agent.config.problems import Loc, Problem
    from edge_agent.config.rosters import Roster
    from edge_agent.config.tree import Mark, Node

_PLACEHOLDERS: dict[str, object] = {
    "site": {"enterprise": "unknown"},
    "gateway": "unknown",
    "registry": {"path": "/nowhere"},
    "sources": {},
    "assets": [],
    "pipelines": {},
    "outputs": {},
}
_STAND_INS: dict[str, object] = {
    "endpoint": "opc.tcp://unknown:4840",
    "host": "unknown",
    "model": "unknown",
    "score": {"every": "1s"},
}
_OF_PARENT = {"missing", "union_tag_not_found", "extra_forbidden"}


@dataclass(slots=True)
class Draft:
    """What could be made of the files so far.

    Attributes:
        root: the merged tree.
        problems: complaints about the tree; grows while checks run.
        config: the sound part, None if not even that exists.
        places: position in the tree's ``assets`` of each group of ``config``.
    """

    root: Block
    problems: list[Problem] = field(default_factory=list)
    config: AgentConfig | None = None
    places: list[int] = field(default_factory=list)

    def check(self) -> list[Roster]:
        """Run the rules and references over the sound part."""
        if self.config is None:
            return []
        groups = dict(zip(self.places, self.config.assets, strict=True))
        return check(self.config, groups, self._known(groups), self.complain)

    def complain(
        self, loc: Loc, message: str, hint: str = "", at: Place | None = None
    ) -> None:
        """Add a problem at a path of keys, or at a place in a list."""
        if at is None:
            self.problems.append(self.problem(loc, message, hint))
        else:
            self.problems.append(at.problem(f"{self.path(loc)}: {message}", hint))

    def problem(self, loc: Loc, message: str, hint: str = "") -> Problem:
        """A problem at a path of keys."""
        said = f"{self.path(loc)}: {message}" if loc else message
        return located(self.root, loc)[1].problem(said, hint)

    def path(self, loc: Loc) -> str:
        """``assets[pump].tags.flow``: groups are named by their type."""
        if len(loc) > 1 and loc[0] == "assets":
            kind = at(self.root, (*loc[:2], "type"))
            if isinstance(kind, Scalar):
                return dotted((f"assets[{kind.text}]", *loc[2:]))
        return dotted(loc)

    def _known(self, groups: Mapping[int, AssetGroup]) -> Known:
        """What the tree has and the sound part has not."""
        unsound: dict[int, set[str]] = {}
        partial: set[str] = set()
        assets = self.root.items.get("assets")
        for place, group in enumerate(_children(assets)):
            kind, tags = at(group, ("type",)), at(group, ("tags",))
            if place not in groups and isinstance(kind, Scalar):
                partial.add(kind.text)
            elif place in groups and isinstance(tags, Block):
                unsound[place] = tags.items.keys() - groups[place].tags.keys()
        sources = self.root.items.get("sources")
        names = tuple(sources.items) if isinstance(sources, Block) else None
        return Known(names, unsound, partial if isinstance(assets, Items) else None)


def drafted(root: Block, *, whole: bool) -> Draft:
    """Models of the tree.

    Args:
        root: the merged tree.
        whole: every file could be read, so that what is missing is missing.
    """
    data = cast("dict[str, Any]", plain(root))
    draft = Draft(root)
    groups = data.get("assets")
    draft.places = list(range(len(groups))) if isinstance(groups, list) else []
    for attempt in range(3):
        try:
            config = AgentConfig.model_validate(data)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            if attempt == 0:
                _report(draft, errors, whole=whole)
            _prune(data, draft.places, errors, fine=attempt == 0)
        else:
            draft.config = _anchored(config, root, draft.places)
            break
    return draft


def located(root: Node, loc: Loc) -> tuple[Loc, Mark]:
    """The part of a path that exists, and its place: the value's, if it has one."""
    node, mark = root, root.mark
    walked: Loc = ()
    for part in loc:
        deeper = at(node, (part,))
        if part == "[key]":
            break
        if deeper is None and _is_union_tag(node, part):
            continue
        if deeper is None:
            return walked, key_mark(root, walked, mark)
        node, walked, mark = deeper, (*walked, part), deeper.mark
    if loc and loc[-1] == "[key]":
        return walked, key_mark(root, walked, mark)
    return walked, mark


def key_mark(root: Node, loc: Loc, otherwise: Mark) -> Mark:
    """Where the key at the end of a path stands."""
    holder = at(root, loc[:-1]) if loc else None
    if isinstance(holder, Block) and loc[-1] in holder.keys:
        return holder.keys[str(loc[-1])]
    return otherwise


def _is_union_tag(node: Node, part: str | int) -> bool:
    kind = at(node, ("type",))
    return isinstance(kind, Scalar) and kind.text == part


def _report(draft: Draft, errors: list[ErrorDetails], *, whole: bool) -> None:
    misspelt = _misspelt(errors)
    for error in errors:
        loc = error["loc"]
        if error["type"] == "missing" and (
            loc in misspelt or (len(loc) == 1 and not whole)
        ):
            continue
        said, hint = in_words(error, AgentConfig)
        walked, mark = _marked(draft.root, error)
        path = f"{draft.path(walked)}: " if walked else ""
        draft.problems.append(mark.problem(path + said, hint))


def _marked(root: Block, error: ErrorDetails) -> tuple[Loc, Mark]:
    """What an error is about: the value, its key, or the key of the block around."""
    loc, kind = error["loc"], error["type"]
    walked, mark = located(root, loc)
    if kind == "union_tag_invalid":
        return located(root, (*walked, "type"))
    if kind not in _OF_PARENT:
        return walked, mark
    mark = key_mark(root, walked, mark)
    inner = kind == "extra_forbidden" and walked and walked[-1] == loc[-1]
    return (walked[:-1] if inner else walked), mark


def _misspelt(errors: list[ErrorDetails]) -> set[Loc]:
    """Missing keys that an unknown key beside them was meant to be."""
    missing = [error["loc"] for error in errors if error["type"] == "missing"]
    return {
        loc
        for error in errors
        for loc in missing
        if error["type"] == "extra_forbidden"
        and loc[:-1] == error["loc"][:-1]
        and did_you_mean(str(error["loc"][-1]), [str(loc[-1])])
    }


def _prune(
    data: dict[str, Any], places: list[int], errors: list[ErrorDetails], *, fine: bool
) -> None:
    """Leave out the smallest thing around each error; ``fine`` tries single keys."""
    unsound: set[int] = set()
    for loc in {error["loc"] for error in errors}:
        match loc:
            case ("assets", int(place), "tags", str(role), *_):
                data["assets"][place]["tags"].pop(role, None)
            case ("assets", int(place), *_):
                unsound.add(place)
            case ("sources" | "pipelines" | "outputs" as section, str(name), *rest):
                if not (fine and _mended(data[section].get(name), rest)):
                    data[section].pop(name, None)
            case (str(section), *_) if section in _PLACEHOLDERS:
                data[section] = _PLACEHOLDERS[section]
            case _:
                data.pop(str(loc[0]), None)
    if unsound:
        kept = [place for place in range(len(places)) if place not in unsound]
        data["assets"] = [data["assets"][place] for place in kept]
        places[:] = [places[place] for place in kept]
    if not data["assets"]:
        places.clear()


def _mended(thing: object, rest: list[str | int]) -> bool:
    """Leave out one key of a source, pipeline or output, or put a stand-in there."""
    keys = rest[1:] if len(rest) > 1 and rest[0] in {"opcua", "mqtt"} else rest
    if not isinstance(thing, dict) or not keys or keys[0] in {"type", "assets"}:
        return False
    if keys[0] in _STAND_INS:
        thing[keys[0]] = _STAND_INS[str(keys[0])]
    else:
        thing.pop(keys[0], None)
    return True


def _children(node: Node | None) -> list[Node]:
    return node.items if isinstance(node, Items) else []


def _anchored(config: AgentConfig, root: Block, places: list[int]) -> AgentConfig:
    """Relative paths count from the file that has them."""
    items = dict(root.items)
    groups = _children(items.get("assets"))
    if groups:
        items["assets"] = Items(root.mark, items=[groups[place] for place in places])
    anchored: AgentConfig = _with_anchor(config, Block(root.mark, items=items))
    if (node := items.get("languages")) is None:
        return anchored
    # as lists do: a copy of the files has its own
    return anchored.model_copy(update={"languages": _beside(config.languages, node)})


def _with_anchor(value: Any, node: Node | None) -> Any:  # noqa: ANN401  (any field)
    match value, node:
        case Path(), Scalar():
            return node.mark.source.home / value
        case AssetGroup(), Block():
            lists = {"ids_csv", "tags_csv"} & node.items.keys()
            return value.model_copy(
                update={
                    name: _beside(getattr(value, name), node.items[name])
                    for name in lists
                }
            )
        case BaseModel(), Block():
            below = ((name, node.items.get(name)) for name in node.items)
            return value.model_copy(
                update={
                    name: _with_anchor(getattr(value, name), child)
                    for name, child in below
                    if name in type(value).model_fields
                }
            )
        case dict(), Block():
            return {k: _with_anchor(v, node.items.get(k)) for k, v in value.items()}
        case tuple(), Items() if len(value) == len(node.items):
            return tuple(map(_with_anchor, value, node.items))
        case _:
            return value


def _beside(path: Path | None, node: Node) -> Path | None:
    """A list stands beside the file that names it, in a copy as well."""
    source = node.mark.source
    if path is None or (source.path.parent / path).exists():
        return None if path is None else source.path.parent / path
    return source.home / path
