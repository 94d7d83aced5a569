"""The model passport: what a model is, what it needs, and proof that it is intact.

`passport` is what passport.yaml may say, `contents` reads and verifies every file of
a bundle once, `folders` finds a bundle by name, `graph` looks into the ONNX file
without running it. `signing` says who vouches for a folder, `trust` whose word counts,
`tree` what the folder really holds. `build` makes a bundle from a notebook's model;
what it takes for that is imported only when it is asked for: no gateway needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_OF_PUBLISH = frozenset({"build", "Built", "Statement", "Stretch"})


def __getattr__(name: str) -> Any:  # noqa: ANN401  (what `publish` has)
    """`build` and its words, from `edge_agent.publish`.

    Raises:
        ImportError: the extra ``publish`` is not installed.
    """
    if name not in _OF_PUBLISH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("edge_agent.publish"), name)
