"""How each answer of the vendor is handled: accepted, asked again, or reported with the fix."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http.error_handlers import BackoffStrategy, ErrorHandler
from airbyte_cdk.sources.streams.http.error_handlers.response_models import (
    ErrorResolution,
    ResponseAction,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.vendor.answers import Broken, Refusal, message, payload, refusal
from source_polygon.vendor.auth import origin

# The vendor is not known to send Retry-After; its limit is over a sliding or a fixed minute
# (unverified), and a whole minute of silence satisfies both.
_RATE_WINDOW_SECONDS: Final = 60
_RATE_WAITS: Final = 10

# With the CDK's waits of 1, 2, 4, 8 and 16 seconds between them.
_ATTEMPTS: Final = 6


@dataclass
class Patience(BackoffStrategy):
    """Waits out the rate window on 429; on all else lets the CDK double its wait, and gives up.

    Attributes:
        host: name of the server, for the messages.
        envelope: see `PolygonErrorHandler`.
    """

    host: str
    envelope: bool

    def backoff_time(
        self,
        response_or_exception: requests.Response | requests.RequestException | None,
        attempt_count: int,
    ) -> float | None:
        """Return the seconds to wait, or None for the CDK's own doubling wait.

        Raises:
            AirbyteTracedException: all attempts are used up (transient_error: a later sync resumes
                from the last state).
        """
        answer = response_or_exception
        if isinstance(answer, requests.Response) and answer.status_code == 429:
            if attempt_count > _RATE_WAITS:
                raise _transient(
                    "Polygon.io still answers 429 (too many requests) after ten minutes. Lower "
                    "requests_per_minute, or stop what else uses this key."
                )
            return _retry_after(answer)
        if attempt_count >= _ATTEMPTS:
            raise _transient(
                f"{self.host} gave no usable answer in {attempt_count} attempts: "
                f"{_fault(answer, self.envelope)}. If that lasts, check the network and base_url."
            )
        return None


@dataclass
class PolygonErrorHandler(ErrorHandler):
    """Sorts answers into accepted, retried and failed, and words the failures for the user.

    Attributes:
        config: the connector's configuration.
        envelope: whether bodies are objects with `status` (else bare lists).
        days: whether requests are for single days, so that a day which the plan refuses is handed
            on. Elsewhere such a refusal is one of the whole request.
        backoff_strategies: read by the CDK's requester.
    """

    config: Mapping[str, Any]
    envelope: bool = True
    days: bool = False
    backoff_strategies: list[BackoffStrategy] = field(init=False)

    def __post_init__(self) -> None:
        self._host = origin(self.config["base_url"])[1]
        self.backoff_strategies = [Patience(self._host, self.envelope)]

    @property
    def max_retries(self) -> int:
        """Upper bound of the CDK; `Patience` ends earlier."""
        return _ATTEMPTS + _RATE_WAITS

    @property
    def max_time(self) -> int:
        """Upper bound of the CDK in seconds; `Patience` ends earlier."""
        return 3600

    def interpret_response(self, response: requests.Response | Exception | None) -> ErrorResolution:
        """Return what to do about an answer or about the failure to get one."""
        if not isinstance(response, requests.Response):
            return self._unreachable(response)
        status = response.status_code
        if status == 200:
            return self._judged(response)
        refused = refusal(response)
        if refused is not None:
            return self._refused(refused, response)
        if status == 401:
            return _fail(
                FailureType.config_error,
                f"Polygon.io does not accept this API key: {message(response) or 'HTTP 401.'} "
                "Copy the key from the dashboard into api_key.",
            )
        if status == 429:
            return ErrorResolution(
                ResponseAction.RATE_LIMITED,
                FailureType.transient_error,
                "Polygon.io limits the rate of requests; waiting for the next minute.",
            )
        if status == 408 or status >= 500:
            return _again(f"HTTP {status} {message(response)}".rstrip())
        return self._rejected(response)

    def _unreachable(self, error: Exception | None) -> ErrorResolution:
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            return _fail(FailureType.config_error, f"base_url is not a usable address: {error}")
        return _again(
            f"{self._host} could not be reached or broke off: {_fault(error, self.envelope)}"
        )

    def _judged(self, response: requests.Response) -> ErrorResolution:
        try:
            payload(response, envelope=self.envelope)
        except Broken as broken:
            refused = refusal(response)
            return self._refused(refused, response) if refused else _again(str(broken))
        return ErrorResolution(ResponseAction.SUCCESS, None, None)

    def _refused(self, refused: Refusal, response: requests.Response) -> ErrorResolution:
        words, asked = message(response), _asked(response)
        if self.days and refused in (Refusal.NOT_YET, Refusal.OUTSIDE_HISTORY):
            # Handed on as it is: only the reader of sessions knows what a refused day means.
            text = f"{asked} refused, {refused.value}: {words}"
            return ErrorResolution(ResponseAction.IGNORE, None, text)
        if refused is Refusal.FORBIDDEN:
            kind = response.headers.get("content-type", "no content type").partition(";")[0]
            text = (
                f"{self._host} refuses {asked} with HTTP 403: {words or f'no reason ({kind}).'} "
                "If that is no answer of Polygon.io, a firewall or proxy in between gives it."
            )
            return _fail(FailureType.config_error, text)
        of_market = "/market/" in asked or "(market" in asked
        fix = "take the market out of `markets`" if of_market else "leave the stream out"
        return _fail(
            FailureType.config_error,
            f"The plan of this API key does not cover {asked}: {words or 'no reason given.'} "
            f"Upgrade the plan, or {fix}.",
        )

    def _rejected(self, response: requests.Response) -> ErrorResolution:
        status, words = response.status_code, message(response)
        if 300 <= status < 400:
            text = "answers with a redirect, which is not followed. Set base_url to the final host."
            return _fail(FailureType.config_error, f"{self._host} {text}")
        if status == 404:
            text = f"has no {_asked(response)} (HTTP 404). Check base_url."
            return _fail(FailureType.config_error, f"{self._host} {text}")
        return _fail(
            FailureType.system_error,
            f"Polygon.io rejects the request {_asked(response)} with HTTP {status}: {words}",
        )


def _retry_after(response: requests.Response) -> float:
    seconds = response.headers.get("retry-after", "")
    if seconds.isdigit():
        return min(float(seconds), 600.0)
    return _RATE_WINDOW_SECONDS


def _fault(answer: requests.Response | Exception | None, envelope: bool) -> str:
    if isinstance(answer, requests.Response):
        if answer.status_code != 200:
            return f"HTTP {answer.status_code} {message(answer)}".rstrip(" .")
        try:
            payload(answer, envelope=envelope)
        except Broken as broken:
            return str(broken).rstrip(".")
    if isinstance(answer, requests.Timeout):
        return "no answer in time"
    if isinstance(answer, requests.exceptions.ChunkedEncodingError):
        return "the connection broke in the middle of the body"
    return f"no connection ({type(answer).__name__})"


def _asked(response: requests.Response) -> str:
    """Return the path that was asked for, with the market where the query names it."""
    path, _, query = str(response.request.path_url).partition("?")
    market = parse_qs(query).get("market")
    return f"{path} (market {market[0]})" if market else path


def _again(reason: str) -> ErrorResolution:
    return ErrorResolution(ResponseAction.RETRY, FailureType.transient_error, reason)


def _fail(kind: FailureType, text: str) -> ErrorResolution:
    return ErrorResolution(ResponseAction.FAIL, kind, text)


def _transient(text: str) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=text, internal_message=text, failure_type=FailureType.transient_error
    )
