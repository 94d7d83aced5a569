"""Where a message goes: ISA-95 levels, cleaned for every SCADA that reads them.

Pure. Ignition makes a tag of a topic level and refuses most signs in its name; a
topic that is a value must never also be a folder of others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 64
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


def clean(level: str) -> str:
    """A level of letters, digits, - and _ only, 1 to 64 of them.

    >>> clean("Pump 7/ä")
    'Pump_7__'
    """
    return _UNFIT.sub("_", level)[:_LONGEST] or "_"


@dataclass(frozen=True, slots=True)
class Place:
    """Where this gateway stands.

    Attributes:
        prefix: root and ISA-95 levels, cleaned and joined.
        gateway: its name.
    """

    prefix: str
    gateway: str

    @staticmethod
    def of(root: str, levels: Iterable[str | None], gateway: str) -> Place:
        """From the configured root and ISA-95 levels.

        Args:
            root: may hold several levels, and {gateway} for the gateway's name.
            levels: from the enterprise down; those not configured are left out.
            gateway: its name.
        """
        parts = [x.replace("{gateway}", gateway) for x in root.split("/") if x]
        parts += [level for level in levels if level]
        return Place("/".join(map(clean, parts)), gateway)

    def of_pipeline(self, asset: str, pipeline: str) -> str:
        """Folder of what a pipeline says about an asset."""
        return f"{self.prefix}/{clean(asset)}/ml/{clean(pipeline)}"

    def of_agent(self) -> str:
        """Folder of what the agent says about itself."""
        return f"{self.prefix}/{clean(self.gateway)}/agent"
