"""Which names stay in their folder."""

from __future__ import annotations

import shutil
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import RegistryUnavailable
from edge_agent.registry.landing import Landing, stays

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_full_disk_says_the_same_at_each_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is free just now: the log tells changes, and this would be one a try."""
    left = iter([2000, 1000])
    usage = lambda _: SimpleNamespace(free=next(left))  # noqa: E731
    monkeypatch.setattr(shutil, "disk_usage", usage)
    files = {"passport.yaml": 100}
    landing = Landing("small 1.0.0", tmp_path, files, lambda *_: True)
    said = []
    for _ in range(2):
        with pytest.raises(RegistryUnavailable, match="make room") as why, landing:
            pass
        said.append(str(why.value))

    assert said[0] == said[1]
