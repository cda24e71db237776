"""The gaps topic, as a feed writes it."""

from collections.abc import Callable
from datetime import timedelta

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from polygon_streaming.gaps.gap import Gap

Report = Callable[[KafkaError | None], None]


class GapsTopic:
    """Produces the gaps of all markets and reports what the brokers say of each.

    It wants a producer of its own, which reports every record: a full queue of events then does not
    stand in the way, and a gap counts as recorded only once the brokers have it.

    A delayed feed notices at noon what is missing from a quarter to twelve. On the topic stands the
    latter: it is what the bars' own times are compared with.
    """

    def __init__(self, producer: Producer, topic: str, delay: timedelta = timedelta(0)) -> None:
        self._producer = producer
        self._topic = topic
        self._delay = delay

    def produce(self, gap: Gap, report: Report) -> None:
        """Produce a gap that fits into a record.

        Args:
            gap: the gap.
            report: is told the error, or None once the brokers have it; at once or in `poll`.
        """

        def reported(error: KafkaError | None, _: Message) -> None:
            report(error)

        value = gap.later(-self._delay).encode()
        try:
            self._producer.produce(self._topic, value, gap.market, on_delivery=reported)
        except BufferError:
            report(KafkaError(KafkaError._QUEUE_FULL))
        except KafkaException as error:
            report(error.args[0])

    def poll(self) -> None:
        """Take in what the brokers say."""
        self._producer.poll(0)

    def flush(self, seconds: float) -> None:
        """Wait for the brokers, so many seconds at most. The last call."""
        if not self._producer.flush(seconds):
            self._producer.close()  # with something left it would wait for the brokers
