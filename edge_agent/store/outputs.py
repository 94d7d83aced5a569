"""Which bit of a record's debts stands for which output.

In the file an output keeps its bit whatever becomes of the configuration. Functions on
the store's connection; `change` runs within a transaction of the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.store import ledger

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

_MOST = 62  # bits of an SQLite integer that are safe to use


def known(sql: sqlite3.Connection) -> dict[str, int]:
    """Bit of each output the file knows."""
    return dict(sql.execute("SELECT name, bit FROM output").fetchall())


def change(
    sql: sqlite3.Connection, before: dict[str, int], names: Sequence[str]
) -> dict[str, int]:
    """Take the configured outputs in the place of others, whose debts are cancelled.

    Args:
        sql: the store.
        before: what `known` said.
        names: the configured ones.
    """
    bits = dict(before)
    for name in before:
        if name not in names:
            ledger.cancel(sql, bits.pop(name), name)
    for name in names:
        if name not in bits:
            taken = set(bits.values())
            bits[name] = next(b for b in range(_MOST) if b not in taken)
            sql.execute("INSERT INTO output VALUES (?, ?)", (bits[name], name))
    return bits
