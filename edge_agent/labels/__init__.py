"""What really was: labels that come late are joined to the predictions that wait.

`desk.LabelDesk` owns one thread and a `book.Book` a pipeline: predictions in a bounded
`ring`, on disk in `segments`. Labels come by MQTT (`hearing`), in CSV files (`folder`)
and as verdicts of operators (`verdicts`); `joining` finds their predictions.
"""
