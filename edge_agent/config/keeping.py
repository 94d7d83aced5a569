"""What the operator may write of what is kept: the store, evidence, the centre."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edge_agent.config.monitoring import Frozen
from edge_agent.config.scalars import Flag, Interval, Name, Size

_DAY = 86_400.0


class Store(Frozen):
    """The durable outbox."""

    flush: Interval = 1.0
    """Scores wait this long to be written together; alarms never wait."""
    limit: Size | None = None
    """At most this much waits on disk, then the oldest goes of the least important
    that has more than its share. Without it: what survive needs, 1GiB or more, as far
    as the disk spares it."""
    survive: Interval = 3 * _DAY
    """How long a broker may be away without loss; status says whether it holds."""


class Evidence(Frozen):
    """The chained log of alarms, changes and operators' actions."""

    keep: Interval = 180 * _DAY
    """How long it is kept; less when its share of the disk is full."""
    limit: Size = 256 * 2**20
    """At most this much on disk; then the oldest segments go."""


class Centre(Frozen):
    """Where every gateway's predictions, drift, labels and evidence are gathered."""

    type: Literal["directory", "s3"] = "directory"
    path: Path | None = None
    """directory: a folder on this disk, a share or a stick."""
    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    """s3: https://HOST:PORT of the object store."""
    bucket: (
        Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None
    ) = None
    """s3: the bucket."""
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._=-]*/?)*$")] = ""
    """s3: in front of every object's name."""
    region: Name = "us-east-1"
    """s3: as the store calls it; most do not care."""
    access_key: str | None = None
    """s3: who the gateway is."""
    password_file: Path | None = None
    """s3: a file with the secret key alone, which only the agent may read."""
    password_credential: str | None = None
    """s3: name of a systemd credential (LoadCredential=) with the secret key."""
    ca_file: Path | None = None
    """s3: own authority (PEM)."""
    proxy: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    """s3: through this proxy; those of the environment are not used."""
    allow_http: Flag = False
    """s3: http:// to another computer; anybody on the way can read and change it."""
    every: Interval = 900.0
    """How long rows are gathered for one object; the last minutes are missing there."""
    keep: Interval | None = None
    """directory: this gateway's days older than that are removed; without it none."""
    max_rate: Annotated[Size, Field(ge=1024)] | None = None
    """Bytes a second at most, for lines that others use too."""
    predictions: Flag = True
    """Scores too, not only what is derived from them."""
    raw: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """Tags (``TYPE.ROLE``) whose samples are sent as well, for training."""
