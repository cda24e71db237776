"""The three kinds of failure that the platform tells apart, each a sentence with the fix."""

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException


class NotInPlan(AirbyteTracedException):
    """The plan of the key lacks what was asked for; a config_error."""


class NotKnown(AirbyteTracedException):
    """The vendor knows nothing of the name that was asked for; a config_error.

    Attributes:
        words: the vendor's own.
    """

    words: str = ""


def config_error(text: str, detail: str = "") -> AirbyteTracedException:
    """Return what the user can mend: a wrong value, a plan that lacks the data.

    Args:
        text: what is wrong and the fix, without secrets.
        detail: what helps whoever looks into it, without secrets.
    """
    return _error(text, detail, FailureType.config_error)


def not_in_plan(text: str) -> NotInPlan:
    """Return a config_error that only another plan mends; `text` as in `config_error`."""
    return NotInPlan(message=text, internal_message=text, failure_type=FailureType.config_error)


def not_known(text: str, words: str) -> NotKnown:
    """Return a config_error about a name; `text` as in `config_error`, `words` as in `NotKnown`."""
    error = NotKnown(message=text, internal_message=text, failure_type=FailureType.config_error)
    error.words = words
    return error


def transient_error(text: str, detail: str = "") -> AirbyteTracedException:
    """Return what a later sync gets over by itself. `text` and `detail` as in `config_error`."""
    return _error(text, detail, FailureType.transient_error)


def system_error(text: str, detail: str = "") -> AirbyteTracedException:
    """Return what only a new version mends, here or at the vendor. The rest as `config_error`."""
    return _error(text, detail, FailureType.system_error)


def _error(text: str, detail: str, kind: FailureType) -> AirbyteTracedException:
    return AirbyteTracedException(message=text, internal_message=detail or text, failure_type=kind)
