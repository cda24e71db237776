"""What the filter says of raw records besides clean ones: gaps and dead letters."""

from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from polygon_streaming import raw
from polygon_streaming.gaps.gap import Gap
from polygon_streaming.process import metrics, reasons
from polygon_streaming.settings import FilterSettings

log = structlog.get_logger()


class Output:
    """Produces into the filter's open transaction; waits where the producer's queue is full.

    Attributes:
        producer: of that transaction.
    """

    def __init__(self, settings: FilterSettings, producer: Producer) -> None:
        self._settings = settings
        self.producer = producer
        self._too_large = False

    def gap(self, gap: Gap) -> None:
        """Log, count and produce a gap."""
        reason = reasons.label(gap.reason, reasons.FILTER_GAPS)
        metrics.filter_gaps.labels(gap.market, reason).inc()
        names = list(gap.subscriptions)
        log.warning("gap", reason=gap.reason, subscriptions=names, state=f"gap {gap.reason}")
        self.produce(self._settings.gaps_topic, gap.encode(), gap.market)

    def dead_letter(self, message: Message, reason: str) -> None:
        """Produce the dead letter of a raw record; without its value if that is too large."""
        topic = self._settings.dead_letter_topic
        if not self._too_large:
            try:
                headers = raw.dead_letter_headers(message, reason)
                self.produce(topic, message.value(), message.key(), headers=headers)
                return
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
        headers = raw.dead_letter_headers_alone(message, reason)
        self.produce(topic, None, None, headers=headers)

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: Any,
        **more: Any,
    ) -> None:
        """Produce a record once there is room for it."""
        while True:
            try:
                self.producer.produce(topic, value, key, **more)
                return
            except BufferError:
                self.producer.poll(0.05)

    def committed(self) -> None:
        """Take note that the transaction is committed."""
        self._too_large = False

    def aborted(self, cause: KafkaError) -> None:
        """Take note of why the transaction was aborted."""
        # Brokers may set a lower limit than this client has: dead letters then go without values.
        self._too_large |= cause.code() == KafkaError.MSG_SIZE_TOO_LARGE
