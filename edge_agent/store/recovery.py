"""Opening whatever is there: intact, missing, damaged, foreign or from the future.

A file that is not usable is put aside under a name with the time, never deleted
(the three newest are kept), a new one is begun, and every record that can still be
read, with a matching CRC, is carried over.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge_agent.durable import sync_folder, write_again, write_whole
from edge_agent.errors import StoreDamaged, StoreInUse
from edge_agent.samples import NANOSECONDS
from edge_agent.store import pending
from edge_agent.store.database import Database
from edge_agent.store.pending import Pending
from edge_agent.store.salvage import Salvage, unfinished
from edge_agent.store.schema import code_of, is_taken

if TYPE_CHECKING:
    from pathlib import Path

# SQLite's lock bytes, pending to shared: https://www.sqlite.org/src/file/src/os.h
_LOCKED = (512, 0x40000000)
_BEGUN = 1 << 20
_NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOLCK}
_SIDE = ("", "-wal", "-shm", "-journal")


def open_store(
    path: Path, limit: int, now: int, *, patient: bool = True, damage: str = ""
) -> tuple[Database, Salvage | None]:
    """Open the store, putting a damaged file aside.

    Args:
        path: the file.
        limit: bytes of bodies kept at most.
        now: wall-clock time in ns, for the name of a file put aside.
        patient: False takes a file that cannot be read on a disk that can be
            written for damaged: a bad block does not go away by waiting.
        damage: what was found wrong with the file while it was in use.

    Returns:
        The store, and what is still to be carried over from a file put aside, now or
        before a crash.

    Raises:
        sqlite3.OperationalError: the disk does not let us, or the file is in use.
        OSError: the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _mend(path)
    reason, database = damage or _emptied(path), None
    try:
        database = None if reason else Database(path, limit)
    except StoreDamaged as error:
        reason = str(error)
    except sqlite3.OperationalError as error:
        unreadable = code_of(error) == sqlite3.SQLITE_IOERR
        if patient or not unreadable or not _writable(path.parent):
            raise
        reason = f"{path}: {error}"
    if database is None:
        _put_aside(path, now, reason)
        database = Database(path, limit)
    return database, unfinished(path)


def refuse_taken(path: Path, error: BaseException) -> None:
    """Raise what an error says of another process, if it says so.

    Raises:
        StoreInUse: another process has the file.
    """
    if is_taken(error):
        raise StoreInUse(
            f"{path} is in use: another edge-agent runs with this state_dir; stop it,"
            " or give this one its own"
        ) from error


def _emptied(path: Path) -> str:
    """What is wrong with a file that holds nothing and held something before."""
    if read_boot(path) and path.exists() and not path.stat().st_size:
        return f"{path} is empty, and was not when the agent ran last"
    return ""


def mend_log(path: Path) -> None:
    """Make the log beside a store last, whatever became of syncs before.

    SQLite reads it from the system's cache and builds on it: behind a part that a
    failed sync has left there, nothing would outlast a power cut. Only for who holds
    the store's lock.

    Raises:
        OSError: the disk does not let us.
    """
    with (
        contextlib.suppress(FileNotFoundError),
        path.with_name(path.name + "-wal").open("rb+") as log,
    ):
        write_again(log.fileno())


def _mend(path: Path) -> None:
    """The same before the file is opened, and for a file that was just begun.

    A file that another process has is left alone: opening it says so.
    """
    try:
        with path.open("rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, *_LOCKED)
            mend_log(path)
            if path.stat().st_size <= _BEGUN:
                write_again(file.fileno())
    except (FileNotFoundError, BlockingIOError):
        return
    except OSError as error:
        # where nothing can be written or locked, it can still be read
        if error.errno not in _NOT_WRITABLE:
            raise


def read_boot(path: Path) -> int:
    """Boot number noted beside the store; 0 if there is none.

    The store alone could not keep it from going back when its file is lost, and a
    consumer drops an id it has seen.
    """
    try:
        return int(_boot_note(path).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def write_boot(path: Path, number: int) -> None:
    """Note the boot number beside the store, atomically.

    Raises:
        OSError: the disk does not let us.
    """
    write_whole(_boot_note(path), f"{number}\n".encode("ascii"))


def _boot_note(path: Path) -> Path:
    return path.with_name(path.name + ".boot")


def _writable(folder: Path) -> bool:
    """Whether the disk takes something new."""
    probe = folder / ".probe"
    try:
        with probe.open("wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError:
        return False
    return True


def _put_aside(path: Path, now: int, reason: str) -> None:
    date = datetime.fromtimestamp(now // NANOSECONDS, UTC)
    label = date.strftime("damaged-%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.{label}")
    number = 0
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.{label}-{number}")
    pending.write(path, Pending(aside.name, reason))
    # the log must go with its file: left behind, it would be read into the new one
    for side in _SIDE[::-1]:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
    sync_folder(path.parent)
    _forget_old(path)


def _forget_old(path: Path) -> None:
    found = [
        file
        for file in path.parent.glob(f"{path.name}.damaged-*")
        if not file.name.endswith(_SIDE[1:])
    ]
    found.sort(key=lambda file: (file.stat().st_mtime_ns, file.name))
    for file in found[: -pending.KEPT]:
        for side in _SIDE:
            file.with_name(file.name + side).unlink(missing_ok=True)
