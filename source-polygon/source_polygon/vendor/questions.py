"""Questions to the vendor, each asked until its answer can be taken for what it says."""

import logging
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import requests
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.errors import config_error, not_in_plan, not_known, system_error
from source_polygon.vendor.answers import Data, Reason, Refused, judge
from source_polygon.vendor.auth import origin
from source_polygon.vendor.http import ATTEMPTS, asked, no_usable_answer
from source_polygon.vendor.tally import TALLY

LOGGER = logging.getLogger("airbyte")

# Seconds before each further question. The vendor was seen to send `results: null` in 5 to 20 of
# 4,000 requests, and the data when asked again (polygon-io/issues#2).
PAUSES_IF_EMPTY: Final = (2, 4, 8)

_OF_A_SYMBOL: Final = re.compile(r"/(tickers?|aggs|snapshot/options)/")


@dataclass(frozen=True)
class Vendor:
    """The vendor, as one stream asks it.

    Attributes:
        requester: sends the requests; its path is that of the stream.
        base_url: the configured address without a slash at its end.
        bare: see `answers.judge`.
        single: see there.
        as_written: see there.
        plan: the plan that the stream needs, for the error where the key has another.
    """

    requester: Requester
    base_url: str
    bare: bool = False
    single: bool = False
    as_written: bool = False
    plan: str = ""

    def ask(
        self, *, complaint: str = "", pauses: Sequence[int] = PAUSES_IF_EMPTY, **request: Any
    ) -> Data:
        """Put a question and return the data.

        Args:
            complaint: what an answer without rows would mean, a sentence without its full stop,
                where that is unlikely. Then it is asked for again before it is believed.
            pauses: seconds before each time that it is.
            request: as the requester takes it: `request_params`, `path`, `stream_slice`.

        Raises:
            NotInPlan: the plan of the key lacks it.
            NotKnown: there is nothing of the name in the path (config_error).
            AirbyteTracedException: refused otherwise (config_error); no usable answer
                (transient_error).
        """
        answer = self.ask_or_be_refused((), complaint=complaint, pauses=pauses, **request)
        assert isinstance(answer, Data)  # noqa: S101 - no refusal was to be handed on
        return answer

    def ask_or_be_refused(
        self,
        handed_on: Collection[Reason],
        *,
        complaint: str = "",
        pauses: Sequence[int] = PAUSES_IF_EMPTY,
        **request: Any,
    ) -> Data | Refused:
        """Put a question and return the data, or a refusal for one of the reasons `handed_on`.

        `complaint`, `pauses`, `request` and errors are those of `ask`.
        """
        answer = self._usable(handed_on, request)
        if not complaint:
            return answer
        for pause in pauses:
            if isinstance(answer, Refused) or answer.rows:
                return answer
            LOGGER.info("%s. That is unlikely; asking again in %d seconds.", complaint, pause)
            time.sleep(pause)
            answer = self._usable(handed_on, request)
        if isinstance(answer, Data) and not answer.rows:
            TALLY.believed_empty()
            times = len(pauses) + 1
            LOGGER.warning("%s, asked %d times. That is believed now.", complaint, times)
        return answer

    def _usable(self, handed_on: Collection[Reason], request: dict[str, Any]) -> Data | Refused:
        fault = ""
        for attempt in range(1, ATTEMPTS + 1):
            response = self._send(request)
            answer = judge(response, bare=self.bare, single=self.single, as_written=self.as_written)
            if isinstance(answer, Data):
                return answer
            if isinstance(answer, Refused):
                if answer.reason in handed_on:
                    return answer
                raise self._refused(answer, response)
            fault = answer.fault.rstrip(".")
            if attempt < ATTEMPTS:
                pause = 2 ** (attempt - 1)
                LOGGER.info("%s: %s; asking again in %d seconds.", asked(response), fault, pause)
                time.sleep(pause)
        raise no_usable_answer(self._host, ATTEMPTS, fault)

    def _send(self, request: dict[str, Any]) -> requests.Response:
        """Send a request and return the answer that the error handler lets through.

        The CDK's own text of an error repeats the whole response; what the handler said about it is
        enough.
        """
        try:
            response = self.requester.send_request(**request)
        except AirbyteTracedException as error:
            raise AirbyteTracedException(
                message=error.message,
                internal_message=error.message,
                failure_type=error.failure_type,
            ) from None
        if response is None:
            raise system_error("The request got no answer.")
        return response

    def _refused(self, refused: Refused, response: requests.Response) -> AirbyteTracedException:
        what, words = asked(response), refused.words
        if refused.reason is Reason.UNKNOWN:
            text = f"{self._host} has no {what} (HTTP 404): {words} Check base_url."
            return not_known(text, words)
        if refused.reason is Reason.FORBIDDEN:
            kind = response.headers.get("content-type", "no content type").partition(";")[0]
            return config_error(
                f"{self._host} refuses {what} with HTTP 403: {words or f'no reason ({kind}).'} "
                "If that is not an answer of Polygon.io, a firewall or proxy in between gives it."
            )
        return not_in_plan(
            f"The plan of this API key does not cover {what}: {words or 'no reason given.'} "
            f"{needed(self.plan)}Upgrade the plan, or {_way_out(what)}."
        )

    @property
    def _host(self) -> str:
        return origin(self.base_url)[1]


def needed(plan: str) -> str:
    """Return the plan that a stream needs as a sentence and a space; "" where every plan has it."""
    return "" if not plan or plan.startswith("every plan") else f"Needed: {plan}. "


def _way_out(what: str) -> str:
    if "/market/" in what or "(market" in what:
        return "take the market out of `markets`"
    if _OF_A_SYMBOL.search(what):
        return "take the symbol out of `symbols`"
    return "leave the stream out"
