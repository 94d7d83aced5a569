"""What the centre's store said, in words of what to do. Pure."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 200
_CODE = re.compile(r"<Code>\s*([A-Za-z]{1,60})\s*</Code>")
_STATUS = re.compile(r"status code: (\d{3}(?: [A-Z][A-Za-z]+)*)")
_REFUSED = ("PermissionDeniedError", "UnauthenticatedError")
#: What stands in an error of the client, and what it means; the first that fits.
_WHY = (
    ("ertificate", "its certificate is not trusted: name its authority in ca_file"),
    ("UnknownIssuer", "its certificate is not trusted: name its authority in ca_file"),
    ("ConnectionRefused", "nothing listens there"),
    ("dns error", "its name is not known here: check endpoint, or the name server"),
    ("InvalidContentType", "it does not speak TLS: check https:// in endpoint"),
    ("Unreachable", "there is no way to it in the network"),
    ("TimedOut", "it does not answer"),
    ("timed out", "it does not answer"),
    ("Reset", "the connection was cut"),
    ("BrokenPipe", "the connection was cut"),
    ("IncompleteMessage", "the connection was cut"),
    ("UnexpectedEof", "the connection was cut"),
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
    whole = str(why)
    code, status = _CODE.search(whole), _STATUS.search(whole)
    said = code[1] if code else (status[1] if status else _meaning(whole))
    if "RequestTimeTooSkewed" in said:
        return f"centre {where}: this computer's clock is wrong: set it ({said})"
    if isinstance(why, FileNotFoundError):
        return f"centre {where}: the bucket or object is not there ({said}): make it"
    if type(why).__name__ in _REFUSED or said[:3] in {"401", "403"}:
        return (
            f"centre {where}: it does not let this gateway in ({said}): check"
            " access_key and the secret key in password_file, and that the key may"
            " write there"
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


def _meaning(whole: str) -> str:
    """What went wrong on the way, in words that repeat: the log tells each once."""
    for sign, words in _WHY:
        if sign in whole:
            return words
    line = whole.strip().split("\n", 1)[0]
    line = re.sub(r"Error performing \S+ \S+ in \S+ - ", "", line)
    return re.sub(r"(?<=://)[^/@\s]+(?=@)", "***", line)[:_LONGEST]
