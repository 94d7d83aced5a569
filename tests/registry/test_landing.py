"""Which names stay in their folder."""

from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.registry.landing import stays


@given(st.text("ab./\\\0 .~\n", max_size=12))
def test_a_name_that_stays_is_a_path_below(name: str) -> None:
    """No part of it leads up, nowhere or to the root."""
    if not stays(name):
        return
    path = PurePosixPath(name)
    assert not path.is_absolute()
    assert str(path) == name
    assert ".." not in path.parts


@given(st.text("abcxyz019_-", min_size=1, max_size=20))
def test_usual_names_stay(name: str) -> None:
    """A bundle's own names, in a folder or not."""
    assert stays(f"{name}.onnx")
    assert stays(f"{name}/{name}.data")
