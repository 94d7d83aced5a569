"""Benchmarks: figures beside honestly tuned peers, in one run at equal load.

``python -m tests.bench [NAME ...]`` prints a table and writes ``bench-out/bench.json``.
Processes under test are fresh for every repeat and repeats are interleaved, so a
noisy minute of the machine hits every contender. CPU is user + system time of the
process under test, per row or message it finished.
"""
