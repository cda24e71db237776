"""What an error of Kafka means: the one place where its codes are judged.

The client library marks some errors with a flag (fatal, abort the transaction, retriable), and then
the flag says it. Most it does not mark: those go by their code. Where Kafka's protocol calls a code
retriable so does this table, for what these clients ask; except for a topic that is unknown: it may
be missing for good, which callers tell in their own words.
"""

from enum import Enum, auto
from typing import Final

from confluent_kafka import KafkaError


class Meaning(Enum):
    """What the caller is to do."""

    RETRY = auto()
    """Make the same call again: brokers restart, hand over, or are away."""
    ABORT = auto()
    """Go back to the committed offsets: the transaction, or the place in the group, is lost."""
    REFUSED = auto()
    """This one call, record or partition gets nowhere; the client is as good as before."""
    CONFIG = auto()
    """Correct settings, credentials or rights: until then nothing will be different."""
    FENCED = auto()
    """Leave: another client has taken the place of this one."""
    FATAL = auto()
    """Start anew: this client is of no further use."""


_RETRY: Final = (
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._FAIL,
    KafkaError._IN_PROGRESS,
    KafkaError._NODE_UPDATE,
    KafkaError._RESOLVE,
    KafkaError._RETRY,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._TRANSPORT,
    KafkaError._WAIT_CACHE,
    KafkaError._WAIT_COORD,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError.CONCURRENT_TRANSACTIONS,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.ELIGIBLE_LEADERS_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.FETCH_SESSION_ID_NOT_FOUND,
    KafkaError.INCONSISTENT_TOPIC_ID,
    KafkaError.INVALID_FETCH_SESSION_EPOCH,
    KafkaError.INVALID_MSG,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.LISTENER_NOT_FOUND,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_CONTROLLER,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.PREFERRED_LEADER_NOT_AVAILABLE,
    KafkaError.REBOOTSTRAP_REQUIRED,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.THROTTLING_QUOTA_EXCEEDED,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
)
_ABORT: Final = (
    # The group has given the partitions to others: they read again what was not committed.
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._MAX_POLL_EXCEEDED,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.MEMBER_ID_REQUIRED,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.TRANSACTION_ABORTABLE,
    KafkaError.UNKNOWN_MEMBER_ID,
)
_CONFIG: Final = (
    KafkaError._AUTHENTICATION,
    KafkaError._INVALID_ARG,
    KafkaError._NOT_CONFIGURED,
    KafkaError._SSL,
    KafkaError._UNKNOWN_PROTOCOL,
    KafkaError._UNSUPPORTED_FEATURE,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.GROUP_MAX_SIZE_REACHED,
    KafkaError.ILLEGAL_SASL_STATE,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.INVALID_GROUP_ID,
    KafkaError.INVALID_SESSION_TIMEOUT,
    KafkaError.INVALID_TRANSACTION_TIMEOUT,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.SECURITY_DISABLED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.UNSUPPORTED_ASSIGNOR,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError.UNSUPPORTED_VERSION,
)
_FENCED: Final = (
    KafkaError._FENCED,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
    KafkaError.UNRELEASED_INSTANCE_ID,
)
_FATAL: Final = (
    KafkaError._AUTO_OFFSET_RESET,  # the next offset is gone, and the client was told not to guess
    KafkaError._CRIT_SYS_RESOURCE,
    KafkaError._DESTROY,
    KafkaError._FATAL,
    KafkaError._STATE,
)
_BY_CODE: Final = {
    code: meant
    for codes, meant in (
        (_RETRY, Meaning.RETRY),
        (_ABORT, Meaning.ABORT),
        (_CONFIG, Meaning.CONFIG),
        (_FENCED, Meaning.FENCED),
        (_FATAL, Meaning.FATAL),
    )
    for code in codes
}


def meaning(error: KafkaError) -> Meaning:
    """Return what an error means; for codes that are not listed here, that something is refused."""
    by_code = _BY_CODE.get(error.code(), Meaning.REFUSED)
    if error.fatal():
        return by_code if by_code is Meaning.FENCED else Meaning.FATAL
    if error.txn_requires_abort():
        return Meaning.ABORT
    return Meaning.RETRY if error.retriable() else by_code


def may_pass(error: KafkaError) -> bool:
    """Tell whether the same call may succeed later."""
    return meaning(error) is Meaning.RETRY


def ends_consumer(error: KafkaError) -> bool:
    """Tell whether a consumer that hands this out has nothing more to give.

    Of what it hands out most is news: it goes on by itself.
    """
    return meaning(error) in (Meaning.CONFIG, Meaning.FENCED, Meaning.FATAL)


def ends_producer(error: KafkaError) -> bool:
    """Tell whether a producer that reports this for a record takes no others either."""
    return meaning(error) in (Meaning.FENCED, Meaning.FATAL)


def spoils_transaction(error: KafkaError) -> bool:
    """Tell whether an open transaction can only be aborted after this.

    `produce` says no more than _STATE once its transaction has failed in the background: to abort
    it either helps or raises what is the matter.
    """
    return meaning(error) is Meaning.ABORT or error.code() == KafkaError._STATE
