"""What the writer answers between commits: what is owed, what is kept."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from edge_agent.store import history, looking
from edge_agent.store.archive import Left
from edge_agent.store.traces import left_by
from edge_agent.store.work import Inquiry, Look, Recall

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.store.database import Database
    from edge_agent.store.outbox import Loss, LossKey, Stored
    from edge_agent.store.traces import Origin
    from edge_agent.store.tray import Tray
    from edge_agent.store.work import Ask, Read

    Unread = Callable[[dict[LossKey, Loss]], None]

DAMAGED_ROW = "record damaged on disk"


def give(
    read: Ask,
    database: Database | None,
    tray: Tray,
    origin: Origin,
    unread: Unread,
) -> sqlite3.Error | None:
    """Answer, from memory alone where the disk fails; returns its failure.

    Args:
        read: what is asked, already marked as running.
        database: the store, None while it cannot be opened.
        tray: what is not on the disk yet.
        origin: what the traces of this run's alarms share.
        unread: told what was dropped because it could not be read.
    """
    if isinstance(read, Look):
        return _give_traces(read, database, tray, origin)
    if isinstance(read, Recall):
        return _give_kept(read, database, tray, origin)
    if isinstance(read, Inquiry):
        return _give_read(read, database)
    return _give_owed(read, database, tray, unread)


def _give_read(asked: Inquiry[Any], database: Database | None) -> sqlite3.Error | None:
    found, error = asked.otherwise, None
    try:
        if database is not None:
            found = database.inquire(asked.read)
    except sqlite3.Error as why:
        error = why
    asked.answer.set_result(found)
    return error


def _give_traces(
    look: Look, database: Database | None, tray: Tray, origin: Origin
) -> sqlite3.Error | None:
    waiting = list(left_by(tray.traced(), origin))
    found, error = looking.look(None, look.query, waiting), None
    try:
        if database is not None:
            found = database.look(look.query, waiting)
    except sqlite3.Error as why:
        error = why
    look.answer.set_result(found)
    return error


def _give_kept(
    asked: Recall, database: Database | None, tray: Tray, origin: Origin
) -> sqlite3.Error | None:
    waiting, error = Left.by(tray.traced(), origin), None
    found = history.read(None, asked.query, waiting)
    try:
        if database is not None:
            found = database.recall(asked.query, waiting)
    except sqlite3.Error as why:
        error = why
    asked.answer.set_result(found)
    return error


def _give_owed(
    read: Read, database: Database | None, tray: Tray, unread: Unread
) -> sqlite3.Error | None:
    """Records still owed: those on disk first, then those still in memory."""
    found: list[Stored] = []
    exhausted, error = True, None
    try:
        if database is not None:
            found, exhausted = _read_disk(read, database, tray, unread)
    except sqlite3.Error as why:
        error = why
    if exhausted:
        found += tray.waiting(read)[: read.limit - len(found)]
    read.answer.set_result(found)
    return error


def _read_disk(
    read: Read, database: Database, tray: Tray, unread: Unread
) -> tuple[list[Stored], bool]:
    """Some of what the file has, and whether that was the last of it."""
    after = read.after
    while True:
        good, bad = database.owed_to(read.bit, after, read.limit, urgent=read.urgent)
        if bad:
            unread(database.discard(bad, DAMAGED_ROW))
        owed = tray.unsettled(read, good)
        exhausted = len(good) + len(bad) < read.limit
        if owed or exhausted:
            return owed, exhausted
        after = max([*bad, *(stored.id for stored in good)])
