"""Agents for a campaign: whole processes, forked from one that has imported all.

``python -m tests.campaigns.agents`` makes an agent for each line ``CONFIG LOG`` of its
input, says its pid, and says ``dead`` when it has ended. A start is then its own work
without a second of imports, which would be most of a campaign.
"""

from __future__ import annotations

import os
import sys

# all that is imported late otherwise
import edge_agent.cli.run
import edge_agent.mqtt.pahoclient
import edge_agent.scoring.sessions
import edge_agent.sinks.mqtt
import edge_agent.sources.mqtt  # noqa: F401
from edge_agent.cli.main import main


def _live(config: str, log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.stdin.close()
    os._exit(main(["run", "--config", config]))


def serve() -> None:
    """Make agents until the input ends."""
    for line in sys.stdin:
        config, log = line.split()
        child = os.fork()
        if not child:
            _live(config, log)
        os.write(1, f"{child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


if __name__ == "__main__":
    serve()
