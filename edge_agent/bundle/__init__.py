"""The model passport: what a model is, what it needs, and proof that it is intact.

`passport` is what passport.yaml may say, `contents` reads and verifies every file of
a bundle once, `folders` finds a bundle by name, `graph` looks into the ONNX file
without running it. `signing` says who vouches for a folder, `trust` whose word counts,
`tree` what the folder really holds.
"""
