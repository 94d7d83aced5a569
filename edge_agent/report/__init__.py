"""The model report: what an auditor asks of a model, made from what lies here.

`gathering` reads, `document` is what was found as plain data (the JSON), `charts` and
`page` make one HTML file of it that needs nothing else: no network, no script.
"""
