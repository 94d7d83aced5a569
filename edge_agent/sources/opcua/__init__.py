"""OPC UA: one session per server, decoded in bulk, never writing to a machine.

Read `source` (what runs), `session` (what one subscription does), `publishing`
(messages in order, nothing lost unseen), `decode` (bytes to columns), `items` and
`reconcile` (wanted against actual), `link`, `pki` and `trust` (who trusts whom).
"""

from __future__ import annotations

from edge_agent.sources.opcua.source import OpcUaSource

__all__ = ["OpcUaSource"]
