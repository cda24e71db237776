"""The raw record and the dead letter as they lie in Kafka: one encoder, one decoder for all.

A raw record

    key        the event's symbol; none if it has none that the feed knows of
    value      the event's JSON, byte for byte as the vendor sent it
    timestamp  when it was received, in milliseconds since 1970 UTC
    headers    origin, its market and which connection brought it, or `rest`: `stocks/3f2a9c0d1e2f`,
               `futures/cme/rest`; lost, how many events of its market the feed had lost before it,
               if any; healed, why it had been missing, if it comes from the REST API

Each header is made and read once more for every event: so there is one for what every record has to
say, and none for what the timestamp says, or the event's `ev`. Before that there were two, `market`
and `connection`. They are read as well, for a topic keeps what an earlier release has written.

A dead letter has key, value and headers of what is unreadable, and besides those that Kafka Connect
(KIP-298) gives one: where it was, and why it is unreadable.
"""

from typing import Any, Final, NamedTuple

from confluent_kafka import Message

from polygon_streaming.stamps import is_instant

Header = str | bytes | None
Headers = list[tuple[str, Header]]

REST: Final = "rest"
"""The connection of what does not come from the stream."""

# The longest market's name has 13 characters.
_LONGEST_MARKET: Final = 100
# Part of a dead letter's header, so not the whole of an endless number.
_LONGEST_REASON: Final = 500
_ERRORS: Final = "__connect.errors."
_NOT_UTF8: Final = "the name of a header is not UTF-8"
# Other headers come with another connection; a stranger's may be other ones each time, and long.
_REMEMBERED: Final = 64


class Unreadable(Exception):
    """A raw record is not an event, or not one that can be cleaned; the text says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason[:_LONGEST_REASON])


def headers(market: str, connection: str, lost: int = 0, healed: str | None = None) -> Headers:
    """Return the headers of a raw record; the module's docstring explains each."""
    made: Headers = [("origin", f"{market}/{connection}")]
    if lost:
        made.append(("lost", str(lost)))
    if healed is not None:
        made.append(("healed", healed))
    return made


class Origin(NamedTuple):
    """Where a raw record comes from, as its headers say; strangers may have written them.

    Attributes:
        market: `stocks`, `crypto`...; empty if it does not say.
        stretch: the same in two records of a symbol between which the feed knows of no loss.
        healed: whether it comes from the REST API.
    """

    market: str
    stretch: tuple[str, str]
    healed: bool


def origin(message: Message) -> Origin:
    """Return where a raw record comes from.

    Raises:
        Unreadable: its headers are not text, or name no market.
    """
    # Asked of each record, of which thousands in a row have the same headers.
    global _last
    try:
        found: Any = message.headers()
    except (SystemError, UnicodeDecodeError):
        raise Unreadable(_NOT_UTF8) from None
    before, made = _last
    if found != before:
        key = tuple(found or ())
        made = _origins.get(key) or _remember(key)
        _last = found, made
    return made


_last: tuple[Any, Origin] = [], Origin("", ("", ""), healed=False)
_origins: dict[tuple[tuple[str, Header], ...], Origin] = {}


def _remember(found: tuple[tuple[str, Header], ...]) -> Origin:
    by_name = dict(found)
    whole = by_name.get("origin")
    if whole is None:
        market, connection = _text(by_name.get("market")), _text(by_name.get("connection"))
    else:
        market, _, connection = _text(whole).rpartition("/")  # some markets' names have one
    if len(market) > _LONGEST_MARKET:
        raise Unreadable("what the headers have for a market is not the name of one")
    made = Origin(market, (connection, _text(by_name.get("lost"))), "healed" in by_name)
    if len(_origins) >= _REMEMBERED:
        _origins.clear()
    _origins[found] = made
    return made


def received_ms(message: Message) -> int | None:
    """Return when a record was received, in milliseconds since 1970; None if it does not say."""
    ms = message.timestamp()[1]
    return ms if is_instant(ms) else None


def dead_letter_headers(message: Message, reason: str) -> Headers:
    """Return the headers of the dead letter for a record that is unreadable."""
    try:
        own = _headers_of(message)
    except Unreadable:
        own = []
    return [*own, *_place(message), _because(reason)]


def dead_letter_headers_alone(message: Message, reason: str) -> Headers:
    """Return the headers of a dead letter that is too large to be passed on with its value."""
    size = len(message.value() or b"")
    words = f"{reason}. Its {size} bytes are too large for this topic: see its place in the other"
    return [*_place(message), _because(words)]


def dead_text_headers(market: str, connection: str, reason: str) -> Headers:
    """Return the headers of the dead letter for a text that was received and is not an event."""
    return [*headers(market, connection), _because(reason)]


class DeadLetter(NamedTuple):
    """What the headers of a dead letter say.

    Attributes:
        reason: why it is unreadable.
        topic: where the unreadable record lies; empty if the feed never produced it.
        partition: likewise; -1.
        offset: likewise; -1.
    """

    reason: str
    topic: str
    partition: int
    offset: int


def read_dead_letter(message: Message) -> DeadLetter:
    """Return what the headers of a dead letter say.

    Raises:
        Unreadable: it is not one.
    """
    found = {name.removeprefix(_ERRORS): _text(value) for name, value in _headers_of(message)}
    try:
        return DeadLetter(
            reason=found["exception.message"],
            topic=found.get("topic", ""),
            partition=int(found.get("partition", -1)),
            offset=int(found.get("offset", -1)),
        )
    except (KeyError, ValueError):
        raise Unreadable("not a dead letter") from None


def _headers_of(message: Message) -> Headers:
    """Return the headers of a message.

    Raises:
        Unreadable: a name is not UTF-8.
    """
    try:
        return message.headers() or []  # type: ignore[return-value]  # never a dictionary
    except (SystemError, UnicodeDecodeError):  # the former is what the client library says
        raise Unreadable(_NOT_UTF8) from None


def _text(header: Header) -> str:
    return header.decode(errors="replace") if isinstance(header, bytes) else header or ""


def _place(message: Message) -> list[tuple[str, Any]]:
    return [
        (f"{_ERRORS}topic", message.topic()),
        (f"{_ERRORS}partition", str(message.partition())),
        (f"{_ERRORS}offset", str(message.offset())),
        (f"{_ERRORS}stage", "VALUE_CONVERTER"),
    ]


def _because(reason: str) -> tuple[str, Header]:
    return f"{_ERRORS}exception.message", reason
