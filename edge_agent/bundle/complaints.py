"""A validation error in sentences for whoever wrote the passport."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_SHORT = 60
_WORDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "tuple_type": "must be a list",
    "date_from_datetime_parsing": "must be a date such as 2027-01-31",
    "date_parsing": "must be a date such as 2027-01-31",
    "datetime_parsing": "must be a time such as 2026-05-01T06:00:00Z",
    "datetime_from_date_parsing": "must be a time such as 2026-05-01T06:00:00Z",
}


def plain_sentences(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Every problem as ``place: what is wrong, what is allowed``."""
    return list(
        dict.fromkeys(
            f"{_place(detail)}{_what(detail, root)}"
            for detail in error.errors(include_url=False)
        )
    )


def _place(detail: ErrorDetails) -> str:
    path = ""
    for step in detail["loc"]:
        if isinstance(step, int):
            path += f"[{step}]"
        elif "[" not in step and step != "constrained-str":
            path += f".{step}" if path else step
    return f"{path}: " if path else ""


def _what(detail: ErrorDetails, root: type[BaseModel]) -> str:
    kind, given = detail["type"], detail["input"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not known here" + _nearest(detail, root)
    if kind == "literal_error":
        return (
            f"{given!r} is not one of {detail['ctx']['expected'].replace(' or ', ', ')}"
        )
    if kind in _WORDS:
        return f"{_WORDS[kind]}, not {_short(given)}"
    if kind == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    text = detail["msg"]
    return f"{text[0].lower()}{text[1:]}, not {_short(given)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def _nearest(detail: ErrorDetails, root: type[BaseModel]) -> str:
    allowed = _keys_at(root, detail["loc"][:-1])
    near = get_close_matches(str(detail["loc"][-1]), allowed, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return hint or (f"; allowed: {', '.join(allowed)}" if allowed else "")


def _keys_at(root: type[BaseModel], steps: tuple[int | str, ...]) -> list[str]:
    """Keys of the model that a path of an error leads to."""
    model: type[BaseModel] | None = root
    for step in steps:
        if model is None or not isinstance(step, str) or step not in model.model_fields:
            continue
        model = next(_models(model.model_fields[step].annotation), None)
    return list(model.model_fields) if model else []


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
