"""The demo: a simulated pump hall behind real servers, and the agent beside it."""
