"""What an alarm was computed from, kept so that its number can be made again.

`inputs` takes what a row was made from out of the rings, `taking` makes the record of
an alarm, `form` is what a record says, `reading` reads one that may be damaged, and
`retracing` computes row and score anew and compares them bit for bit. Pure.
"""
