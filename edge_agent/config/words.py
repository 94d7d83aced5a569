"""A pydantic complaint in the words of someone who knows PLCs, not Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from edge_agent.config.problems import did_you_mean, listed
from edge_agent.config.scalars import Wrong, shown

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
    wrong = context.get("error")
    if isinstance(wrong, Wrong):
        return wrong.message, wrong.hint
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), value, keys_at(root, loc[:-1]))
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{shown(value)} is out of bounds", f"allowed: {words} {context[key]:g}"
    if kind in _WANTED:
        return _wanted(_WANTED[kind], value)
    known = _KNOWN.get(kind)
    return known(str(loc[-1]), value, context) if known else (error["msg"], "")


def keys_at(root: type[BaseModel], loc: Loc) -> list[str]:
    """The keys the schema knows at a place, for "allowed:"."""
    known: list[Any] = [root]
    for part in loc:
        known = [deeper for kind in known for deeper in _below(kind, part)]
    return [name for kind in known for name in getattr(kind, "model_fields", {})]


def _below(kind: object, part: str | int) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(part))
        if field is not None:
            return _inside(field.annotation)
        tag = kind.model_fields.get("type")
        return [kind] if tag and part in get_args(tag.annotation) else []
    return [kind]


def _inside(annotation: object) -> list[Any]:
    """The models an annotation can hold: dict[str, A | B] gives A and B."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _inside(part)]


def _unknown(key: str, value: object, allowed: list[str]) -> tuple[str, str]:
    if key.casefold() in _SECRETS:
        return "a password may not stand in this file", _INSTEAD
    said = f"unknown key {key!r}; allowed: {listed(allowed)}"
    if value is None and not did_you_mean(key, allowed):
        hint = "inside { } a comma ends a value: a text with a comma needs quotes"
        return said, hint
    return said, did_you_mean(key, allowed)


def _one_of(value: object, expected: str) -> tuple[str, str]:
    allowed = [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]
    near = did_you_mean(str(value), allowed) if isinstance(value, str) else ""
    return f"{shown(value)} is not known here; allowed: {listed(allowed)}", near


def _wanted(wanted: str, value: object) -> tuple[str, str]:
    if value is None:
        return f"nothing is written here; {wanted} is wanted", (
            "a text that begins with # needs quotes" if wanted == "a text" else ""
        )
    return f"{wanted} is wanted here, not {shown(value)}", ""


def _pattern(value: object, key: str) -> tuple[str, str]:
    what, hint = _PATTERNS.get(key, ("allowed here", ""))
    return f"{shown(value)} is not {what}", hint


_PATTERNS = {
    "endpoint": ("an OPC UA endpoint", "write opc.tcp://HOST:PORT"),
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
