"""What has become of the events handed to the producer: one count for all markets."""

import time
from typing import Final

from confluent_kafka import KafkaError, Producer

from polygon_streaming.feed.publisher import Publisher

# Longer than it takes the brokers to elect a leader.
_STUCK_SECONDS: Final = 15.0


class Delivery:
    """Takes in the brokers' reports and counts.

    Attributes:
        outstanding: how many records are still on their way.
        delivered: how many events the brokers have.
    """

    def __init__(self, producer: Producer) -> None:
        self.outstanding = 0
        self.delivered = 0
        self._producer = producer
        self._publishers: list[Publisher] = []
        self._went_on = time.monotonic()

    def add(self, publisher: Publisher) -> None:
        """Count what a publisher produces with the producer."""
        self._publishers.append(publisher)

    @property
    def produced(self) -> int:
        """How many events were handed to the producer."""
        return sum(publisher.produced for publisher in self._publishers)

    @property
    def failure(self) -> KafkaError | None:
        """The error after which the producer is of no further use, if it had one."""
        return next((p.failure for p in self._publishers if p.failure is not None), None)

    def tick(self) -> None:
        """Take in the reports so far."""
        self._producer.poll(0)
        self._count()

    def problems(self) -> list[str]:
        """Return what is wrong with delivery; nothing if it goes on, or has nothing to do."""
        stuck = time.monotonic() - self._went_on
        if stuck < _STUCK_SECONDS:
            return []
        return [f"kafka: none of {self.outstanding} records was taken for {stuck:.0f} s"]

    def finish(self, seconds: float) -> int:
        """Wait for what is on its way, so many seconds at most; then give up what is left.

        Returns:
            How many records were given up. Each is reported like one that the brokers refused.
        """
        left = self._producer.flush(seconds)
        if left:
            self._producer.purge()
            self._producer.flush(1)
        self._count()
        if not self.outstanding:
            self._producer.close()  # with something left it would wait for the brokers
        return left

    def _count(self) -> None:
        before = self.delivered
        self.outstanding = len(self._producer)
        failed = sum(publisher.failed for publisher in self._publishers)
        self.delivered = max(before, self.produced - failed - self.outstanding)
        if self.delivered > before or not self.outstanding:
            self._went_on = time.monotonic()
