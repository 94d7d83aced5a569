"""What the operator may write, as frozen models; unknown keys are refused.

Pure description: no file is read here, nothing is resolved. `loading` turns YAML
into `AgentConfig` and every complaint into file:line:col.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from edge_agent.config.keeping import Centre, Evidence, Store
from edge_agent.config.monitoring import Frozen, Privacy
from edge_agent.config.pipelines import Pipeline
from edge_agent.config.scalars import (
    Duration,
    Flag,
    Host,
    Interval,
    Name,
    Number,
    Size,
    Whole,
    parse_whole,
)


class Site(Frozen):
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


class OpcUaSource(Frozen):
    """An OPC UA server."""

    type: Literal["opcua"]
    endpoint: Annotated[str, Field(pattern=r"^opc\.tcp://\S+$")]
    """opc.tcp://HOST:PORT"""
    security: Security = Security.SIGN_AND_ENCRYPT
    policy: Literal["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] = (
        "Basic256Sha256"
    )
    user: str | None = None
    password_file: Path | None = None
    """A file with the password alone, which only the agent may read."""
    password_credential: str | None = None
    """Name of a systemd credential (LoadCredential=)."""
    publishing: Interval = 0.5
    """How often the server sends what has changed."""
    sampling: Duration | None = None
    """Default: the publishing interval. 0s: every new value, where the server can."""
    queue: Annotated[Whole, Field(ge=1, le=100_000)] | None = None
    """Values kept a tag between publishes; default max(4, 4 x publishing/sampling)."""
    report: Literal["change", "every-write"] = "change"
    """every-write also reports a value written again unchanged (new time stamp)."""
    time: TimePolicy = TimePolicy.SOURCE
    keepalive: Interval = 10.0
    """A silent server says at least this often that it is there."""
    session_timeout: Interval = 600.0
    request_timeout: Interval = 10.0
    decoder: Literal["bulk", "stock"] = "bulk"
    """stock uses only asyncua's own decoding: slower, for fault finding."""


class Tls(Frozen):
    """TLS towards a broker; the server's certificate is always checked."""

    ca_file: Path | None = None
    """Default: the system's certificates."""
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None


class MqttLink(Frozen):
    """How to reach a broker."""

    host: Host
    port: Annotated[Whole, Field(ge=1, le=65535)] | None = None
    """Default: 1883, or 8883 with tls."""
    version: Annotated[
        Literal["3.1.1", "5"],
        Field(
            json_schema_extra={"type": ["string", "integer"], "enum": ["3.1.1", "5", 5]}
        ),
    ] = "5"
    tls: Tls | None = None
    user: str | None = None
    password_file: Path | None = None
    """A file with the password alone, which only the agent may read."""
    password_credential: str | None = None
    """Name of a systemd credential (LoadCredential=)."""
    client_id: str | None = None
    keepalive: Interval = 30.0


class MqttSource(MqttLink):
    """A broker with telemetry."""

    type: Literal["mqtt"]
    qos: Annotated[Literal[0, 1], BeforeValidator(parse_whole)] = 1
    payload: Literal["json", "number", "array"] = "json"
    """json: an object (or number) with fields; number: the text of one number; array:
    a JSON array, a tag's field is the position, from 0."""
    time_field: (
        Annotated[str, Field(json_schema_extra={"type": ["string", "integer"]})] | None
    ) = None
    """Field path of the payload's time stamp (ISO 8601, or seconds / ms / us / ns since
    1970, told apart by size). Without it the time of arrival is used."""
    sequence_field: str | None = None
    """Field path of a number that counts the messages of a topic: gaps are losses."""
    time: TimePolicy = TimePolicy.SOURCE
    max_payload: Size = 262_144
    batch_window: Duration = 0.003
    """Reads are held back this long at most under load; not at all when calm."""
    fast_path: Flag = True
    """False leaves every packet to paho: slower, for fault finding."""
    max_silence: Interval | None = None
    """Reconnect after no message for this long; unset for never."""


Source = Annotated[OpcUaSource | MqttSource, Field(discriminator="type")]


def reports_changes(source: OpcUaSource | MqttSource) -> bool:
    """Whether a source sends a value only when it is another."""
    return isinstance(source, OpcUaSource) and source.report == "change"


class TagBinding(Frozen):
    """Where a tag of every asset of a group comes from; ``{id}`` is the asset's id."""

    source: str
    node: str | None = None
    """ns=2;s=..., nsu=urn:...;s=..., or a browse path /Objects/2:Plant/2:{id}/2:PT1."""
    topic: str | None = None
    """MQTT topic with {id}; + is allowed for levels that do not matter."""
    field: (
        Annotated[str, Field(json_schema_extra={"type": ["string", "integer"]})] | None
    ) = None
    """Path in the JSON payload: rms, values.rms, values[3]; position for arrays."""
    unit: str = ""
    range: tuple[Number, Number] | None = None
    """Engineering range [low, high]; a value outside is UNCERTAIN."""
    text: Flag = False
    """Values are strings (part ids, recipe names)."""
    max_age: Interval | None = None
    """Stale after this long without a value, or after the features' hold if shorter."""
    deadband: Annotated[Number, Field(ge=0)] | None = None
    """OPC UA absolute deadband; removes samples that windows may need."""
    watch: Flag = True
    """Whether its health is watched; false for totalisers, switches and other tags that
    are meant to stand or to jump."""


class AssetGroup(Frozen):
    """Assets of one type, bound alike."""

    type: Name
    ids: tuple[Name, ...] = ()
    ids_csv: Path | None = None
    """CSV with a column id (and any other columns, usable as {column})."""
    tags: dict[Name, TagBinding] = {}  # noqa: RUF012 - pydantic copies it
    tags_csv: Path | None = None
    """CSV with columns role, source, node or topic, field, unit, low, high."""


class Registry(Frozen):
    """Where models come from."""

    type: Literal["directory", "mlflow"] = "directory"
    path: Path | None = None
    """directory: the folder NAME/VERSION/, on this disk, a share or a USB stick."""
    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    """mlflow: https://HOST:PORT"""
    tls: Tls | None = None
    """mlflow: own authority, client certificate."""
    user: str | None = None
    password_file: Path | None = None
    """A file with the password (or, without user, the token) alone."""
    password_credential: str | None = None
    """Name of a systemd credential (LoadCredential=)."""
    proxy: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    """mlflow: through this proxy; those of the environment are not used."""
    experiment: str = "edge-fleet"
    """mlflow: where gateways report what they run."""
    trusted_keys: tuple[Path, ...] = ()
    """Public keys (PEM); a model must be signed by one of them. Without any, models
    are not checked for a signature, and the status says so."""
    revoked: Path | None = None
    """List of keys that are trusted no more, signed by one that is."""
    poll: Interval = 60.0
    """How often the registry is asked, give or take a tenth."""
    stale_after: Interval = 30 * 86_400.0
    """Without an answer for so long the status says so; scoring goes on."""

    @property
    def folder(self) -> Path:
        """The directory registry's folder."""
        assert self.path is not None  # noqa: S101 - the rules saw to it
        return self.path


class MqttOutput(MqttLink):
    """A broker for SCADA."""

    type: Literal["mqtt"]
    profile: Literal["flat"] = "flat"
    root: str = "edge"
    """First level(s) of every topic; {gateway} stands for this gateway's name, which a
    broker of many gateways needs."""
    takes: tuple[Literal["alarms", "states", "events", "findings"], ...] = (
        "alarms",
        "states",
        "events",
        "findings",
    )
    """What is sent there; nothing else is kept for it."""
    history: Flag = True
    """Whether states that could not be sent follow later. false: an asset's newest
    state goes out and older ones are superseded; none is kept for this output."""
    max_rate: Annotated[Number, Field(gt=0)] | None = None
    """States a second at most over all assets, newest first; needs history: false."""
    inflight: Annotated[Whole, Field(ge=1, le=1000)] = 20
    """Unacknowledged messages at most; the broker's own limit wins. A link takes at
    most this many messages in the time one takes to be acknowledged."""
    publish: Literal["live", "committed"] = "live"
    """live sends scores at once and stores what was not acknowledged; committed sends
    nothing before it is on disk. Alarms are always committed first."""
    backlog_rate: Annotated[Number, Field(gt=0)] | None = None
    """Stored messages a second at most while live ones flow; unset: as many as the
    share allows."""
    backlog_share: Annotated[Number, Field(gt=0, le=1)] = 0.5
    """Part of what the link can acknowledge that stored messages may use while live
    ones flow; less as soon as live ones take longer than without them."""


class AgentConfig(Frozen):
    """The whole configuration."""

    site: Site
    gateway: Name
    """This gateway's own name, different from all others."""
    sources: dict[Name, Source]
    assets: tuple[AssetGroup, ...]
    pipelines: dict[Name, Pipeline]
    registry: Registry
    outputs: dict[Name, MqttOutput]
    store: Store = Store()
    evidence: Evidence = Evidence()
    centre: Centre | None = None
    """Where predictions, drift, labels and evidence of all gateways are gathered."""
    model_memory: Size = 192 * 2**20
    """What loaded models may take together; beyond, those unused for longest rest until
    rows come for them."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Za-z0-9]+)?$")] = "en"
    """Of the sentences in SCADA: en, de, or one of a file in languages."""
    languages: Path | None = None
    """Folder with LANGUAGE.yaml, for languages that do not come with the agent."""
    privacy: Privacy = Privacy()
    state_dir: Path = Path("/var/lib/edge-agent")
    runtime_dir: Path = Path("/run/edge-agent")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
