"""What is written as a raw record or a dead letter is read as such, and anything else in words."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polygon_streaming import raw

from unit_tests.streaming.fake_consumer import FakeMessage, as_read, sent

NOW = 1795444200123
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
CONNECTIONS = st.text("0123456789abcdef", min_size=1, max_size=12) | st.just(raw.REST)


def _message(headers: raw.Headers | None, **more: Any) -> Any:
    """Return a message as a consumer gets it: header values are bytes."""
    as_sent = None if headers is None else as_read(headers)
    return FakeMessage(more.pop("value", b"{}"), more.pop("place", 7), as_sent, **more)


def test_the_headers_as_they_lie_on_the_topic() -> None:
    assert raw.headers("stocks", "c0ffee") == [("origin", "stocks/c0ffee")]
    assert raw.headers("futures/cme", raw.REST, lost=3, healed="restart") == [
        ("origin", "futures/cme/rest"),
        ("lost", "3"),
        ("healed", "restart"),
    ]


@given(market=TEXTS, connection=CONNECTIONS, lost=st.integers(0, 10**9), healed=st.none() | TEXTS)
def test_what_is_written_is_read(
    market: str, connection: str, lost: int, healed: str | None
) -> None:
    read = raw.origin(_message(raw.headers(market, connection, lost, healed)))
    assert read.market == market
    assert read.healed is (healed is not None)
    other = raw.origin(_message(raw.headers(market, connection, lost + 1)))
    assert read.stretch != other.stretch


def test_headers_that_many_records_have_are_read_once_and_no_others_mistaken_for_them() -> None:
    def origin(connection: str) -> raw.Origin:
        return raw.origin(_message(raw.headers("stocks", connection)))

    assert origin("c0ffee") is origin("c0ffee")
    for number in range(200):  # more than are remembered
        assert origin(f"{number}").stretch == (f"{number}", "")
    assert origin("c0ffee").stretch == ("c0ffee", "")


@pytest.mark.parametrize("headers", [None, []])
def test_a_record_without_headers_says_nothing(headers: Any) -> None:
    assert raw.origin(_message(headers)) == raw.Origin("", ("", ""), False)


@pytest.mark.parametrize("market", ["stocks", "futures/cme"])
def test_what_the_release_before_has_written_is_read_as_well(market: str) -> None:
    old: raw.Headers = [("market", market), ("connection", "c0ffee")]
    assert raw.origin(_message(old)) == raw.origin(_message(raw.headers(market, "c0ffee")))
    more: raw.Headers = [*old, ("lost", "3"), ("healed", "restart")]
    now = raw.headers(market, "c0ffee", lost=3, healed="restart")
    assert raw.origin(_message(more)) == raw.origin(_message(now))


@pytest.mark.parametrize("said", ["stocks", "", None])
def test_an_origin_without_a_market_names_none(said: str | None) -> None:
    assert raw.origin(_message([("origin", said)])).market == ""


def test_headers_that_are_not_ours_are_unreadable() -> None:
    for header in [("market", "x" * 101), ("origin", "x" * 101 + "/c0ffee")]:
        with pytest.raises(raw.Unreadable, match="for a market is not the name of one"):
            raw.origin(_message([header]))
    with pytest.raises(raw.Unreadable, match="the name of a header is not UTF-8"):
        raw.origin(_message([], headers_fail=True))


def test_a_record_was_received_when_its_timestamp_says_if_that_can_be() -> None:
    assert raw.received_ms(_message([], received_ms=NOW)) == NOW
    assert raw.received_ms(_message([], received_ms=-1)) is None
    assert raw.received_ms(_message([], received_ms=NOW * 1000)) is None


def test_a_dead_letter_says_where_it_was_and_why() -> None:
    message = cast("Any", FakeMessage(b"poison", 7))
    headers = raw.dead_letter_headers(message, "not an event")
    assert headers == [
        *sent(),
        ("__connect.errors.topic", "polygon_stream_aggregates"),
        ("__connect.errors.partition", "1"),
        ("__connect.errors.offset", "7"),
        ("__connect.errors.stage", "VALUE_CONVERTER"),
        ("__connect.errors.exception.message", "not an event"),
    ]
    read = raw.read_dead_letter(_message(headers))
    assert read == raw.DeadLetter("not an event", "polygon_stream_aggregates", 1, 7)


def test_a_dead_letter_whose_own_headers_cannot_be_read_goes_without_them() -> None:
    headers = raw.dead_letter_headers(_message([], headers_fail=True), "why")
    assert [name for name, _ in headers if not name.startswith("__connect")] == []


def test_a_dead_letter_that_is_too_large_says_how_large_it_was() -> None:
    headers = raw.dead_letter_headers_alone(_message([], value=b"x" * 50), "not an event")
    read = raw.read_dead_letter(_message(headers))
    assert read.reason.startswith("not an event. Its 50 bytes are too large")
    assert (read.topic, read.partition, read.offset) == ("polygon_stream_aggregates", 1, 7)


def test_a_text_that_the_feed_cannot_read_lies_nowhere_else() -> None:
    headers = raw.dead_text_headers("stocks", "c0ffee", "not a JSON array")
    assert raw.read_dead_letter(_message(headers)) == raw.DeadLetter("not a JSON array", "", -1, -1)
    assert raw.origin(_message(headers)).market == "stocks"


@pytest.mark.parametrize(
    "headers",
    [[], [("__connect.errors.exception.message", "x"), ("__connect.errors.offset", "seven")]],
)
def test_what_is_not_a_dead_letter_is_refused(headers: raw.Headers) -> None:
    with pytest.raises(raw.Unreadable, match="not a dead letter"):
        raw.read_dead_letter(_message(headers))
