"""Node ids, browse paths and topics: are they written right, and for every asset?"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from edge_agent.config.problems import did_you_mean, listed
from edge_agent.config.rosters import PLACEHOLDER, filled
from edge_agent.config.schema import MqttSource, OpcUaSource

if TYPE_CHECKING:
    from edge_agent.config.lists import Complain
    from edge_agent.config.rosters import Roster
    from edge_agent.config.schema import Source, TagBinding

_NODE = re.compile(
    r"(ns=[0-9]{1,5};|nsu=[^;]+;)?"
    r"(i=[0-9]{1,20}|s=.+|b=[A-Za-z0-9+/=]+"
    r"|g=[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})",
    re.DOTALL,
)
_STEPS = re.compile(r"(?:/(?:[^/&]|&.)+)+", re.DOTALL)
FIELD = re.compile(r'(?!\.)(?:\.?[^.\[\]"]+|\[[0-9]+\]|\["[^"]+"\])+')
"""A path in a payload, as `payloads` reads it."""
_FORMS = "ns=2;s=NAME, ns=2;i=NUMBER, nsu=URI;s=NAME or a path /Objects/2:Plant/2:PT1"
_TOPIC_LIMIT = 65_535
_LAST_INDEX = 65_535
_LAST_NUMBER = 4_294_967_295


def check_address(
    roster: Roster, role: str, tag: TagBinding, source: Source, complain: Complain
) -> None:
    """A tag's node or topic, and its field, against its source and its assets."""
    key = _key(roster, role, tag, source, complain)
    if key is None:
        return
    pattern = (tag.node if key == "node" else tag.topic) or ""
    loc, at = (*roster.loc(role), key), roster.at(role, key)
    for said, hint in _placeholders(roster, pattern, tag.field or ""):
        complain(loc, said, hint, at)
    example = filled(pattern, roster.assets[0].columns) if roster.assets else pattern
    wrong = _bad_node(example) if key == "node" else bad_topic(pattern)
    if wrong is not None:
        complain(loc, *wrong, at)
    elif key == "topic":
        _check_filled(roster, role, pattern, complain)
    if isinstance(source, MqttSource):
        _check_field(roster, role, tag, source, complain)


def _key(
    roster: Roster, role: str, tag: TagBinding, source: Source, complain: Complain
) -> str | None:
    """The address key this kind of source needs, if the tag has it and no other."""
    opcua = isinstance(source, OpcUaSource)
    needed, other = ("node", "topic") if opcua else ("topic", "node")
    loc, at = roster.loc(role), roster.at(role, other)
    kind = "an OPC UA server" if opcua else "an MQTT broker"
    if getattr(tag, other) is not None:
        said = f"{tag.source!r} is {kind}: it has no {other}"
        complain((*loc, other), said, f"write {needed}:", at)
    elif getattr(tag, needed) is None:
        said = f"{needed!r} is missing: {tag.source!r} is {kind}"
        complain(loc, said, f"add {needed}:", at)
    return needed if getattr(tag, needed) is not None else None


def _placeholders(roster: Roster, pattern: str, field: str) -> list[tuple[str, str]]:
    used = [name.casefold() for name in PLACEHOLDER.findall(pattern + field)]
    common = [set(asset.columns) for asset in roster.assets]
    known = set.intersection(*common) if common else {"id"}
    wrong = []
    for name in dict.fromkeys(used):
        if name not in known and roster.whole:
            said = f"{{{name}}} is not known here; there is: {listed(sorted(known))}"
            wrong.append(
                (said, did_you_mean(name, known) or "columns come from ids_csv")
            )
    if len(roster.assets) > 1 and pattern and not used:
        said = f"all {len(roster.assets)} assets would read the same address"
        wrong.append((said, "put {id} where the asset's name belongs"))
    return wrong


def _bad_node(node: str) -> tuple[str, str] | None:
    if node.startswith("/"):
        if not _STEPS.fullmatch(node):
            return f"{node!r} has an empty level", "write /Objects/2:Plant/2:PT1"
        return None
    match = _NODE.fullmatch(node)
    if match is not None:
        return _out_of_bounds(node, match)
    if PLACEHOLDER.search(node):
        return None  # an unknown placeholder, already reported
    loose = re.fullmatch(r"ns ?[=:]? ?([0-9]+)[;, ]+([isgb]) ?[=:] ?(.+)", node)
    hint = f"did you mean 'ns={loose[1]};{loose[2]}={loose[3]}'?" if loose else ""
    return f"{node!r} is not a node id; allowed: {_FORMS}", hint


def _out_of_bounds(node: str, match: re.Match[str]) -> tuple[str, str] | None:
    index, identifier = match[1] or "", match[2]
    if index.startswith("ns=") and int(index[3:-1]) > _LAST_INDEX:
        return f"{node!r} has an impossible namespace", f"ns is at most {_LAST_INDEX}"
    if identifier.startswith("i=") and int(identifier[2:]) > _LAST_NUMBER:
        return f"{node!r} has an impossible number", f"i is at most {_LAST_NUMBER}"
    if identifier.startswith("b="):
        try:
            base64.b64decode(identifier[2:], validate=True)
        except ValueError:
            return f"{node!r} is not a node id", "after b= stands a text in Base64"
    return None


def bad_topic(topic: str) -> tuple[str, str] | None:
    """What is wrong with a topic filter, and what to write; None for nothing."""
    if not topic or len(topic.encode()) > _TOPIC_LIMIT:
        return "the topic is empty or too long", "write for example line3/{id}/vib"
    if "#" in topic:
        said = "# would take every topic below"
        return said, "name the levels; + stands for one level that does not matter"
    if any("+" in level and level != "+" for level in topic.split("/")):
        said = "+ stands for a whole level between two /"
        return said, "write + alone, for example line3/+/{id}/vib"
    if topic.startswith("$") and not topic.startswith("$share/"):
        return "topics that begin with $ belong to the broker itself", ""
    return None


def _check_filled(roster: Roster, role: str, topic: str, complain: Complain) -> None:
    """A list's cell must not bring a wildcard or an empty level into a topic."""
    for asset in roster.assets:
        used = {name.casefold() for name in PLACEHOLDER.findall(topic)}
        for name in sorted(used & asset.columns.keys()):
            text = asset.columns[name]
            if not text or set(text) & set("+#"):
                said = f"{{{name}}} of {asset.id!r} is {text!r}, not part of a topic"
                loc, hint = roster.loc(role), "a cell without + and #, not empty"
                complain((*loc, "topic"), said, hint, asset.at)


def _check_field(
    roster: Roster, role: str, tag: TagBinding, source: MqttSource, complain: Complain
) -> None:
    loc, at = (*roster.loc(role), "field"), roster.at(role, "field")
    example = filled(tag.field or "", roster.assets[0].columns if roster.assets else {})
    if source.payload == "number" and tag.field is not None:
        said = f"payloads of {tag.source!r} are one number: there is no field"
        complain(loc, said, "remove it, or write payload: json at the source", at)
    if source.payload == "array":
        if tag.field is None:
            said = f"'field' is missing: payloads of {tag.source!r} are arrays"
            complain(loc[:-1], said, "add field: 0 for the first number", at)
        elif not re.fullmatch(r"[0-9]{1,6}|\[.*", example):
            said = f"{tag.field!r} is not a position in an array"
            complain(loc, said, "write 0 for the first number", at)
    if (
        source.payload == "json"
        and tag.field is not None
        and not FIELD.fullmatch(example)
    ):
        said = f"{tag.field!r} is not a field path"
        hint = 'write for example rms, values[3].rms or ["name.with.dots"]'
        complain(loc, said, hint, at)
