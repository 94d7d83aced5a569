"""What the operator writes.

Read `schema` (what may be said), `loading` (files to configuration, or every reason
why not), `plant` (every tag numbered and addressed), then what `loading` calls in
order: `reading`, `tree`, `merging`, `drafting`, `references`.
"""
