"""Has what a model sees or says moved away from what it was trained on?

`independence` knows how much healthy data scatters, `yardstick` what is held against
what, `verdicts` compares, `sentences` says it. All columns of a model at once.
"""
