"""What a gateway reports of its models when several pipelines share one."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.registry.life import Life
from edge_agent.registry.listing import Gateway, Observed
from edge_agent.registry.receipts import report_of

NUMBERS = st.none() | st.floats()
OBSERVED = st.builds(
    Observed,
    accuracy=st.sampled_from(["", "met", "breached", "waiting", "estimated"]),
    measure=st.sampled_from(["f1", "mae"]),
    value=NUMBERS,
    low=NUMBERS,
    high=NUMBERS,
    labels=st.integers(0, 10**9),
    drift=st.text(max_size=5),
    strength=st.floats(0, 100),
    findings=st.integers(0, 50),
)


def reported(observed: dict[str, Observed], pipelines: int) -> Observed:
    """What is said of the one model of some pipelines."""
    names = [f"p{number}" for number in range(pipelines)]
    lives = {name: Life() for name in names}
    report = report_of(
        lives, {}, dict.fromkeys(names, "pump"), Gateway("gw"), "1", 0, observed
    )
    (model,) = report.models
    return model.observed


@given(st.lists(OBSERVED, min_size=1, max_size=4), st.integers(0, 2))
def test_of_several_pipelines_the_worst_is_reported(
    each: list[Observed], unseen: int
) -> None:
    """A breach is not hidden by another pipeline that is well; findings add up."""
    given_ = {f"p{place}": one for place, one in enumerate(each)}
    said = reported(given_, len(each) + unseen)

    states = [one.accuracy for one in each]
    assert ("breached" in states) == (said.accuracy == "breached")
    assert (said.accuracy == "") == (not any(states))
    assert said.findings == sum(one.findings for one in each)
    strongest = max(one.strength for one in each)
    assert math.isclose(said.strength, strongest, rel_tol=0.01)
    for number in (said.value, said.low, said.high):
        assert number is None or number == float(f"{number:.3g}")


def test_without_monitoring_nothing_is_said_of_it() -> None:
    """As before there was any."""
    assert reported({}, 2) == Observed()
