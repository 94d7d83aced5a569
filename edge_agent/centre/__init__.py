"""The archive of all gateways: immutable Parquet objects in a folder or a bucket.

Reading order: `tables` (what columns there are), `names` (what an object is called),
`columns` (records to rows), `packing` (rows to objects), `plan` (what is under way),
`uploader` (how it gets there), `bucket` (where that is), `compaction` (many to one).
"""
