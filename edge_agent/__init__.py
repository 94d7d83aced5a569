"""Machine-learning inference on factory-floor gateways.

sources put samples in the inbox -> features makes rows -> scoring scores them ->
alarms judge -> records are committed to the store -> sinks forward them.

Read `pipeline`, `samples`, `features.rows`, `alarms`, `inference`, `agent`,
`wiring`, in this order, then any edge.
"""

__version__ = "0.1.0"
