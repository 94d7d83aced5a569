"""Wire formats without sockets: message payloads to columns of samples.

Pure. Read `reader` first.
"""
