"""Why a broker said no, in words an operator can act on."""

from __future__ import annotations

from edge_agent.errors import Transient


class LinkLost(Transient):
    """The link to a broker could not be made, or is gone.

    Args:
        message: broker, what happened, what to do.
        code: the broker's MQTT 5 reason code, 0 where it gave none.
        hung_up: the broker ended a connection that worked, maybe for what it was sent.
    """

    def __init__(self, message: str, *, code: int = 0, hung_up: bool = False) -> None:
        super().__init__(message, retry_after=_PATIENCE.get(code))
        self.code = code
        self.hung_up = hung_up


_PATIENCE = {
    0x86: 30.0,  # brokers lock a user out after a few wrong passwords
    0x87: 30.0,
    0x89: 10.0,
    0x8A: 300.0,
    0x8E: 30.0,  # two clients with one id throw each other out for ever
    0x97: 30.0,
    0x9F: 10.0,
}
"""Seconds to wait at least after a reason code; others are tried again sooner."""

OWN_MATTERS = frozenset(
    {0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x96, 0x97, 0x98, 0x9C, 0x9D, 0x9F, 0xA0}
)
"""Reasons to end a connection that lie with the broker or the link, and not with what
it was sent."""

_ADVICE = {
    0x84: "it does not speak this MQTT version: set version: '3.1.1' (or '5')",
    0x85: "it does not accept this client_id: set another, up to 23 letters and digits",
    0x86: "set user and password_file (or password_credential) of this link",
    0x87: "allow this user and client_id in the broker's access rules",
    0x88: "the broker is starting or failing: look at its log",
    0x89: "the broker is busy: look at its log",
    0x8A: "the broker has banned this client: ask its operator",
    0x8B: "the broker is being stopped or restarted",
    0x8C: "the broker wants a login this agent does not have",
    0x8D: "the broker heard nothing for the keepalive time: the network is too slow",
    0x8E: "another client connected with the same client_id: give each its own",
    0x8F: "the broker does not accept a topic filter: look at the topics configured",
    0x90: "the broker does not accept a topic: look at root and the asset names",
    0x93: "more unacknowledged messages than the broker allows: lower inflight",
    0x95: "a message is larger than the broker takes: raise its message size limit",
    0x96: "more messages than the broker takes: raise its rate limit",
    0x97: "the broker's quota is used up: ask its operator",
    0x9A: "the broker does not keep messages: allow retained messages there",
    0x9B: "the broker does not offer this QoS: allow QoS 1 there",
    0x9C: "the broker has moved: set host to its new address",
    0x9D: "the broker has moved: set host to its new address",
    0x9F: "too many connections at once: the agent tries again",
    0xA2: "the broker allows no wildcards: allow them, or name the topics one by one",
}
_NAMES = {
    0x80: "unspecified error",
    0x83: "refused for its own reasons",
    0x87: "not authorized",
    0x90: "topic name invalid",
    0x91: "packet identifier in use",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x99: "payload format invalid",
}


def advice(code: int) -> str:
    """What the operator can do about a reason code; empty where nothing is known."""
    return _ADVICE.get(code, "")


def refusal(code: int) -> str:
    """Reason of a refused publish in words, and what to do."""
    name = _NAMES.get(code, f"reason code 0x{code:02x}")
    hint = advice(code)
    return f"{name}: {hint}" if hint else name


def sentence(happened: str, name: str, code: int) -> str:
    """``happened``, why in the broker's words, and what to do about it."""
    hint = advice(code)
    return f"{happened}: {name.lower()}" + (f"; {hint}" if hint else "")
