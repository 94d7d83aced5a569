"""How far two lots of numbers are apart, and when a stream of numbers changes.

Each function says in its docstring which of the variants in use it is.
"""
