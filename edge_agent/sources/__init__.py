"""Southbound: from PLCs and brokers into the inbox."""
