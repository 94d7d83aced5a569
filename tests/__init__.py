"""Tests of edge-agent; `peers` starts the real servers they speak to."""
