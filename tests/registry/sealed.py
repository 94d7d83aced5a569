"""Vets bundles under the system-call filter of the unit: what systemd would do to it.

``@resources`` and the two calls that set limits, answered with EPERM as the unit says.
Arguments: ``prlimit64`` to deny that too, then the folders.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import struct
import sys
from pathlib import Path

from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.vetting import VettingRoom

#: Of x86-64: what `systemd-analyze syscall-filter @resources` lists.
RESOURCES = {
    "ioprio_set": 251,
    "mbind": 237,
    "migrate_pages": 256,
    "move_pages": 279,
    "sched_setaffinity": 203,
    "sched_setattr": 314,
    "sched_setparam": 142,
    "sched_setscheduler": 144,
    "set_mempolicy": 238,
    "set_mempolicy_home_node": 450,
    "setpriority": 141,
    "setrlimit": 160,
}
PRLIMIT64 = 302
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVS, _SECCOMP, _FILTER = 38, 22, 2


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def seal(denied: list[int]) -> None:
    """Deny system calls to this process and all it starts."""
    steps = [(_LOAD, 0, 0, 0)]
    for number in denied:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno.EPERM)]
    steps.append((_RETURN, 0, 0, _ALLOW))
    body = b"".join(struct.pack("HBBI", *step) for step in steps)
    libc, program = ctypes.CDLL(None, use_errno=True), Program(len(steps), body)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter here")


def plain_setrlimit() -> int:
    """What the kernel says to the call that the filter denies."""
    libc = ctypes.CDLL(None, use_errno=True)
    pair = (ctypes.c_ulong * 2)(0, 0)
    libc.syscall(RESOURCES["setrlimit"], resource.RLIMIT_CORE, pair)
    return ctypes.get_errno()


def _reason(room: VettingRoom, folder: Path) -> str:
    try:
        return room.vet(folder).reason
    except RegistryUnavailable as error:
        return f"later: {error}"


def main(folders: list[str]) -> None:
    """Print what became of each folder."""
    denied = list(RESOURCES.values())
    if folders[0] == "prlimit64":
        denied.append(PRLIMIT64)
        folders = folders[1:]
    seal(denied)
    with VettingRoom() as room:
        found = [_reason(room, Path(folder)) for folder in folders]
    print(json.dumps({"setrlimit": plain_setrlimit(), "reasons": found}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
