"""Pieces of a page: tables, lists, numbers. Everything is escaped here. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LONG, _SLACK = 15, 5  # rows of a table that is not folded
_LONGEST = 4_000  # characters of one value


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int | None = None
) -> str:
    """A table; columns from ``numbers`` on stand to the right."""

    def cell(tag: str, place: int, text: str) -> str:
        kind = " class=n" if numbers is not None and place >= numbers else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    top = "".join(cell("th", place, text) for place, text in enumerate(head))
    body = "".join(
        f"<tr>{''.join(cell('td', place, text) for place, text in enumerate(row))}</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def long_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose rows are folded away where there are many; the first count most."""
    if len(rows) <= _LONG + _SLACK:
        return table(head, rows)
    rest = folded(f"{len(rows) - _LONG:,} more", table(head, rows[_LONG:]))
    return table(head, rows[:_LONG]) + rest


def facts(given: Mapping[str, Any]) -> str:
    """Names and values; what is not known is left out."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(plain(value))}</dd>"
        for name, value in given.items()
        if value not in (None, "", [], {}, ())
    )
    return f"<dl>{rows}</dl>"


def bullets(given: Iterable[str], kind: str = "") -> str:
    """A list of sentences."""
    of = f" class={kind}" if kind else ""
    return f"<ul{of}>{''.join(f'<li>{escape(one)}</li>' for one in given)}</ul>"


def captioned(drawing: str, title: str) -> str:
    """A chart and what it shows."""
    if not drawing:
        return ""
    return f"<figure>{drawing}<figcaption>{escape(title)}</figcaption></figure>"


def folded(title: str, content: str) -> str:
    """What is read when it is wanted."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def muted(text: str) -> str:
    """A remark."""
    return f"<p class=muted>{escape(text)}</p>" if text else ""


def counted(count: int, thing: str) -> str:
    """As people say it."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def plain(value: object) -> str:
    """A passport's value in words."""
    if value is None:
        return ""
    if isinstance(value, dict):
        said = (
            f"{key}: {plain(one)}".replace("_", " ", 1) for key, one in value.items()
        )
        text = ", ".join(said)
    elif isinstance(value, list | tuple):
        text = "; ".join(map(plain, value))
    else:
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def moment(text: str) -> str:
    """A time to the minute; the page says that all are UTC."""
    return text[:16].replace("T", " ")


def number(value: float | None) -> str:
    """Four digits; empty where it is not known."""
    return "" if value is None else f"{value:.4g}"


def share(value: float | None) -> str:
    """As a percentage."""
    return "" if value is None else f"{100 * value:.3g} %"
