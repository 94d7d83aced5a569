"""MLflow as a registry, over its REST API and without its library.

`client` is the only place that speaks HTTP, `answers` what the server's JSON holds,
`artifacts` how a version's files are found and moved, `twin` one gateway's reported
state as a run, `registry` all of it behind the seam.
"""
