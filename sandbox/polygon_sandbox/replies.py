"""Answers as values: status, body and what happens to it on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import orjson

# whole: as HTTP wants it; cut: the connection dies in mid-body; reset: it dies before any byte.
Wire = Literal["whole", "cut", "reset"]
_UPGRADE = "Please upgrade your plan at https://polygon.io/pricing"


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; `delay_seconds` is waited before it is sent."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = "whole"
    delay_seconds: float = 0.0


def request_id() -> str:
    """32 hex digits, new for every answer."""
    return uuid4().hex


def json_reply(content: Any, status: int = 200) -> Reply:
    """Any JSON document."""
    return Reply(status, orjson.dumps(content))


def ok(content: Mapping[str, Any]) -> Reply:
    """A document with status OK and a request id."""
    return json_reply({**content, "status": "OK", "request_id": request_id()})


def error(status: int, text: str) -> Reply:
    """Refusals of status ERROR carry their text in `error` (observed)."""
    return json_reply({"status": "ERROR", "request_id": request_id(), "error": text}, status)


def not_authorized(text: str, status: int = 403) -> Reply:
    """Refusals of status NOT_AUTHORIZED carry their text in `message` (observed)."""
    message = f"{text} {_UPGRADE}"
    content = {"status": "NOT_AUTHORIZED", "request_id": request_id(), "message": message}
    return json_reply(content, status)


def too_many_requests(wait_seconds: float, retry_after: bool, empty: bool) -> Reply:
    """The 429: an empty body was reported too; Retry-After was never seen from the vendor."""
    reply = error(
        429,
        "You've exceeded the maximum requests per minute, please wait or upgrade your "
        "subscription to continue. https://polygon.io/pricing",
    )
    headers = {"Retry-After": str(int(wait_seconds) + 1)} if retry_after else {}
    return Reply(429, b"" if empty else reply.body, headers=headers)


def not_found(text: str) -> Reply:
    """The 404 of something that a known path does not have (observed for ticker details)."""
    content = {"status": "NOT_FOUND", "request_id": request_id(), "message": text}
    return json_reply(content, 404)


def no_route() -> Reply:
    """The plain-text 404 of an unknown path (observed)."""
    return Reply(404, b"404 page not found", "text/plain")
