"""What the agent survives, counted: kills, power cuts, damage, failing disks, outages.

``python -m tests.campaigns NAME --count N --seed S``; each prints a table and writes
JSON. The tests beside them run short versions.
"""
