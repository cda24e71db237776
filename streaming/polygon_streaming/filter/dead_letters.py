"""Dead letters: records that are unreadable, untouched, with headers that say where and why."""

from typing import Any

from confluent_kafka import Message

from polygon_streaming.filter.records import Unreadable
from polygon_streaming.filter.refine import headers_of

Headers = list[tuple[str, Any]]


def headers(message: Message, reason: str) -> Headers:
    """Return the headers of a dead letter, in the style of Kafka Connect (KIP-298)."""
    return [*_own(message), *_place(message), ("__connect.errors.exception.message", reason)]


def headers_alone(message: Message, reason: str) -> Headers:
    """Return the headers of a dead letter that is too large to be passed on with its value."""
    size = len(message.value() or b"")
    words = f"{reason}. Its {size} bytes are too large for this topic: see its place in the other"
    return [*_place(message), ("__connect.errors.exception.message", words)]


def _own(message: Message) -> Headers:
    try:
        return headers_of(message)
    except Unreadable:
        return []


def _place(message: Message) -> Headers:
    return [
        ("__connect.errors.topic", message.topic()),
        ("__connect.errors.partition", str(message.partition())),
        ("__connect.errors.offset", str(message.offset())),
        ("__connect.errors.stage", "VALUE_CONVERTER"),
    ]
