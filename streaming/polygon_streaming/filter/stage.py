"""The filter as a process runs it: with a watch over its brokers, and anew where that is due."""

from collections.abc import Callable
from threading import Event
from typing import Final

import structlog
from confluent_kafka import Consumer

from polygon_streaming.filter.clients import Fenced, FilterClients, connect
from polygon_streaming.filter.loop import Filter
from polygon_streaming.kafka.watch import BrokerWatch
from polygon_streaming.process.heartbeat import Heartbeat
from polygon_streaming.settings import FilterSettings

log = structlog.get_logger()

# The time of a transaction, or of a session, and what the brokers need to notice. Whoever is fenced
# later than that after an outage is fenced by another filter.
_AFTERMATH_SECONDS: Final = 90.0


class FilterStage:
    """A filter, and its successors in the same process."""

    def __init__(
        self,
        settings: FilterSettings,
        watcher: Consumer,
        connect: Callable[[FilterSettings], FilterClients] = connect,
    ) -> None:
        """Prepare to filter.

        Args:
            settings: see there.
            watcher: asks the brokers whether they are there.
            connect: returns the clients of a filter; each gets new ones.

        Raises:
            ConfigError: the rules or a Kafka property are wrong.
        """
        self.heartbeat = Heartbeat()
        self._settings = settings
        self._connect = connect
        self._filter = self._new()
        topics = [
            settings.raw_topic,
            *settings.targets.values(),
            settings.dead_letter_topic,
            settings.gaps_topic,
        ]
        self._watch = BrokerWatch(watcher, topics, self.heartbeat.beat, self._filter.producer)

    def run(self, stop: Event) -> None:
        """Filter until `stop` is set.

        During an outage a transaction outlives its time, and a consumer may be fenced by its own
        second attempt to join. What a restart would do then is done here, once an outage.

        Raises:
            StreamError: Kafka refuses, or another filter has taken over.
        """
        with self._watch as watch:
            while True:
                outages = watch.outages
                try:
                    return self._filter.run(stop)
                except Fenced as fenced:
                    if watch.outages == outages or watch.since_outage() > _AFTERMATH_SECONDS:
                        raise
                    reason = str(fenced)
                log.warning("starting anew after an outage of the brokers", reason=reason)
                self._filter = self._new()
                watch.creator = self._filter.producer

    def problems(self) -> list[str]:
        """Return why the filter is not ready; nothing if it is. May be called in any thread."""
        return self._watch.problems() + self._filter.problems()

    def _new(self) -> Filter:
        return Filter(self._settings, self._connect(self._settings), self.heartbeat)
