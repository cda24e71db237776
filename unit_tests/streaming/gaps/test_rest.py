"""Answers of the REST API: good, broken, empty, of any kind."""

import itertools
import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polygon_streaming.errors import StreamError
from polygon_streaming.filter.events import read
from polygon_streaming.gaps.rest import BrokenAnswer, Rest
from polygon_streaming.gaps.series import event

from unit_tests.streaming.json_of_any_kind import JSON
from unit_tests.streaming.rest_look_alike import GOOD, START, Reply, RestLookAlike, bar


def asking(url: str) -> Rest:
    """Return a client that asks again soon."""
    return Rest(url, "good", 60_000, pauses=(0.01, 0.02))


@pytest.mark.parametrize("body", [[], "no", 7])
def test_an_answer_that_is_no_object_is_an_error_in_words(
    rest: tuple[str, type[RestLookAlike]], body: Any
) -> None:
    rest[1].odd["AAPL"] = body
    with pytest.raises(StreamError, match="answers 200: and not with a JSON object"):
        next(asking(rest[0]).bars("AAPL", "second", START, START))


@pytest.mark.parametrize(
    "body",
    [
        {"status": "OK", "results": 7},
        {"status": "OK", "results": [7]},
        {"status": "OK", "results": [{}]},
        {"status": "OK", "results": [bar(t="now")]},
        {"status": "OK", "results": [bar(t=START * 1_000_000)]},
        {"status": "OK", "results": [bar(t=10**400)]},
        {"status": "OK", "results": [bar(o=None)]},
        {"status": "OK", "results": [bar(c=float("nan"))]},
        {"status": "OK", "results": [bar(v="much")]},
        {"status": "OK", "results": [bar(vw=10**400)]},
        {"status": "OK", "results": [bar()], "next_url": 7},
        {"status": "OK", "results": [bar()], "next_url": "@elsewhere.example/v2"},
        {"status": "OK", "results": [bar()], "next_url": "http://[/v2"},
        {"status": "ERROR", "error": "internal"},
        {},
    ],
)
def test_an_answer_that_cannot_be_used_is_broken(
    rest: tuple[str, type[RestLookAlike]], body: Any
) -> None:
    url, handler = rest
    handler.odd["AAPL"] = body
    with pytest.raises(BrokenAnswer):
        list(asking(url).bars("AAPL", "second", START, START))
    assert set(handler.keys) == {"Bearer good"}


def test_a_page_that_leads_back_is_a_broken_answer(rest: tuple[str, type[RestLookAlike]]) -> None:
    url, handler = rest
    following = f"{url}/v2/aggs/ticker/AAPL/range/1/second/{START}/{START}?cursor=1"
    handler.odd["AAPL"] = {"status": "OK", "results": [bar()], "next_url": following}
    with pytest.raises(StreamError, match="leads back to a page it has given"):
        list(asking(url).bars("AAPL", "second", START, START))
    assert len(handler.asked) == 2


@pytest.mark.parametrize(
    "first", [Reply(200, {"status": "OK", "results": None}), Reply(200, "no"), Reply(200, {})]
)
def test_an_answer_that_is_suspicious_is_asked_for_again(
    rest: tuple[str, type[RestLookAlike]], first: Reply
) -> None:
    url, handler = rest
    handler.odd["AAPL"] = [first, first, GOOD]
    assert list(asking(url).bars("AAPL", "second", START, START)) == [bar()]
    assert len(handler.asked) == 3


@pytest.mark.parametrize(
    ("body", "asked"), [({"status": "OK"}, 1), ({"status": "OK", "results": None}, 3)]
)
def test_an_empty_answer_is_believed_in_the_end(
    rest: tuple[str, type[RestLookAlike]], body: Any, asked: int
) -> None:
    url, handler = rest
    handler.odd["AAPL"] = body
    assert list(asking(url).bars("AAPL", "second", START, START)) == []
    assert len(handler.asked) == asked


@given(JSON | st.fixed_dictionaries({"status": st.just("OK"), "results": JSON | st.lists(
    st.fixed_dictionaries({}, optional={name: JSON | st.just(START) for name in "tohlcv"})
)}, optional={"next_url": JSON}))  # fmt: skip
def test_any_answer_is_bars_or_an_error_in_words(answer: Any) -> None:
    replies = [SimpleNamespace(status=200, data=json.dumps(answer).encode())] * 9
    http: Any = SimpleNamespace(request=lambda *_, **__: replies.pop())
    rest = Rest("http://127.0.0.1:1", "good", 1e9, http=http, pauses=())
    try:
        bars = list(itertools.islice(rest.bars("AAPL", "second", START, START), 3))
    except StreamError:
        return
    for one in bars:
        assert read(msgspec.json.encode(event("A", "AAPL", one))) is not None
