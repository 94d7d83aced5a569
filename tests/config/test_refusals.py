"""Bad configurations and, word for word, what the operator is told about each."""

from __future__ import annotations

import contextlib
import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.config import loading
from edge_agent.config.problems import Refused

BAD = Path(__file__).with_name("bad")
CASES = sorted(path.name for path in BAD.iterdir() if path.suffix != ".txt")
WHOLE = {"no_main_file", "yml_not_read"}
GOOD = """\
site: { enterprise: acme, site: hamburg }
gateway: gw-07
sources:
  plc1: { type: opcua, endpoint: 'opc.tcp://192.0.2.5:4840' }
  cell: { type: mqtt, host: 127.0.0.1, qos: 1 }
assets:
  - type: pump
    ids: [P-101, P-102]
    tags:
      pressure:
        source: plc1
        node: ns=3;s="DB_{id}"."Temp"[3]
        unit: bar
        range: [0, 16]
      vibration: { source: cell, topic: 'line3/{id}/vib', field: rms }
pipelines:
  anomaly:
    assets: pump
    model: pump-anomaly@1.0.0
    score: { every: 1s }
registry: { path: models }
outputs:
  scada: { type: mqtt, host: 127.0.0.1 }
"""


def refused(path: Path) -> Refused:
    """The refusal of a configuration that must not be accepted."""
    with pytest.raises(Refused) as caught:
        loading.read(path)
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_every_bad_configuration_is_explained(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole report is as written beside the bad file."""
    monkeypatch.chdir(BAD)
    expected = (BAD / f"{case.removesuffix('.yaml')}.txt").read_text()
    assert expected == f"{refused(Path(case))}\n"


@pytest.mark.parametrize("case", [case for case in CASES if case not in WHOLE])
def test_every_problem_names_its_place(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each problem begins file:line:col, and that place exists."""
    monkeypatch.chdir(BAD)
    for problem in refused(Path(case)).problems:
        assert re.match(r"[\w./-]+:[1-9]\d*:[1-9]\d*: \S", str(problem))
        lines = re.split("\r\n|\r|\n", Path(problem.file).read_text("latin-1"))
        assert problem.line <= max(1, len(lines))


def test_there_are_enough_bad_configurations() -> None:
    """A report without a bad file, or the other way round, is a slip."""
    reports = {path.stem for path in BAD.glob("*.txt")}
    assert reports == {case.removesuffix(".yaml") for case in CASES}
    assert len(CASES) >= 100


def test_a_password_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports end up in mails and tickets."""
    monkeypatch.chdir(BAD)
    for case in ("password_inline.yaml", "password_in_flow_map.yaml"):
        assert "hunter" not in str(refused(Path(case)))


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    """A file beyond 1 MB is not even parsed."""
    path = tmp_path / "agent.yaml"
    path.write_text(GOOD + "#" * 1_000_000)
    assert "larger than 1 MB" in str(refused(path))


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(bracket: str, tmp_path: Path) -> None:
    """A hundred thousand brackets end in a sentence, not in a crash."""
    path = tmp_path / "agent.yaml"
    path.write_text(bracket * 100_000)
    assert "nested deeper than 20 levels" in str(refused(path))


def test_a_file_nobody_may_read_is_named(tmp_path: Path) -> None:
    """A folder in the place of agent.yaml is told, not a traceback."""
    (tmp_path / "agent.yaml").mkdir()
    assert "cannot be read: is a directory" in str(refused(tmp_path))


def test_a_path_that_cannot_be(tmp_path: Path) -> None:
    """What the operating system says is passed on, as one problem."""
    report = str(refused(tmp_path / ("x" * 300)))
    assert "cannot be read: file name too long" in report


EDITS = st.lists(
    st.tuples(
        st.integers(0, len(GOOD)),
        st.integers(0, 12),
        st.text(
            st.sampled_from(string.printable + "{}[]&*!|>%@`'\"#:-?,°\u2028\x85\ufeff"),
            max_size=6,
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(EDITS)
def test_any_edit_is_accepted_or_explained(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int, str]]
) -> None:
    """However a file is mangled, the loader ends in a configuration or a report."""
    text = GOOD
    for at, length, insert in edits:
        text = text[:at] + insert + text[at + length :]
    path = tmp_path_factory.getbasetemp() / "mangled.yaml"
    path.write_text(text, newline="", errors="replace")
    with contextlib.suppress(Refused):
        assert len(loading.read(path).plant.tags) > 0


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_explained(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    """Bytes that are no configuration are refused with a report, nothing else."""
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(raw)
    assert refused(path).problems


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(st.sampled_from('idrole,;\t"\n{}P1='), max_size=80).map(str.encode),
        st.text(st.sampled_from('ns=2;s,"\nflowplc'), max_size=80).map(
            lambda text: f"id,role,source,node\n{text}".encode()
        ),
    )
)
def test_any_list_is_accepted_or_explained(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    """A list (CSV) of any bytes ends in a plant or in a report."""
    folder = tmp_path_factory.getbasetemp()
    (folder / "list.csv").write_bytes(raw)
    for old, new in (
        ("ids: [P-101, P-102]", "ids_csv: list.csv"),
        ("    tags:\n", "    tags_csv: list.csv\n    tags:\n"),
    ):
        path = folder / "with_list.yaml"
        path.write_text(GOOD.replace(old, new, 1))
        with contextlib.suppress(Refused):
            assert len(loading.read(path).plant.tags) > 0


LEAVES = st.one_of(
    st.none(),
    st.sampled_from(["", "no", "010", "x", "{id}", "a b", "1s", "5", "-1", "1e999"]),
)
SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "tags", "source", "ids", "a", "score", "every"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["site", "gateway", "sources", "assets", "pipelines", "outputs", "x"]
        ),
        SHAPES,
        max_size=7,
    )
)
def test_any_shape_is_explained(
    tmp_path_factory: pytest.TempPathFactory, sections: dict[str, object]
) -> None:
    """Lists where blocks belong, empty things, wrong kinds: always a report."""
    path = tmp_path_factory.getbasetemp() / "shapes.yaml"
    path.write_text(flow(sections))
    assert refused(path).problems


def flow(value: object) -> str:
    """YAML flow text of nested things."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return "null" if value is None else f"'{value}'"
