"""Monitoring's side of the turn: rows are taken in, and judged behind the records.

`counting` keeps what rows leave behind, `drift` and `sensors` look at it from time to
time, `watch` is what the turn calls. All of it belongs to the turn's thread; what is
pure lies in `monitoring`.
"""
