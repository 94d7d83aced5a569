"""What the evidence of an alarm says: the JSON in ``EvidenceRecord.body``.

Numbers in text keep their bits (the shortest decimal that reads back the same), arrays
are `bits`, ``null`` is a number that is none or has no bound. Times are nanoseconds of
agent time. Keys are sorted; the first, ``_sha256``, is that of the same object without
it. A field is only ever added, with what its absence means.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

# a stranger's evidence must not overflow what is computed from it
Stamp = Annotated[int, msgspec.Meta(ge=-(2**61), le=2**61)]
Entry = Annotated[int, msgspec.Meta(ge=0, le=2**61)]
Length = Annotated[float, msgspec.Meta(gt=0, le=1e8)]
Rate = Annotated[float, msgspec.Meta(ge=1e-8, le=1e8)]

FORMAT = 1
SEAL = "_sha256"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An object of the form."""


class Surroundings(Part, frozen=True, kw_only=True):
    """Where and with what it was computed."""

    agent: str
    """Version of the agent."""
    python: str = ""
    numpy: str = ""
    onnxruntime: str = ""
    machine: str = ""
    """Architecture, as ``x86_64``."""
    processor: str = ""
    """Its name: the runtime picks other code by what a processor can."""
    configuration: str = ""
    """SHA-256 of the configuration."""


class Top(Part, frozen=True, kw_only=True):
    """One of the tags that made the score, as SCADA was told."""

    role: str
    value: float | None
    low: float | None
    high: float | None
    share: float | None


class Alarm(Part, frozen=True, kw_only=True):
    """The alarm, as SCADA was told."""

    occurrence: str
    pipeline: str
    asset_type: str
    asset: str
    at: Stamp
    since: Stamp
    severity: int
    reason: str
    part: str = ""
    context: str = ""
    top: tuple[Top, ...] = ()


class Model(Part, frozen=True, kw_only=True):
    """What scored."""

    name: str
    version: str
    digest: str
    rung: str
    """Of the fallback ladder: ``model``, ``last_known_good`` or ``limits``."""
    because: str = ""
    """Why it is not the model itself."""


class Rule(Part, frozen=True, kw_only=True):
    """The ranges that judged where no model could; float64, one a feature."""

    low: str
    high: str
    least: str
    most: str
    threshold: float


class Feature(Part, frozen=True, kw_only=True):
    """A column of the row, on the plant's own tag; see `features.spec.FeatureSpec`."""

    name: str
    tag: str
    aggregate: str
    window: Length | None
    cycle: bool
    hold: float | None
    rate: Rate
    min_completeness: float


class Row(Part, frozen=True, kw_only=True):
    """The row that the model saw; see `features.feature_rows.FeatureRows`."""

    values: str
    """float32, one a feature."""
    missing: str
    """uint8 `records.NoScore`, one a feature."""
    valid: bool
    quality: int
    completeness: float
    age: float | None
    inputs_good: int
    cut_short: bool
    start: int | None
    """Where the part's cycle began; null for rows that are no parts."""


class Score(Part, frozen=True, kw_only=True):
    """What the model said."""

    value: float | None
    quality: int
    contributions: str | None = None
    """float32, one a feature; null where it does not tell."""
    probabilities: str | None = None
    """float64, one a class."""
    classes: tuple[str, ...] = ()


class Verdict(Part, frozen=True, kw_only=True):
    """Why that was an alarm; see `alarms` and `limits.Limits`."""

    threshold: float
    threshold_of: str
    """``context`` where the context has its own levels, else ``pipeline``."""
    hysteresis: float
    on_delay: Stamp
    off_delay: int
    max_gap: int
    chatter_count: int
    chatter_window: int
    leaning: Stamp
    """First row of the run above the threshold that led here."""
    number: int
    """The asset's episodes so far, this one included."""
    recent: int
    """Changes within the chatter window, this one included."""


class TagHeld(Part, frozen=True, kw_only=True):
    """One tag's piece of the ring; entries are numbered as the ring numbered them."""

    role: str
    unit: str
    low: float | None
    high: float | None
    max_age: float | None
    changes_only: bool
    """It reports changes only; a value lasts until the next."""
    first: int
    """Stamp of the earliest value it ever had."""
    head: Entry
    """Entries the ring had taken."""
    begin: Entry
    end: Entry
    """The entries that are kept: from ``begin`` to before ``end``."""
    alive: int | None
    """When its source was last seen alive; null where every source is vouched for."""


class Held(Part, frozen=True, kw_only=True):
    """The input window: what the ring held of the asset and the row looked at."""

    depth: Entry
    reach: Entry
    tags: tuple[TagHeld, ...]
    times: str
    """int64, the tags' entries one after the other, each less the one before it."""
    values: str
    """float64."""
    quality: str
    """uint8 `samples.Quality`."""


class Evidence(Part, frozen=True, kw_only=True):
    """All of it."""

    format: int
    surroundings: Surroundings
    alarm: Alarm
    model: Model
    features: tuple[Feature, ...]
    row: Row
    score: Score
    verdict: Verdict
    rule: Rule | None = None
    window: Held | None = None
    window_gone: str = ""
    """Why there is no window."""
    window_sha256: str = ""
    """Of the bytes of times, values and quality of one that was too long to keep."""
