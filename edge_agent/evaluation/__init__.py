"""Labels become judgements: accuracy, fairness, false alarms, and what follows of them.

`judging` holds what the label desk joined against the passport of the version that
scores; `verdicts` remembers what was told and acted on; `thresholds` counts what other
thresholds would have given. All of it is the desk's thread, behind the turn.
"""
