"""Durable state: what was recorded and not yet acknowledged, and the checkpoint.

One SQLite file, one connection, one thread (`journal`), the only user of sqlite3.

**Invariants**

* A turn's records and its checkpoint are one transaction: after a crash either
  both happened or neither did.
* A row leaves ``outbox`` only when every output acknowledged it, or when it was
  counted into ``ledger`` in the same transaction. Nothing is dropped unseen.
* What an output has acknowledged reaches the disk with the next commit: after a flush
  interval, or 500 records, whichever comes first. After a crash or a power cut it is
  sent again, under the same ids: what was in flight, what was acknowledged since the
  commit before (up to 500 records, and as many while one is being written), and the
  rows before it of a record that was not through: a record is acknowledged whole.
* Order is ``id = boot << 44 | seq``: it never depends on a clock. ``boot`` rises
  with every opening, ``seq`` with every row; no id is used twice.
* Every body carries a CRC over itself and its columns: SQLite's own check does
  not see a flipped bit inside a blob.
* The file is opened with ``locking_mode=EXCLUSIVE``. The WAL-reset bug of SQLite
  3.7.0 to 3.51.2 (Debian 12 ships 3.40.1) needs two connections; here a second
  one is refused by SQLite itself, which every opening tries (`engine`). Who wants
  to look asks the agent; a file that no agent has open is read without a lock
  (`offline`).
* A sync that failed is told once, then the system's cache says that all is well.
  Nothing is built on a log that may have such a gap: it is written over itself
  first (`recovery.mend_log`).
* What takes long goes in pieces between commits (`chores`): to look through a large
  file, to carry a damaged one over. A crash on the way ends neither.
* Every alarm, finding, drift row and snapshot leaves a row in the commit that
  remembers it, whether it was acknowledged before or is owed to nobody. These tables
  are rings: oldest out first. Drift is added up to days before, without any loss.
* A record is owed to the outputs that take its type (`records.appetites`). What SCADA
  does not take is numbered apart, so that it sees no gap.

**On disk** (`database.SCHEMA`)

========== =====================================================================
outbox     one row a record: packed columns of a turn, ``owed`` = bits of outputs
checkpoint name -> state of the core after the last committed turn
info       what all scores of a pipeline share, by digest, written once
ledger     losses not yet turned into a loss record
quarantine records an output refused for good
output     which bit stands for which output
alarm      one row a transition of an alarm: what raised it, long after it was sent
finding    one row a transition of a finding; open is what no row has closed
drift      one row a pipeline, context and block, later one a day
snapshot   how something stood (accuracy), the newest of each day
========== =====================================================================

Reading order: `journal` (the way in), `tray` (who waits for what), `outbox` (waiting
in memory), `writer` (the thread), `database`, `ledger`, `rings`, `archive` (what is
kept) with `traces`, `findings`, `drifts` and `snapshots`, `history` (how it is read),
`recovery` with `salvage` and `pending`, `chores`, `soundness`, `engine`, `codec` with
`scores`, `bodies` and `central`.
"""
