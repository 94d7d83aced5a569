"""What is carried by hand between a gateway and the centre, on a stick.

A package is a folder: files, and ``manifest.json`` with the SHA-256 of each, signed.

================ ============================== =======================================
kind             made by                        holds
================ ============================== =======================================
``from-gateway`` ``bundle export``              objects of the archive without receipt
``to-gateway``   ``bundle pack``                models, configuration, receipts
``receipt``      ``bundle take``                that a package came, and nothing else
================ ============================== =======================================

Reading order: `manifest`, `package`, `outgoing` and `taking` (from the gateway to the
archive), `packing` and `incoming` (from the centre to the gateway).
"""
