"""Predictions held against labels that came later.

`joined` are the rows, `counting` sums them (sums add up over time and gateways),
`measures` makes precision, recall and the rest of the sums, with `intervals`.
`coverage` says what labels that came selectively can show, `requirement` holds a
measure against the passport, `estimate` does without labels.
"""
