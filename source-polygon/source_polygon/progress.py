"""What a sync says of itself while it runs and once it ends."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Final

from airbyte_cdk.models import AirbyteMessage

from source_polygon.engine.estimate import duration, number
from source_polygon.engine.output import page_of
from source_polygon.vendor.tally import Tally

EVERY_SECONDS: Final = 60.0


class Progress:
    """Counts what a sync brings and costs, all since it was made.

    Attributes:
        records: how many came, by stream.
    """

    def __init__(
        self,
        tally: Tally,
        slices: Callable[[], Mapping[str, str]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Begin to count.

        Args:
            tally: what the process asks of the vendor.
            slices: returns how far each stream is, such as `3 of 52 windows`.
            clock: returns seconds.
        """
        self.records: Counter[str] = Counter()
        self._tally, self._slices, self._clock = tally, slices, clock
        self._began, self._believed = clock(), tally.believed
        self._sent, self._waited = tally.sent(), tally.waited()
        self._said: Mapping[str, str] = {}

    def count(self, message: AirbyteMessage) -> None:
        """Count the records of a message."""
        if message.record:
            page = page_of(message)
            self.records[message.record.stream] += page.count if page else 1

    def line(self) -> str:
        """Return what the sync cost so far, and how far the streams are that have moved."""
        before, self._said = self._said, self._streams()
        moved = [f"{name}: {text}" for name, text in self._said.items() if text != before.get(name)]
        return " ".join(
            [
                f"{duration(self._clock() - self._began)} in:",
                f"{self._requests()}{self._waiting()}.",
                f"{'; '.join(moved) or 'Nothing new since the last such line'}.",
            ]
        )

    def summary(self, logger: logging.Logger) -> None:
        """Log what came of each stream, and what the sync cost."""
        for stream, count in self.records.items():
            logger.info("%s: %d %s.", stream, count, "record" if count == 1 else "records")
        seconds, sent = self._clock() - self._began, self._of_this_sync()
        logger.info(
            "Requests sent, retries included: %d, in %.0f seconds%s%s.",
            *(sent.total(), seconds, self._waiting(), _by_product(sent)),
        )
        if empty := self._tally.believed - self._believed:
            logger.warning("Empty answers that were believed: %d, see above.", empty)

    def _streams(self) -> dict[str, str]:
        slices = self._slices()
        return {
            name: ", ".join(
                part for part in (slices.get(name), number(self.records[name], "record")) if part
            )
            for name in dict.fromkeys([*slices, *self.records])
        }

    def _requests(self) -> str:
        sent = self._of_this_sync()
        return number(sent.total(), "request") + _by_product(sent)

    def _of_this_sync(self) -> Counter[str]:
        return self._tally.sent() - self._sent

    def _waiting(self) -> str:
        waited = {
            product: round(seconds - self._waited.get(product, 0.0))
            for product, seconds in self._tally.waited().items()
        }
        parts = [f"{product} {seconds} seconds" for product, seconds in waited.items() if seconds]
        return f", of which waiting for the budget: {', '.join(parts)}" if parts else ""


@contextmanager
def reported(
    progress: Progress, logger: logging.Logger, wait: Callable[[float], bool] | None = None
) -> Iterator[None]:
    """Log `progress` every minute until the end of the block, whether anything moves or not.

    Args:
        progress: what to log.
        logger: where to.
        wait: waits for so many seconds, and returns whether the block has ended meanwhile.
    """
    ended = Event()
    wait = wait or ended.wait

    def report() -> None:
        while not wait(EVERY_SECONDS):
            logger.info(progress.line())

    thread = Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _by_product(sent: Counter[str]) -> str:
    if len(sent) < 2:
        return ""
    return f" ({', '.join(f'{product} {count:,}' for product, count in sent.items())})"
