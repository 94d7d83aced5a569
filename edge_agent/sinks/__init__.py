"""Northbound: records to whoever wants them, acknowledged one by one.

`sink` is the seam, `flat` turns records into messages (pure), `forwarder` keeps one
output supplied: `feed` brings records, `dispatch` sends them, `pace` says how many old
ones go beside live ones, `suspicion` finds what a peer chokes on, `owing` counts the
debts. `mqtt` sends. What appears where: ``topics.schema.json``.

A lost link repeats at most what was in flight; the death of the agent also what was
acknowledged and not yet written, see `edge_agent.store`. A repetition has the id of the
first message.
"""
