"""Calls to the brokers, made again while what stops them passes."""

import time
from collections.abc import Callable
from threading import Event
from typing import Final, TypeVar

import structlog
from confluent_kafka import KafkaException, Producer

from polygon_streaming.errors import StreamError
from polygon_streaming.kafka.errors import may_pass

log = structlog.get_logger()

T = TypeVar("T")

_RETRY_SECONDS: Final = 0.1
# Container platforms give a command ten seconds and more to stop.
DRAIN_SECONDS: Final = 5.0


class Patience:
    """Waits for the brokers for ever, but not for long once the command is to stop."""

    def __init__(
        self,
        stop: Event,
        producer: Producer,
        alive: Callable[[], None],
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        """Prepare to wait.

        Args:
            stop: set once the command is to stop.
            producer: is polled meanwhile, so that its errors and logs come out.
            alive: called between two tries.
            drain_seconds: how long it still waits once the command is to stop.
        """
        self._stop = stop
        self._producer = producer
        self._alive = alive
        self._drain_seconds = drain_seconds
        self._stopping_since: float | None = None

    def until_done(self, action: Callable[[], T]) -> T:
        """Return what an action returns, once it does.

        Raises:
            KafkaException: it fails in a way that does not pass.
            StreamError: the command is to stop, and the brokers do not answer.
        """
        while True:
            try:
                return action()
            except KafkaException as error:
                if not may_pass(error.args[0]):
                    raise
                self._alive()
                self._producer.poll(0)
                log.warning("retrying", reason=error.args[0].str(), state="retrying")
                self._give_up_if_stopping()
                time.sleep(_RETRY_SECONDS)

    def _give_up_if_stopping(self) -> None:
        if not self._stop.is_set():
            return
        self._stopping_since = self._stopping_since or time.monotonic()
        if time.monotonic() - self._stopping_since > self._drain_seconds:
            raise StreamError(
                "Stopped while the brokers do not answer. Nothing is lost: the next start reads "
                "again what was not committed."
            )
