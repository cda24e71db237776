"""Logs: one event with fields a line, JSON for machines and colours for people.

What libraries log takes the same way, from warnings on: below that the WebSocket library logs what
it sends, the key included.

An outage repeats itself many times a second. A line with the field `state` says what is going on
rather than what happened once: of one state there is a line a minute, whose field `repeated` counts
those left out since the last one. What libraries log is taken for a state of theirs.
"""

import logging
import re
import sys
import time
from collections.abc import Callable
from typing import Final, Literal

import structlog

_QUIET_SECONDS: Final = 60.0
_DIGITS: Final = re.compile(r"\d+")


class States:
    """Says which lines about a state are due: the first, and one a minute after it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def due(self, state: str) -> int | None:
        """Return how many lines were left out since the last one; None if this one is, too."""
        now = self._clock()
        if now - self._said.get(state, -_QUIET_SECONDS) < _QUIET_SECONDS:
            self._left_out[state] = self._left_out.get(state, 0) + 1
            return None
        self._said[state] = now
        return self._left_out.pop(state, 0)

    def __call__(
        self, _logger: object, _method: str, line: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        """Drop a line that is not due. A processor of structlog."""
        state = line.get("state")
        if state is not None:
            left_out = self.due(str(state))
            if left_out is None:
                raise structlog.DropEvent
            if left_out:
                line["repeated"] = left_out
        return line


class _LibraryStates(logging.Filter):
    """Likewise for the lines of libraries, which do not name a state.

    librdkafka's begin with the kind of event, the rest names broker, thread and milliseconds. Of
    others, lines that differ in nothing but numbers count as one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._states = States()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        kind = text.partition(" ")[0] if record.name == "librdkafka" else _DIGITS.sub("", text)
        left_out = self._states.due(f"{record.name} {record.levelname} {kind}")
        if left_out:
            record.msg, record.args = f"{text} (and {left_out} alike)", ()
        return left_out is not None


def set_up(form: Literal["auto", "json", "text"], level: str) -> None:
    """Send all logs to stderr in the chosen form."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer()
    )
    common: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[States(), *common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(_LibraryStates())
    least = max(logging.WARNING, getattr(logging, level.upper()))
    logging.basicConfig(handlers=[handler], level=least, force=True)
