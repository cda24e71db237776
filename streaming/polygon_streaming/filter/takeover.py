"""Partitions that the group has given to this filter and that it does not read yet.

Where to begin is asked for beside the work, and not in the group's callbacks: after a filter has
died in mid-transaction the brokers tell its offsets only once that has timed out, and until then
the partitions that this filter has had all along must go on.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Generic, TypeVar

from confluent_kafka import KafkaException, TopicPartition

from polygon_streaming.kafka.errors import may_pass

T = TypeVar("T")

_PAUSE_SECONDS: Final = 0.2


class Takeover(Generic[T]):
    """Asks for the place of each partition until it is known or the partition goes to another."""

    def __init__(self, ask: Callable[[TopicPartition], T]) -> None:
        """Prepare to ask.

        Args:
            ask: returns the place of a partition; may be called in another thread, and raises
                KafkaException if the brokers do not tell.
        """
        self._ask = ask
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="takeover")
        self._waiting: dict[int, tuple[TopicPartition, Future[T]]] = {}
        self._reason = ""

    def add(self, partitions: Iterable[TopicPartition]) -> None:
        """Begin to ask for partitions. An answer to an earlier question no longer counts."""
        for place in partitions:
            self._waiting[place.partition] = place, self._pool.submit(self._patiently, place)

    def remove(self, partitions: Iterable[TopicPartition]) -> None:
        """Ask no more for partitions."""
        for place in partitions:
            self._waiting.pop(place.partition, None)

    def known(self) -> list[T]:
        """Return the places that have become known since the last call.

        Raises:
            KafkaException: the brokers refuse in a way that does not pass.
        """
        found: list[T] = []
        for number, (place, answer) in list(self._waiting.items()):
            if not answer.done():
                continue
            try:
                found.append(answer.result())
                del self._waiting[number]
            except KafkaException as error:
                if not may_pass(error.args[0]):
                    raise
                self._reason = error.args[0].str()
                self.add([place])
        return found

    def problems(self) -> list[str]:
        """Return which partitions wait, and for what."""
        waiting = sorted(self._waiting)
        if not waiting:
            return []
        numbers = ", ".join(str(number) for number in waiting)
        return [f"kafka: partitions {numbers} wait for their committed offsets. {self._reason}"]

    def close(self) -> None:
        """End in order: nothing is asked any more."""
        self._waiting.clear()
        self._pool.shutdown(cancel_futures=True)

    def _patiently(self, place: TopicPartition) -> T:
        try:
            return self._ask(place)
        except KafkaException:
            time.sleep(_PAUSE_SECONDS)
            raise
