"""The one place that asks what time it is."""

from datetime import datetime, timezone

import pendulum


def utc_now() -> pendulum.DateTime:
    """Return the current time, aware, in UTC."""
    return pendulum.instance(datetime.now(timezone.utc))
