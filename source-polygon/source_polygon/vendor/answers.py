"""What an answer of the vendor means: data, a refusal, or neither.

Refused, empty and broken are three different answers. An empty day is a well-formed body whose
`results` are absent, null or []. A refusal says so in its status: 403, or `NOT_AUTHORIZED` with
200. All else that is not a well-formed `OK` or `DELAYED` body is broken and never means zero rows.
"""

import logging
from enum import Enum
from typing import Any, Final

import orjson
import requests

from source_polygon.vendor.characters import mended

LOGGER = logging.getLogger("airbyte")

_GOOD: Final = ("OK", "DELAYED")

# The memo keeps a body from being parsed twice, once to judge it and once to read it.
_MEMO: Final = "_polygon_payload"


class Broken(ValueError):
    """The body is not what the vendor documents. The text says how."""


class Refusal(Enum):
    """Why the vendor will not serve data to a valid key."""

    NOT_YET = "the session is not over for this plan"
    OUTSIDE_HISTORY = "the session is outside the history of this plan"
    NOT_ENTITLED = "this plan does not cover the data"
    FORBIDDEN = "no reason that names the plan"


def payload(response: requests.Response, *, envelope: bool = True) -> Any:
    """Return the parsed body of a 200 response.

    Args:
        response: the response, read in full.
        envelope: whether the body is an object with `status`; otherwise it is a bare list.

    Raises:
        Broken: not JSON, not of that shape, a status other than OK or DELAYED, or a number of rows
            that differs from the stated one.
    """
    body = getattr(response, _MEMO, None)
    if body is None:
        body = _parse(response, envelope=envelope)
        setattr(response, _MEMO, body)
    return body


def rows(response: requests.Response) -> list[Any]:
    """Return the rows of a body that `payload` accepts: its `results`, or the bare list it is."""
    body = payload(response)
    return body if isinstance(body, list) else body.get("results") or []


def is_empty(response: requests.Response) -> bool:
    """Return whether `response` is well-formed and has no rows. A refusal is not empty."""
    return refusal(response) is None and not rows(response)


def refusal(response: requests.Response) -> Refusal | None:
    """Return why the vendor refuses, or None where `response` is no refusal.

    The texts are those seen from 2024 to 2026. With an unknown one, NOT_AUTHORIZED means that the
    plan lacks the data; any other 403 may be a firewall's or a proxy's.
    """
    if hasattr(response, _MEMO):
        return None
    unauthorized = _object(response).get("status") == "NOT_AUTHORIZED"
    if response.status_code != 403 and not unauthorized:
        return None
    text = message(response).lower()
    if "before end of day" in text:
        return Refusal.NOT_YET
    if "timeframe" in text:
        return Refusal.OUTSIDE_HISTORY
    plan = unauthorized or "entitled" in text or "upgrade" in text
    return Refusal.NOT_ENTITLED if plan else Refusal.FORBIDDEN


def message(response: requests.Response) -> str:
    """Return the vendor's own words as a sentence, or "" where there are none.

    They are in `error` or `message`. Should they repeat the key, it is made unreadable.
    """
    body = _object(response)
    return _sentence(body.get("error") or body.get("message") or "", response)


def _sentence(words: object, response: requests.Response) -> str:
    key = str(response.request.headers.get("Authorization", "")) if response.request else ""
    text = str(words)
    if secret := key.removeprefix("Bearer "):
        text = text.replace(secret, "****")
    text = text.strip()[:300]
    return text if not text or text[-1] in ".!?" else f"{text}."


def _parse(response: requests.Response, *, envelope: bool) -> Any:
    try:
        body = _json(response)
    except orjson.JSONDecodeError as error:
        kind = response.headers.get("content-type", "no content type")
        size = len(response.content)
        raise Broken(f"the body is not complete JSON ({size} bytes, {kind})") from error
    if not envelope:
        if not isinstance(body, list):
            raise Broken("the body is not a list")
        return body
    if not isinstance(body, dict):
        raise Broken("the body is not an object")
    if body.get("status") not in _GOOD:
        words = _sentence(body.get("error") or body.get("message") or "no reason given", response)
        raise Broken(f"the body's status is {str(body.get('status'))[:40]!r}: {words}")
    results = body.get("results")
    if results is not None and not isinstance(results, list):
        raise Broken("`results` is not a list")
    stated = body.get("resultsCount")
    if stated is not None and stated != len(results or []):
        raise Broken(f"`resultsCount` is {stated} but {len(results or [])} rows came")
    return body


def _json(response: requests.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        content, found = mended(response.content)
        body = orjson.loads(content)
    for phrase in found:
        path = str(response.request.path_url).partition("?")[0] if response.request else "a body"
        LOGGER.warning("%s holds %s. Nothing is left out.", path, phrase)
    return body


def _object(response: requests.Response) -> dict[str, Any]:
    try:
        body = _json(response)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
