"""What the centre asks of all gateways' rows (`centre.tables`).

Reading order: `asked` (of whom, of when), `listing` (which objects that means),
`folder` and `bucket` (where they lie), `lake` (their rows in DuckDB, each row
once), then one module a question: `models`, `drift`, `accuracy`, `alarms`, `losses`,
`silent`. `page` draws all of them, `statements` writes the same questions for engines
beyond one machine, `compaction` makes few objects of many.
"""
