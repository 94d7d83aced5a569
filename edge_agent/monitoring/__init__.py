"""Is the model still right? Drift, sensors, accuracy, fairness.

Pure: arrays in, arrays and `conditions.Condition` out. `tallies` count rows over the
passport's bins, `statistics` compares two tallies, the other modules decide what that
means. Nothing here reads a clock or a disk: time is an argument, state is handed back.
"""
