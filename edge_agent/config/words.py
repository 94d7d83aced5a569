"""A pydantic complaint in the words of someone who knows PLCs, not Python."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from edge_agent.config.problems import did_you_mean, listed
from edge_agent.config.scalars import NOTHING, Wrong, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails

    from edge_agent.config.problems import Loc

_SECRETS = {"password", "passwd", "pwd", "secret", "token", "passphrase"}
_INSTEAD = (
    "write it to a file only the agent can read and say password_file: "
    "/etc/edge-agent/NAME.password, or password_credential: NAME "
    "(systemd LoadCredential=)"
)
_EMPTY = "write a value or remove the key; a text that begins with # needs quotes"
_WANTED = {
    "string_type": "a text",
    "model_type": "a block of keys (key: value)",
    "model_attributes_type": "a block of keys (key: value)",
    "dict_type": "a block of keys (key: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "path_type": "a file name",
}
_LIMITS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def in_words(error: ErrorDetails, root: type[BaseModel]) -> tuple[str, str]:
    """What is wrong, and what to do; ``root`` is the model that was validated."""
    kind, value, loc = error["type"], error["input"], error["loc"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), value, keys_at(root, loc[:-1]))
    if value is NOTHING:
        return "nothing is written here", _EMPTY
    wrong = context.get("error")
    if isinstance(wrong, Wrong):
        return wrong.message, wrong.hint
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{shown(value)} is out of bounds", f"allowed: {words} {context[key]:g}"
    if kind in _WANTED:
        return f"{_WANTED[kind]} is wanted here, not {shown(value)}", ""
    known = _KNOWN.get(kind)
    return known(str(loc[-1]), value, context) if known else (error["msg"], "")


def keys_at(root: type[BaseModel], loc: Loc) -> list[str]:
    """The keys the schema knows at a place, for "allowed:"."""
    known = [root]
    for part in loc:
        known = [below for kind in known for below in _below(kind, part)]
    models = [kind for kind in known if _is_model(kind)]
    return list(dict.fromkeys(name for kind in models for name in kind.model_fields))


def _below(kind: Any, part: str | int) -> list[Any]:  # noqa: ANN401  (an annotation)
    """The annotations one step deeper; a union's tag stays at its model."""
    if not _is_model(kind):
        inside = get_args(kind)
        return _parts(inside[1] if get_origin(kind) is dict else inside[0])
    if part in kind.model_fields:
        return _parts(kind.model_fields[part].annotation)
    tag = kind.model_fields.get("type")
    return [kind] if tag and part in get_args(tag.annotation) else []


def _parts(annotation: Any) -> list[Any]:  # noqa: ANN401  (an annotation)
    """The members of a union, without what pydantic is told about them."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return [part for member in get_args(annotation) for part in _parts(member)]
    return [annotation] if _is_model(annotation) or get_args(annotation) else []


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _unknown(key: str, value: object, allowed: list[str]) -> tuple[str, str]:
    if key.casefold() in _SECRETS:
        return "a password may not stand in this file", _INSTEAD
    said = f"unknown key {key!r}; allowed: {listed(allowed)}"
    if value is NOTHING and not did_you_mean(key, allowed):
        hint = "inside { } a comma ends a value: a text with a comma needs quotes"
        return said, hint
    return said, did_you_mean(key, allowed)


def _one_of(value: object, expected: str) -> tuple[str, str]:
    allowed = [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]
    near = did_you_mean(str(value), allowed) if isinstance(value, str) else ""
    return f"{shown(value)} is not known here; allowed: {listed(allowed)}", near


def _pattern(value: object, key: str) -> tuple[str, str]:
    what, hint = _PATTERNS.get(key, ("allowed here", ""))
    return f"{shown(value)} is not {what}", hint


_PATTERNS = {
    "endpoint": ("an OPC UA endpoint", "write opc.tcp://HOST:PORT"),
    "url": ("an address of a server", "write https://HOST:PORT, without a user"),
    "proxy": ("an address of a proxy", "write http://HOST:PORT, without a user"),
    "model": ("a model reference", "write NAME or NAME@VERSION"),
}
_TWO = ("two numbers are wanted", "write [low, high]")
_KNOWN: dict[str, Callable[[str, object, dict[str, Any]], tuple[str, str]]] = {
    "missing": lambda key, _, __: (f"{key!r} is missing", ""),
    "literal_error": lambda _, value, ctx: _one_of(value, ctx["expected"]),
    "enum": lambda _, value, ctx: _one_of(value, ctx["expected"]),
    "union_tag_invalid": lambda _, __, ctx: _one_of(ctx["tag"], ctx["expected_tags"]),
    "union_tag_not_found": lambda _, __, ___: (
        "'type' is missing",
        "write type: opcua or type: mqtt",
    ),
    "string_pattern_mismatch": lambda key, value, _: _pattern(value, key),
    "too_long": lambda _, __, ___: _TWO,
    "too_short": lambda _, __, ___: _TWO,
}
