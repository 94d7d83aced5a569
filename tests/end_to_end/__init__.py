"""The agent as its own process, between real servers and an independent consumer."""
