"""What has to fit together inside one thing: a source, an output, a tag, a trigger."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from edge_agent.config import units
from edge_agent.config.addresses import FIELD
from edge_agent.config.scalars import shown
from edge_agent.config.schema import MqttLink, MqttSource, OpcUaSource, Security
from edge_agent.config.spans import overlapping, span_of
from edge_agent.config.zones import zone_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.config.lists import Complain
    from edge_agent.config.monitoring import Context
    from edge_agent.config.pipelines import Alarm, Score
    from edge_agent.config.problems import Loc
    from edge_agent.config.rosters import Roster
    from edge_agent.config.schema import (
        AgentConfig,
        MqttOutput,
        Registry,
        Source,
        TagBinding,
    )

_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
LONGEST = 100
"""Characters of a state; as `features.words` knows it."""
_COMMON = (
    "known are for example bar, degC, mm/s, m3/h, l/min, A, V, kW, rpm, Hz, %, kg/h"
)


def check_source(loc: Loc, source: Source, complain: Complain) -> None:
    """Credentials, certificates, and settings that contradict each other."""
    _check_credentials(loc, source, complain)
    if isinstance(source, MqttSource):
        _check_tls(loc, source, complain)
        _check_fields(loc, source, complain)
        return
    if "@" in source.endpoint:
        said = "a user or password may not stand in the endpoint"
        complain((*loc, "endpoint"), said, "write user: and password_file: apart")
    if source.session_timeout < source.keepalive:
        said = "the session would end before its keep-alive comes"
        complain((*loc, "session_timeout"), said, "make it longer than keepalive")
    if source.security is Security.NONE and "policy" in source.model_fields_set:
        said = "a policy has no meaning with security: None"
        complain((*loc, "policy"), said, "remove it, or write SignAndEncrypt")


def _check_fields(loc: Loc, source: MqttSource, complain: Complain) -> None:
    for key, field, like in (
        ("time_field", source.time_field, "ts or header.ts"),
        ("sequence_field", source.sequence_field, "seq or header.seq"),
    ):
        if field is not None and not FIELD.fullmatch(field):
            said = f"{field!r} is not a field path"
            complain((*loc, key), said, f"write for example {like}")
    if source.sequence_field is not None and source.payload == "number":
        said = "a payload that is one number has no other field"
        complain((*loc, "sequence_field"), said, "remove it, or write payload: json")


def check_output(loc: Loc, output: MqttOutput, complain: Complain) -> None:
    """Credentials, certificates, the first level of the topics, and what is sent."""
    _check_credentials(loc, output, complain)
    _check_tls(loc, output, complain)
    root = output.root.replace("{gateway}", "gateway")
    if not re.fullmatch(r"[^/+#$\s{}][^/+#\s{}]*(/[^/+#\s{}]+)*", root):
        said = f"{output.root!r} cannot begin a topic"
        hint = "levels of letters and digits between single /, for example edge"
        complain((*loc, "root"), said, hint)
    _check_takes(loc, output, complain)


def _check_takes(loc: Loc, output: MqttOutput, complain: Complain) -> None:
    """An output takes something, and settings of states have states to act on."""
    if not output.takes:
        said = "an output that takes nothing has no use"
        complain((*loc, "takes"), said, "name what it takes, or remove the output")
    for place, kind in enumerate(output.takes):
        if kind in output.takes[:place]:
            complain((*loc, "takes", place), f"{kind} is named twice", "remove one")
    if output.max_rate is not None and output.history:
        said = "max_rate leaves states out, and history: true keeps them all"
        complain((*loc, "max_rate"), said, "add history: false, or remove max_rate")
    if not output.history and output.publish == "committed":
        said = "states that are not kept cannot be committed first"
        complain((*loc, "publish"), said, "write publish: live, or history: true")


def check_registry(loc: Loc, registry: Registry, complain: Complain) -> None:
    """Each kind of registry has what it needs, and nothing that it ignores."""
    needed, strange = ("path", "url")
    if registry.type == "mlflow":
        needed, strange = strange, needed
        _check_credentials(loc, registry, complain, token=True)
        _check_tls(loc, registry, complain)
        if not registry.trusted_keys:
            said = "a registry on the network needs trusted_keys: who may sign models"
            complain(loc, said, "edge-agent model key makes a pair")
    if getattr(registry, needed) is None:
        complain(loc, f"'{needed}' is missing", f"type: {registry.type} needs it")
    if getattr(registry, strange) is not None:
        said = f"{strange} has no meaning with type: {registry.type}"
        complain((*loc, strange), said, f"remove it, or write {needed}:")
    if registry.revoked is not None and not registry.trusted_keys:
        said = "a list of revoked keys is signed: it needs trusted_keys"
        complain((*loc, "revoked"), said)


def check_client_ids(config: AgentConfig, complain: Complain) -> None:
    """A broker throws out the first of two clients with the same id, for ever."""
    links: dict[tuple[str, int | None, str], str] = {}
    named = {
        f"{section}.{name}": link
        for section, group in (("sources", config.sources), ("outputs", config.outputs))
        for name, link in group.items()
        if isinstance(link, MqttLink) and link.client_id
    }
    for where, link in named.items():
        key = (link.host, link.port, link.client_id or "")
        if key in links:
            said = f"{links[key]} uses the same client_id at this broker"
            hint = "the broker would disconnect them in turn: give each its own"
            complain((*where.split(".", 1), "client_id"), said, hint)
        links.setdefault(key, where)


def check_score(loc: Loc, score: Score, complain: Complain) -> None:
    """Exactly one of every and on; a part id where, and only where, there are parts."""
    if score.every is None and score.on is None:
        complain(loc, "says not when to score", "add every: 1s, or on: update")
    if score.every is not None and score.on is not None:
        said = "every and on exclude each other"
        complain((*loc, "on"), said, "remove one of them")
    if score.on == "cycle" and score.part is None:
        said = "on: cycle needs the tag that carries the part id"
        complain((*loc, "on"), said, "add part: ROLE")
    if score.on != "cycle" and score.part is not None:
        complain((*loc, "part"), "part has a meaning only with on: cycle")


def check_context(loc: Loc, context: Context, alarm: Alarm, complain: Complain) -> None:
    """Shifts are spans of the day that share no minute; a zone is known here."""
    spans = []
    for name, text in context.shifts.items():
        try:
            spans.append((name, *span_of(text)))
        except ValueError as wrong:
            hint = "write from-to in hours and minutes, for example 22:00-06:00"
            complain((*loc, "context", "shifts", name), str(wrong), hint)
    if both := overlapping(spans):
        said = f"shifts {both[0]} and {both[1]} overlap"
        hint = "a shift ends where the next begins"
        complain((*loc, "context", "shifts", both[1]), said, hint)
    if context.zone is not None and zone_named(context.zone) is None:
        said = f"the time zone {context.zone!r} is not known here"
        complain((*loc, "context", "zone"), said, "write for example Europe/Berlin")
    for place, role in enumerate(context.by):
        if role in context.by[:place]:
            complain((*loc, "context", "by", place), f"{role} is named twice")
    if alarm.thresholds and not (context.by or context.shifts):
        said = "thresholds are of contexts, and nothing makes any"
        hint = "add context: with by: or shifts:, or write threshold: alone"
        complain((*loc, "alarm", "thresholds"), said, hint)


def check_running(
    loc: Loc, context: Context, texts: Mapping[str, bool], complain: Complain
) -> None:
    """Values in which a machine runs are such as its tag can have.

    Args:
        loc: of the pipeline.
        context: as configured.
        texts: whether each role of the asset type is a text.
        complain: takes every complaint.
    """
    for role, values in context.running.items():
        at = (*loc, "context", "running", role)
        if not values:
            said = f"{role} has no value here: the machine would never run"
            complain(at, said, "name the values in which it does")
        for place, value in enumerate(values):
            if not value.strip() or len(value) > LONGEST:
                said = f"{shown(value)} is no state a tag can tell"
                complain((*at, place), said, "name a state, as the tag says it")
            elif not (texts.get(role, True) or _NUMBER.fullmatch(value)):
                said = f"{role} is a number and never says {shown(value)}"
                hint = "write the number, or text: true at the tag"
                complain((*at, place), said, hint)


def check_tag(
    roster: Roster,
    role: str,
    tag: TagBinding,
    source: Source | None,
    complain: Complain,
) -> None:
    """Unit, range, and settings that this kind of source does not have."""

    def wrong(key: str, message: str, hint: str = "remove it") -> None:
        complain((*roster.loc(role), key), message, hint, roster.at(role, key))

    if not units.known(tag.unit):
        hint = units.nearest(tag.unit) or _COMMON
        wrong("unit", f"the unit {tag.unit!r} is not known", hint)
    if tag.range is not None and not tag.range[0] < tag.range[1]:
        low, high = tag.range
        said = f"the range begins at {low:g} and ends at {high:g}"
        wrong("range", said, "write [low, high]")
    if tag.text and (tag.range is not None or tag.unit or tag.deadband is not None):
        said = "a text has no unit, range or deadband"
        wrong("text", said, "remove them, or text: true")
    if isinstance(source, OpcUaSource) and tag.field is not None:
        wrong("field", "field is for MQTT payloads; an OPC UA node is one value")
    if isinstance(source, MqttSource) and tag.deadband is not None:
        wrong("deadband", "an MQTT broker knows no deadband")


def _check_credentials(
    loc: Loc,
    link: Source | MqttLink | Registry,
    complain: Complain,
    *,
    token: bool = False,
) -> None:
    if link.password_file and link.password_credential:
        said = "password_file and password_credential exclude each other"
        complain((*loc, "password_credential"), said, "remove one of them")
    for key in ("password_file", "password_credential"):
        if getattr(link, key) and not link.user and not token:
            complain((*loc, key), "a password without a user", "add user: NAME")
    name = link.password_credential
    if name is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", name):
        said = f"{name!r} is not the name of a credential"
        hint = "write the name after LoadCredential=, not a path"
        complain((*loc, "password_credential"), said, hint)


def _check_tls(loc: Loc, link: MqttLink | Registry, complain: Complain) -> None:
    tls = link.tls
    if tls is None:
        return
    if (tls.cert_file is None) != (tls.key_file is None):
        lacking = "key_file" if tls.key_file is None else "cert_file"
        said = f"a client certificate needs both files: {lacking} is missing"
        complain((*loc, "tls"), said, f"add {lacking}: FILE")
