"""Northbound: records to whoever wants them, acknowledged one by one.

`sink` is the seam, `flat` turns records into messages (pure), `forwarder` decides
what is sent when, `mqtt` sends. What appears where: ``topics.schema.json``.
"""
