"""Logs: one event with fields a line, JSON for machines and colours for people.

What libraries log takes the same way, from warnings on: below that the WebSocket library logs what
it sends, the key included.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


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
        processors=[*common, renderer],
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
    least = max(logging.WARNING, getattr(logging, level.upper()))
    logging.basicConfig(handlers=[handler], level=least, force=True)
