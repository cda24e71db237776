"""How the CDK's client handles what comes over HTTP: let through, asked again, or reported.

What a body means is judged where it is read, see `vendor.questions`.
"""

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

from source_polygon.errors import transient_error
from source_polygon.vendor.answers import is_unknown, words
from source_polygon.vendor.auth import origin

# The vendor is not known to send Retry-After; its limit is over a sliding or a fixed minute
# (unverified), and a whole minute of silence satisfies both.
_RATE_WINDOW_SECONDS: Final = 60
_RATE_WAITS: Final = 10

ATTEMPTS: Final = 6
"""How often a question is put before its answer counts as none, 1, 2, 4, 8 and 16 seconds apart."""


@dataclass
class Waits(BackoffStrategy):
    """Waits out the rate window on 429; on all else lets the CDK double its wait, and gives up.

    Attributes:
        host: name of the server, for the messages.
    """

    host: str

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
                raise transient_error(
                    "Polygon.io still answers 429 (too many requests) after ten minutes. Lower "
                    "requests_per_minute, or stop what else uses this key."
                )
            return _retry_after(answer)
        if attempt_count >= ATTEMPTS:
            raise no_usable_answer(self.host, attempt_count, _fault(answer))
        return None


@dataclass
class PolygonErrorHandler(ErrorHandler):
    """Sorts answers into let through, asked again and failed, and words the failures.

    Attributes:
        config: the connector's configuration.
        backoff_strategies: read by the CDK's requester.
    """

    config: Mapping[str, Any]
    backoff_strategies: list[BackoffStrategy] = field(init=False)

    def __post_init__(self) -> None:
        self._host = origin(self.config["base_url"])[1]
        self.backoff_strategies = [Waits(self._host)]

    @property
    def max_retries(self) -> int:
        """Upper bound of the CDK; `Waits` ends earlier."""
        return ATTEMPTS + _RATE_WAITS

    @property
    def max_time(self) -> int:
        """Upper bound of the CDK in seconds; `Waits` ends earlier."""
        return 3600

    def interpret_response(self, response: requests.Response | Exception | None) -> ErrorResolution:
        """Return what to do about an answer or about the failure to get one."""
        if not isinstance(response, requests.Response):
            return self._unreachable(response)
        status = response.status_code
        if status == 200:
            return ErrorResolution(ResponseAction.SUCCESS, None, None)
        if status == 403 or (status == 404 and is_unknown(response)):
            text = f"{asked(response)}: HTTP {status}, judged by its body."
            return ErrorResolution(ResponseAction.IGNORE, None, text)
        if status == 401:
            return _fail(
                FailureType.config_error,
                f"Polygon.io does not accept this API key: {words(response) or 'HTTP 401.'} "
                "Copy the key from the dashboard into api_key.",
            )
        if status == 429:
            return ErrorResolution(
                ResponseAction.RATE_LIMITED,
                FailureType.transient_error,
                "Polygon.io limits the rate of requests; waiting for the next minute.",
            )
        if status == 408 or status >= 500:
            return _again(_fault(response))
        return self._rejected(response)

    def _unreachable(self, error: Exception | None) -> ErrorResolution:
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            return _fail(FailureType.config_error, f"base_url is not a usable address: {error}")
        return _again(f"{self._host} could not be reached or broke off: {_fault(error)}")

    def _rejected(self, response: requests.Response) -> ErrorResolution:
        status = response.status_code
        if 300 <= status < 400:
            text = "answers with a redirect, which is not followed. Set base_url to the final host."
            return _fail(FailureType.config_error, f"{self._host} {text}")
        if status == 404:
            text = f"has no {asked(response)} (HTTP 404). Check base_url."
            return _fail(FailureType.config_error, f"{self._host} {text}")
        return _fail(
            FailureType.system_error,
            f"Polygon.io rejects the request {asked(response)} with HTTP {status}: "
            f"{words(response)}",
        )


def asked(response: requests.Response) -> str:
    """Return the path that was asked for, with the market where the query names it."""
    path, _, query = str(response.request.path_url).partition("?")
    market = parse_qs(query).get("market")
    return f"{path} (market {market[0]})" if market else path


def no_usable_answer(host: str, attempts: int, fault: str) -> AirbyteTracedException:
    """Return the error after the last attempt (transient_error); `fault` says what was wrong."""
    return transient_error(
        f"{host} gave no usable answer in {attempts} attempts: {fault}. If that lasts, check the "
        "network and base_url."
    )


def _retry_after(response: requests.Response) -> float:
    seconds = response.headers.get("retry-after", "")
    if seconds.isdigit():
        return min(float(seconds), 600.0)
    return _RATE_WINDOW_SECONDS


def _fault(answer: requests.Response | Exception | None) -> str:
    if isinstance(answer, requests.Response):
        return f"HTTP {answer.status_code} {words(answer)}".rstrip(" .")
    if isinstance(answer, requests.Timeout):
        return "no answer in time"
    if isinstance(answer, requests.exceptions.ChunkedEncodingError):
        return "the connection broke in the middle of the body"
    return f"no connection ({type(answer).__name__})"


def _again(reason: str) -> ErrorResolution:
    return ErrorResolution(ResponseAction.RETRY, FailureType.transient_error, reason)


def _fail(kind: FailureType, text: str) -> ErrorResolution:
    return ErrorResolution(ResponseAction.FAIL, kind, text)
