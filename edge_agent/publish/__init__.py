"""From a notebook to a bundle: convert, prove, state, write.

`build` is the one call; `Stretch` is data with what is known of its rows; `Statement`
what only a person can say. Runs where models are made, never on a gateway: it needs
the extra ``publish``.
"""

from __future__ import annotations

try:
    import onnx as _onnx  # noqa: F401  (said here, not in the middle of a build)
except ModuleNotFoundError as error:
    raise ImportError(
        f"a build needs {error.name}, which is not installed here: "
        "pip install edge-agent[publish]"
    ) from error

from edge_agent.publish.asking import Statement
from edge_agent.publish.building import Built, build
from edge_agent.publish.rows import Stretch

__all__ = ["Built", "Statement", "Stretch", "build"]
