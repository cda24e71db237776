"""Healing: what a gap left out, from the REST API, into the raw topic.

A healed event has the shape of a streamed one and the header `healed`. It carries what REST knows:
of a bar no accumulated volume, no official open; of trades and quotes nanoseconds. Where the stream
did deliver one of the window, both are there, and the table keeps the one that came last; healing
twice does no harm.

Bars (A and AM, XA and XAS, CA and CAS), trades (T, XT) and quotes (Q, C) can be healed. REST has no
history of the quotes of crypto.
"""

import time
from dataclasses import asdict
from threading import Event
from typing import Final

import structlog
from confluent_kafka import KafkaException, Message

from polygon_streaming.errors import StreamError
from polygon_streaming.gaps.clients import HealClients
from polygon_streaming.gaps.gap import Gap, check, decode
from polygon_streaming.gaps.healed import Healed
from polygon_streaming.gaps.reader import GapsReader
from polygon_streaming.gaps.refill import Refill
from polygon_streaming.gaps.rest import BrokenAnswer, NotIncluded, Unknown
from polygon_streaming.gaps.series import Series, Targets
from polygon_streaming.settings import HealSettings
from polygon_streaming.stamps import now_ms, to_text

log = structlog.get_logger()

_SAY_SECONDS: Final = 10.0


class Healer:
    """Reads the gaps topic to its end and heals what is new."""

    def __init__(
        self, settings: HealSettings, clients: HealClients, say_seconds: float = _SAY_SECONDS
    ) -> None:
        """Prepare to heal; say how far it is every `say_seconds` of long work."""
        producer, consumer, self._rest = clients
        self._stop = Event()
        self._done = Healed()
        self._gaps = GapsReader(consumer, settings.gaps_topic)
        self._targets = Targets(settings, self._rest)
        self._refill = Refill(
            producer, settings.raw_topic, self._rest, self._done, self._end_if_stopped
        )
        self._say_seconds = say_seconds
        self._said = time.monotonic()

    def run(self, stop: Event | None = None) -> Healed:
        """Heal every gap that this group has not healed, and return what was done.

        Raises:
            StreamError: REST or Kafka refuses, it is too early, or `stop` was set; healed gaps stay
                healed.
            ConfigError: the key is not accepted; or a gap does not name what is missing, and there
                is no list to go by.
        """
        self._stop = stop or self._stop
        try:
            for message in self._gaps.messages(self._end_if_stopped):
                self._take(message)
        except KafkaException as error:
            raise StreamError(f"Kafka: {error.args[0].str()}.") from error
        finally:
            log.info("healing ended", requests=self._rest.requests, **asdict(self._done))
            self._gaps.close()
            self._refill.close()
        return self._done

    def _take(self, message: Message) -> None:
        """Heal a gap, and remember that it is healed."""
        whole = True
        try:
            gap = decode(message.value() or b"")
            check(gap, now_ms())
        except ValueError as error:
            self._done.skipped += 1
            log.error("gap skipped", offset=message.offset(), reason=str(error))
        else:
            whole = self._heal(gap)
            self._done.gaps += whole
            self._done.kept += not whole
        # A gap counts as healed when its events are in Kafka.
        self._refill.deliver()
        self._gaps.done(message, keep=not whole)

    def _heal(self, gap: Gap) -> bool:
        """Return whether a gap is healed as far as it can be."""
        bars, produced = self._done.bars, self._done.ticks
        try:
            whole = self._heal_all(gap, self._targets.of(gap, self._done))
        except (BrokenAnswer, NotIncluded, Unknown) as error:
            whole = False
            log.error("not healed", market=gap.market, reason=str(error))
        log.info(
            "healed" if whole else "kept",
            market=gap.market,
            start=to_text(gap.start_ms),
            end=to_text(gap.end_ms),
            reason=gap.reason,
            bars=self._done.bars - bars,
            ticks=self._done.ticks - produced,
        )
        return whole

    def _heal_all(self, gap: Gap, series: list[Series]) -> bool:
        refused: set[str] = set()
        whole = True
        for number, one in enumerate(series):
            self._end_if_stopped()
            self._say(gap, number, len(series))
            if one.market in refused:
                continue
            try:
                self._refill.series(gap, one)
            except Unknown as error:
                self._done.left_out += 1
                log.warning("not healed", subscription=one.name, reason=str(error))
            except NotIncluded as error:
                refused.add(one.market)
                log.error("not healed", market=one.market, reason=str(error))
            except BrokenAnswer as error:
                whole = False
                log.error("not healed", subscription=one.name, reason=str(error))
        return whole and not refused

    def _say(self, gap: Gap, number: int, count: int) -> None:
        """Say how far it is, every few seconds of long work."""
        if time.monotonic() - self._said < self._say_seconds:
            return
        self._said = time.monotonic()
        done = self._done
        log.info(
            "healing",
            gap=f"{done.gaps + done.skipped + done.kept + 1} of {self._gaps.total}",
            series=f"{number} of {count}",
            market=gap.market,
            start=to_text(gap.start_ms),
            end=to_text(gap.end_ms),
            bars=done.bars,
            ticks=done.ticks,
            requests=self._rest.requests,
        )

    def _end_if_stopped(self) -> None:
        if self._stop.is_set():
            raise StreamError(
                "Stopped. The next run heals what is left, and this gap from its start."
            )
