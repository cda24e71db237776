"""One request through the manifest's requester, its failures in words for the user."""

from typing import Any

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.utils.traced_exception import AirbyteTracedException


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
