"""Whether the main loop of a stage still goes round."""

import time


class Heartbeat:
    """A stage beats it several times a second; others look at it, from any thread."""

    def __init__(self) -> None:
        self._beat = time.monotonic()

    def beat(self) -> None:
        """Note that the main loop goes round."""
        self._beat = time.monotonic()

    def stuck_seconds(self) -> float:
        """Return how long the main loop has not gone round."""
        return time.monotonic() - self._beat
