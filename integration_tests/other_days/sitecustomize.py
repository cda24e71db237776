"""Moves every Python process to another day: Python runs this first if its folder is on PYTHONPATH.

`TRAVEL_SECONDS` is how far all clocks are ahead of the real one (negative: behind), the same for
each process of a run, so that servers and subprocesses agree. Clocks go on from there. What is not
Python keeps the real day: DuckDB's and ClickHouse's own `now()`, SQLite, Kafka, Chromium.
"""

import os
import time

import time_machine

if "TRAVEL_SECONDS" in os.environ:
    _ahead = float(os.environ["TRAVEL_SECONDS"])
    _traveller = time_machine.travel(time.time() + _ahead, tick=True).start()
    # Starting takes some milliseconds, in each process others: clocks must agree better than that.
    _traveller.shift(_ahead - (time.time() - time_machine.escape_hatch.time.time()))
