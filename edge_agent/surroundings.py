"""Where and with what numbers are made on this machine; evidence of alarms says so."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path

import numpy as np

from edge_agent import __version__
from edge_agent.captured.form import Surroundings
from edge_agent.scoring.runtime import VERSION

_PROCESSORS = Path("/proc/cpuinfo")
_NAMES = ("model name", "CPU part", "Hardware")
_LONGEST = 100


def here(configuration: str = "") -> Surroundings:
    """This machine and these libraries.

    Args:
        configuration: SHA-256 of it, where one is in use.
    """
    return Surroundings(
        agent=__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        onnxruntime=VERSION,
        machine=platform.machine(),
        processor=_processor(),
        configuration=configuration,
    )


def _processor() -> str:
    """Its name; empty where the system does not tell."""
    lines: list[str] = []
    with suppress(OSError):
        lines = _PROCESSORS.read_text("utf-8", "replace").splitlines()
    parts = (line.partition(":") for line in lines)
    facts = {key.strip(): value.strip() for key, _, value in parts}
    return next((facts[n][:_LONGEST] for n in _NAMES if facts.get(n)), "")
