"""What is asked of a vetting and what comes back, as plain values. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass

_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class VetLimits:
    """What one model may use while it is looked at.

    The defaults fit the unit's MemoryHigh of 400 MB: some 130 MB of agent, 45 MB of
    warm room, the rest for the model. A gateway with larger models raises both.

    Attributes:
        wall_s: seconds in all.
        cpu_s: seconds of processor time.
        memory_mb: MiB of memory of its own (RLIMIT_DATA) beyond what the room has.
        address_mb: MiB of addresses (RLIMIT_AS) beyond what the room has: what
            ``memory_mb`` does not count, such as shared and mapped files.
        files: open at a time.
    """

    wall_s: float = 30.0
    cpu_s: int = 10
    memory_mb: int = 192
    address_mb: int = 1024
    files: int = 64


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a vetting found.

    Attributes:
        accepted: it may be watched on live rows.
        reason: why not, in a sentence; empty when accepted.
        name, version, release, digest: from its passport, as far as it could be read.
        load_ms: to read, verify, load and prove it.
        p50_us, p99_us: a call over the rows its passport states an allowance for.
        row_us: median of a call over one row.
        memory_mb: resident MiB that loading and running it added.
        cpu_s: processor time of the whole vetting.
        rows_per_call: 1 when it runs row by row to be exact, None for no limit.
        exact: a row has the same score in every batch.
        remarks: what is worth knowing and no reason to refuse it.
    """

    accepted: bool
    reason: str = ""
    name: str = ""
    version: str = ""
    release: int = 0
    digest: str = ""
    load_ms: float = 0.0
    p50_us: float = 0.0
    p99_us: float = 0.0
    row_us: float = 0.0
    memory_mb: float = 0.0
    cpu_s: float = 0.0
    rows_per_call: int | None = None
    exact: bool = False
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The same for a record or a file."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Request:
    """What the room is asked."""

    folder: str
    limits: VetLimits


def fit_to_show(reason: str) -> str:
    """A reason without what a hostile name could do to a screen, and not too long."""
    shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in reason)
    return (
        shown if len(shown) <= _LONGEST_REASON else shown[: _LONGEST_REASON - 1] + "…"
    )
