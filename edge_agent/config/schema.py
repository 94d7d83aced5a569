"""What the operator may write, as frozen models; unknown keys are refused.

Pure description: no file is read here, nothing is resolved. `loading` turns YAML
into `AgentConfig` and every complaint into file:line:col.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


def parse_duration(value: object) -> float:
    """Seconds from ``500ms``, ``1s``, ``10min``, ``72h``, ``7d``.

    Raises:
        ValueError: no number with one of the known units.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", str(value).strip())
    if match is None or match[2] not in _UNITS:
        hint = "a number with a unit: us, ms, s, min, h or d, for example 500ms or 10s"
        raise ValueError(f"{value!r} is not a duration; write {hint}")
    return float(match[1]) * _UNITS[match[2]]


def parse_size(value: object) -> int:
    """Bytes from ``64MiB``, ``1GiB``.

    Raises:
        ValueError: no number with one of the known units.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", str(value).strip())
    if match is None or match[2] not in _SIZES:
        raise ValueError(f"{value!r} is not a size; write a number with kB, MB, MiB, GB or GiB")
    return int(float(match[1]) * _SIZES[match[2]])


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(json_schema_extra={"type": "string", "pattern": r"^\d+(\.\d+)?\s*(us|ms|s|min|m|h|d)$"}),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    Field(json_schema_extra={"type": "string", "pattern": r"^\d+(\.\d+)?\s*(B|kB|KiB|MB|MiB|GB|GiB)$"}),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$")]
"""One topic level: letters, digits, - and _ (Ignition refuses more), up to 64."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Site(_Model):
    """Where this gateway stands (ISA-95 levels); becomes the MQTT topic."""

    enterprise: Name
    site: Name | None = None
    area: Name | None = None
    line: Name | None = None
    cell: Name | None = None


class Security(StrEnum):
    """OPC UA message security mode."""

    NONE = "None"
    SIGN = "Sign"
    SIGN_AND_ENCRYPT = "SignAndEncrypt"


class TimePolicy(StrEnum):
    """Which stamp a sample carries into its window."""

    SOURCE = "source"
    """The device's, corrected for a constant skew, replaced when in the future."""
    SERVER = "server"
    """The OPC UA server's; same guards."""
    RECEIVE = "receive"
    """The gateway's, at arrival."""
    RECORDED = "recorded"
    """The device's, as it is: a recording is being played, faster or slower."""


class OpcUaSource(_Model):
    """An OPC UA server."""

    type: Literal["opcua"]
    endpoint: Annotated[str, Field(pattern=r"^opc\.tcp://\S+$")]
    security: Security = Security.SIGN_AND_ENCRYPT
    policy: Literal["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] = "Basic256Sha256"
    user: str | None = None
    password_file: Path | None = None
    password_credential: str | None = None
    publishing: Duration = 0.5
    sampling: Duration | None = None
    """Default: the publishing interval."""
    queue: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Values kept per tag between two publishes. Default: max(4, 4 x publishing/sampling)."""
    report: Literal["change", "every-write"] = "change"
    """every-write also reports a value written again unchanged (new time stamp)."""
    time: TimePolicy = TimePolicy.SOURCE
    keepalive: Duration = 10.0
    session_timeout: Duration = 600.0
    request_timeout: Duration = 10.0
    decoder: Literal["bulk", "stock"] = "bulk"
    """stock uses only asyncua's own decoding: slower, for fault finding."""


class Tls(_Model):
    """TLS towards a broker; the server's certificate is always checked."""

    ca_file: Path | None = None
    """Default: the system's certificates."""
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None


class MqttLink(_Model):
    """How to reach a broker."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Default: 1883, or 8883 with tls."""
    version: Literal["3.1.1", "5"] = "5"
    tls: Tls | None = None
    user: str | None = None
    password_file: Path | None = None
    password_credential: str | None = None
    client_id: str | None = None
    keepalive: Duration = 30.0


class MqttSource(MqttLink):
    """A broker with telemetry."""

    type: Literal["mqtt"]
    qos: Literal[0, 1] = 1
    payload: Literal["json", "number", "array"] = "json"
    """json: an object (or number) with fields; number: the text of one number; array:
    a JSON array, a tag's field is the position, from 0."""
    time_field: str | None = None
    """Field path of the payload's time stamp (ISO 8601, or seconds / ms / us / ns since
    1970, told apart by size). Without it the time of arrival is used."""
    time: TimePolicy = TimePolicy.SOURCE
    max_payload: Size = 262_144
    batch_window: Duration = 0.003
    """Reads are held back this long at most under load; not at all when calm."""
    fast_path: bool = True
    """False leaves every packet to paho: slower, for fault finding."""
    max_silence: Duration | None = None
    """Reconnect after no message for this long; unset for never."""


Source = Annotated[OpcUaSource | MqttSource, Field(discriminator="type")]


class TagBinding(_Model):
    """Where one tag of every asset of a group comes from; ``{id}`` is the asset's id."""

    source: str
    node: str | None = None
    """ns=2;s=..., nsu=urn:...;s=..., or a browse path /Objects/2:Plant/2:{id}/2:PT1."""
    topic: str | None = None
    """MQTT topic with {id}; + is allowed for levels that do not matter."""
    field: str | None = None
    """Path in the JSON payload: rms, values.rms, values[3]; position for arrays."""
    unit: str = ""
    range: tuple[float, float] | None = None
    """Engineering range [low, high]; a value outside is UNCERTAIN."""
    text: bool = False
    """Values are strings (part ids, recipe names)."""
    max_age: Duration | None = None
    """Stale after this long without a value. Default: the features' hold."""
    deadband: float | None = None
    """OPC UA absolute deadband; removes samples that windows may need."""


class AssetGroup(_Model):
    """Assets of one type, bound alike."""

    type: Name
    ids: tuple[Name, ...] = ()
    ids_csv: Path | None = None
    """CSV with a column id (and any other columns, usable as {column})."""
    tags: dict[Name, TagBinding] = {}
    tags_csv: Path | None = None
    """CSV with columns role, source, node or topic, field, unit, low, high."""


class Score(_Model):
    """When a row is scored: exactly one of every and on."""

    every: Duration | None = None
    on: Literal["update", "cycle"] | None = None
    settle: Duration = 0.2
    """on: update and cycle: wait this long for the rest of a row's values."""
    part: str | None = None
    """on: cycle: the role that carries the part id."""
    part_at: Literal["start", "end"] = "end"
    """Whether the part id comes when the part begins or with its results."""


class Alarm(_Model):
    """How a score becomes an alarm."""

    threshold: float | None = None
    """Default: the passport's."""
    hysteresis: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Clears below threshold x (1 - hysteresis)."""
    on_delay: Duration = 3.0
    off_delay: Duration = 60.0
    severity: Annotated[int, Field(ge=1, le=1000)] = 700
    enabled: bool = True


class Report(_Model):
    """When a score is published: on change beyond the deadband, or at max_interval."""

    deadband: Annotated[float, Field(ge=0)] = 0.0
    """Absolute change of the score that is worth a message; 0 sends every score."""
    max_interval: Duration = 60.0


class Pipeline(_Model):
    """An asset type, scored by a model."""

    assets: str
    """Name of the asset type."""
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+(@[A-Za-z0-9_.-]+)?$")]
    """NAME@VERSION from the registry; without @VERSION the newest."""
    score: Score
    alarm: Alarm = Alarm()
    report: Report = Report()
    roles: dict[str, str] = {}
    """Passport tag name -> role of the asset type, where they differ."""


class Registry(_Model):
    """Where models come from."""

    type: Literal["directory"] = "directory"
    path: Path


class MqttOutput(MqttLink):
    """A broker for SCADA."""

    type: Literal["mqtt"]
    profile: Literal["flat"] = "flat"
    root: str = "edge"
    """First level(s) of every topic."""
    inflight: Annotated[int, Field(ge=1, le=1000)] = 20
    """Unacknowledged messages at most; the broker's own limit wins."""
    publish: Literal["live", "committed"] = "live"
    """live sends scores at once and stores what was not acknowledged; committed sends
    nothing before it is on disk. Alarms are always committed first."""
    backlog_rate: Annotated[float, Field(gt=0)] = 200.0
    """Stored messages per second while live ones flow."""



class Store(_Model):
    """The durable outbox."""

    flush: Duration = 1.0
    limit: Size = 2**30
    survive: Duration = 72 * 3600.0


class AgentConfig(_Model):
    """The whole configuration."""

    site: Site
    gateway: Name
    sources: dict[Name, Source]
    assets: tuple[AssetGroup, ...]
    pipelines: dict[Name, Pipeline]
    registry: Registry
    outputs: dict[Name, MqttOutput]
    store: Store = Store()
    state_dir: Path = Path("/var/lib/edge-agent")
    runtime_dir: Path = Path("/run/edge-agent")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
