"""What the centre's store said, in words of what to do. Pure."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 300
_KEYS = (
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "AccessDenied",
    "RequestTimeTooSkewed",
    "401 ",
    "403 ",
)
_LOCAL = {
    errno.ENOSPC: "the disk is full: free room there",
    errno.EDQUOT: "the quota is used up: free room there",
    errno.EROFS: "it can only be read: mount it for writing",
    errno.EACCES: "the agent's user may not write there: change its owner or mode",
    errno.EPERM: "the agent's user may not write there: change its owner or mode",
    errno.ENOENT: "the folder is gone: mount or make it",
    errno.EIO: "the disk fails: replace it",
    errno.ESTALE: "the share was lost: mount it again",
    errno.ELOOP: "a folder in it is a link, which is not followed",
}


def told(where: str, why: Exception) -> str:
    """A sentence for what a store or a disk refused."""
    if isinstance(why, OSError) and why.errno is not None:
        hint = _LOCAL.get(why.errno, (why.strerror or str(why)).lower())
        return f"centre {where}: cannot be written: {hint}; everything waits until then"
    said = _first_line(why)
    whole = str(why)
    if isinstance(why, FileNotFoundError):
        return f"centre {where}: the bucket or object is not there: {said}; make it"
    if "RequestTimeTooSkewed" in whole:
        return f"centre {where}: this computer's clock is wrong: set it; {said}"
    if type(why).__name__ in {"PermissionDeniedError", "UnauthenticatedError"} or any(
        word in whole for word in _KEYS
    ):
        return (
            f"centre {where}: it does not let this gateway in: check access_key and the"
            f" secret key in password_file, and that the key may write there; {said}"
        )
    if "ertificate" in whole:
        return (
            f"centre {where}: its certificate is not trusted: name its authority in"
            f" ca_file; {said}"
        )
    return f"centre {where}: not reached: {said}; everything waits until it is"


def lets_in(why: Exception) -> bool:
    """Whether a store that does not give an object has at least known us.

    One that lets us write and not read says ``AccessDenied``.
    """
    said = str(why)
    missing = isinstance(why, FileNotFoundError) and "NoSuchBucket" not in said
    return missing or "AccessDenied" in said


def silent(where: str) -> str:
    """A sentence for no answer."""
    return f"centre {where}: it does not answer; everything waits until it does"


def no_folder(path: Path) -> str:
    """A sentence for a folder that is not there."""
    return (
        f"centre {path}: there is no such folder: mount the share or stick, or make it;"
        " everything waits until then"
    )


def stuck(folder: Path) -> str:
    """A sentence for a disk of the agent's own that hangs."""
    return f"centre: the disk of {folder} does not answer; nothing is sent until then"


def nearly_full(where: str, reserve: int) -> str:
    """A sentence for a disk with little room."""
    return (
        f"centre {where}: less than {reserve >> 20} MiB are free there: free room;"
        " everything waits until then"
    )


def no_authority(path: Path, why: OSError) -> str:
    """A sentence for a file of authorities that cannot be read."""
    reason = (why.strerror or str(why)).lower()
    return f"centre: ca_file {path} cannot be read: {reason}"


def no_note(path: Path, why: OSError) -> str:
    """A sentence for a plan that could not be written down."""
    reason = (why.strerror or str(why)).lower()
    return (
        f"centre: what is to be sent cannot be noted in {path}: {reason}; free room"
        " there; nothing is sent until then"
    )


def _first_line(why: Exception) -> str:
    line = str(why).strip().split("\n", 1)[0]
    line = re.sub(r"(?<=://)[^/@\s]+(?=@)", "***", line)
    return line[:_LONGEST]
