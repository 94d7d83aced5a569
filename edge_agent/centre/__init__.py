"""The archive of all gateways: immutable Parquet objects in a folder or a bucket.

Reading order: `tables` (what columns there are), `names` (what an object is called).
"""
