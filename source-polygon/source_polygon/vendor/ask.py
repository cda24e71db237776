"""One request through the manifest's requester, its failures in words for the user."""

import logging
import time
from typing import Any, Final

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.vendor.answers import is_empty
from source_polygon.vendor.tally import BELIEVED

LOGGER = logging.getLogger("airbyte")

# Seconds before each further question. The vendor was seen to send `results: null` in 5 to 20 of
# 4,000 requests, and the data when asked again (polygon-io/issues#2).
_PAUSES: Final = (2, 4, 8)


def ask(requester: Requester, **request: Any) -> requests.Response:
    """Send `request` and return the answer: data, or a refusal that the error handler lets pass.

    Raises:
        AirbyteTracedException: no usable answer. The CDK's own text repeats the whole response;
            what the error handler said about it is enough.
    """
    try:
        response = requester.send_request(**request)
    except AirbyteTracedException as error:
        raise AirbyteTracedException(
            message=error.message,
            internal_message=error.message,
            failure_type=error.failure_type,
        ) from None
    if response is None:
        raise AirbyteTracedException(
            message="The request got no answer.", failure_type=FailureType.system_error
        )
    return response


def ask_for_rows(requester: Requester, complaint: str, **request: Any) -> requests.Response:
    """Send a request whose answer should have rows, again where it has none, then believe it.

    Args:
        requester: sends the request.
        complaint: what an empty answer means, a sentence without its full stop.
        request: as `ask` takes it.

    Raises:
        AirbyteTracedException: as `ask`.
    """
    response = ask(requester, **request)
    for pause in _PAUSES:
        if not is_empty(response):
            return response
        LOGGER.info("%s. That is unlikely; asking again in %d seconds.", complaint, pause)
        time.sleep(pause)
        response = ask(requester, **request)
    if is_empty(response):
        BELIEVED.add_one()
        LOGGER.warning("%s, asked %d times. That is believed now.", complaint, len(_PAUSES) + 1)
    return response
