"""The conversation with the vendor's server, without a socket: what comes in, what to send.

    the reply to the key  -> accepted, or `Refused`
    a frame               -> its events; status messages are taken in here
    what is wanted        -> the messages that subscribe to it

Of what the server does the specification says little; see `connection` for what was measured.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from polygon_streaming.feed.frames import Head, Split, Splitter
from polygon_streaming.process import metrics
from polygon_streaming.subscriptions.parse import change

log = structlog.get_logger()

# Names sent in one message, so that a list of all stocks is not one huge message.
_NAMES_PER_MESSAGE: Final = 500
# Statuses after which the server ends the connection.
_ENDING: Final = ("max_connections", "force_disconnect", "slow_consumer", "auth_timeout")
_ACCEPTED: Final = "auth_success"


@dataclass(frozen=True, slots=True)
class End:
    """Why a connection ended.

    Attributes:
        reason: `auth_failed`, `max_connections`, `slow_consumer`, `handshake`, `silent`,
            `closed 1001`, `stopped`...: few values, fit for a metric.
        detail: the server's or the library's own words.
        authorised: whether the key had been accepted.
    """

    reason: str
    detail: str = ""
    authorised: bool = False


class Refused(Exception):
    """The server does not accept the key, or not now."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class Protocol:
    """One conversation, from the reply to the key to the end.

    Attributes:
        authorised: whether the key was accepted.
        refusals: how often the server said `not authorized`; it does not say for which
            subscription.
    """

    def __init__(self, market: str, connection: str) -> None:
        """Begin a conversation about a market on a connection of that id."""
        self.authorised = False
        self.refusals = 0
        self._market = market
        self._connection = connection
        self._splitter = Splitter(market)
        self._sent: set[str] = set()
        self._confirmed: set[str] = set()
        self._ending = ""
        self._ending_words = ""

    @property
    def unconfirmed(self) -> set[str]:
        """What was sent and not confirmed."""
        return self._sent - self._confirmed

    @property
    def confirmed(self) -> int:
        """How many subscriptions are confirmed."""
        return len(self._confirmed)

    def reply(self, text: str | bytes) -> list[dict[str, Any]]:
        """Take in a message that comes before events may: the greeting, the reply to the key.

        Raises:
            Refused: the key is not accepted, or the message cannot be read.
        """
        try:
            statuses = json.loads(text)
        except ValueError:
            statuses = None
        if not _are_objects(statuses):
            raise Refused("unreadable_reply", "the reply to the key is not a list of statuses")
        for status in statuses:
            name = str(status.get("status"))
            metrics.statuses.labels(self._market, name).inc()
            if name not in (_ACCEPTED, "connected"):
                raise Refused(name, str(status.get("message", "")))
            self.authorised |= name == _ACCEPTED
        return list(statuses)

    def receive(self, frame: str) -> Split:
        """Return the events of a frame, and what in it is not an event."""
        split = self._splitter.split(frame)
        statuses = [head for head in split.heads if head.ev == "status"]
        if not statuses:
            return split
        for status in statuses:
            self._take(status)
        return split.without("status")

    def want(self, names: Iterable[str]) -> list[str]:
        """Return what to send, in order, so that exactly `names` are subscribed to."""
        names = set(names)
        difference = change(self._sent, names)
        self._sent = names
        self._confirmed &= names
        return [
            *_messages("unsubscribe", difference.remove),
            *_messages("subscribe", difference.add),
        ]

    def close(self, reason: str, detail: str) -> None:
        """Note that this side ends the conversation, unless an end was announced before."""
        if not self._ending:
            self._ending, self._ending_words = reason, detail

    def end(self, code: int | None, words: str) -> End:
        """Return why the conversation is over, once the socket is closed.

        Args:
            code: WebSocket close code, if there was one.
            words: of the close frame, or of the library.
        """
        reason = self._ending or f"closed {code}"
        return End(reason, self._ending_words or words, authorised=self.authorised)

    def _take(self, head: Head) -> None:
        metrics.statuses.labels(self._market, head.status).inc()
        _, _, name = head.message.partition("subscribed to: ")
        if head.status == "success" and name:
            if not head.message.startswith("un"):
                self._confirmed.update(
                    n.strip() for n in name.split(",") if n.strip() in self._sent
                )
            return
        if head.status == _ACCEPTED:
            self.authorised = True
            return
        if head.status in _ENDING:
            self._ending, self._ending_words = head.status, head.message
        if head.status == "error" and "not authorized" in head.message.lower():
            self.refusals += 1
        log.warning(
            "server status",
            market=self._market,
            status=head.status,
            message=head.message,
            connection=self._connection,
        )


def _are_objects(statuses: Any) -> bool:
    well_formed = isinstance(statuses, list) and all(isinstance(each, dict) for each in statuses)
    return bool(statuses) and well_formed


def _messages(action: str, names: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(names), _NAMES_PER_MESSAGE):
        some = ",".join(names[start : start + _NAMES_PER_MESSAGE])
        yield json.dumps({"action": action, "params": some})
