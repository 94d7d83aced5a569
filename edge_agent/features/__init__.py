"""Samples to feature rows: window rings, aggregates, triggers, rows.

Pure: the notebook that trains a model and the gateway that runs it import the
same code. Reading order: `spec`, `window`, `aggregates`, `plan`, `triggers`,
`rows`, `offline`.
"""
