"""Which topics are asked for, and what an arriving one means."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from edge_agent.config.plant import Binding
from edge_agent.sources.mqtt_topics import JOINED, REMEMBERED, TopicIndex, filters

LEVEL = st.sampled_from(["a", "b", "ä b", "x.y", "+"])
TOPIC = st.lists(LEVEL, min_size=1, max_size=4).map("/".join)


def test_a_few_topics_are_asked_for_by_name() -> None:
    """No wildcard brings what nobody configured."""
    topics = [f"l/{i}/vib" for i in range(JOINED - 1)]
    assert filters(topics) == topics


def test_many_alike_topics_are_asked_for_as_one() -> None:
    """The level in which most of them differ is left open."""
    topics = [
        f"l{line}/{i}/{what}" for line in "12" for i in range(50) for what in "ab"
    ]
    assert filters(topics) == ["l1/+/a", "l1/+/b", "l2/+/a", "l2/+/b"]
    assert filters(topics, join=False) == topics


def test_a_topic_under_a_wildcard_is_not_asked_for_twice() -> None:
    """A broker may deliver a message once for each filter that covers it."""
    assert filters(["a/+/c", "a/b/c", "a/#", "d/b/c"]) == ["a/#", "d/b/c"]


def test_system_topics_are_not_widened() -> None:
    """A wildcard at the first level would not match $SYS."""
    topics = [f"$SYS{i}/load" for i in range(50)]
    assert filters(topics) == topics


@given(st.lists(TOPIC, max_size=60), st.booleans())
def test_filters_cover_every_address(topics: list[str], join: bool) -> None:
    """Whatever was configured is asked for, and no filter is covered by another."""
    asked = filters(topics, join=join)
    for topic in topics:
        concrete = topic.replace("+", "q")
        assert any(topic_matches_sub(name, concrete) for name in asked)
    assert len(set(asked)) == len(asked)


@given(st.lists(TOPIC, min_size=1, max_size=8), TOPIC)
def test_a_topic_feeds_the_tags_whose_address_matches(
    addresses: list[str], topic: str
) -> None:
    """As paho matches filters, so do we; each tag is fed once."""
    topic = topic.replace("+", "q")
    bound = [Binding(tag, "A", "r", name, "f") for tag, name in enumerate(addresses)]
    reader = TopicIndex(bound, "json", None).find(topic.encode())
    fed = [] if reader is None else sorted(reader.tags.tolist())

    assert fed == [b.tag for b in bound if topic_matches_sub(b.address, topic)]


def test_unknown_topics_do_not_fill_the_memory() -> None:
    """A broker that invents topics for ever costs a bounded table."""
    index = TopicIndex([Binding(0, "A", "r", "t", "f")], "json", None)
    for number in range(REMEMBERED + 10):
        assert index.find(b"u/%d" % number) is None
    assert len(index._known) <= REMEMBERED + 1
    assert index.find(b"t") is not None
