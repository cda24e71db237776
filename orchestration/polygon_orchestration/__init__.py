"""Dagster code location: raw streams, checked and modelled tables, by trading session."""

import os

# PyAirbyte reads this when it is imported: no reports, and no look at Airbyte's registry for a
# connector that is installed here.
os.environ.setdefault("AIRBYTE_OFFLINE_MODE", "1")
