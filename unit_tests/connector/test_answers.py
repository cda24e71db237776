"""One answer of the vendor, judged: data, refused or broken."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
import requests
import requests_mock as rm
from source_polygon.vendor.answers import (
    Broken,
    Data,
    Reason,
    Refused,
    is_unknown,
    judge,
    words,
)
from source_polygon.vendor.cut import Cut

from unit_tests.connector.scripted_answers import KEY, URL


def answer(body: Any, status: int = 200, key: str = KEY) -> requests.Response:
    asked = requests.Request("GET", f"{URL}/v3/x?a=1", headers={"Authorization": f"Bearer {key}"})
    how = {"content": body} if isinstance(body, bytes) else {"json": body}
    return rm.create_response(asked.prepare(), status_code=status, **how)


ONE = {"ticker": "A"}


@pytest.mark.parametrize(
    ("body", "how", "rows", "envelope"),
    [
        ({"status": "OK", "results": [ONE]}, {}, [ONE], {"status": "OK"}),
        ({"status": "DELAYED"}, {}, [], {"status": "DELAYED"}),
        ({"status": "OK", "resultsCount": 0}, {}, [], {"status": "OK", "resultsCount": 0}),
        ({"status": "OK", "results": ONE}, {"single": True}, [ONE], {"status": "OK"}),
        ({"status": "OK", "results": {}}, {"single": True}, [], {"status": "OK"}),
        ({"status": "OK"}, {"single": True}, [], {"status": "OK"}),
        ([ONE], {"bare": True}, [ONE], {}),
        ([], {"bare": True}, [], {}),
    ],
)
def test_a_well_formed_answer_is_data(
    body: Any, how: dict[str, bool], rows: list[Any], envelope: dict[str, Any]
) -> None:
    assert judge(answer(body), **how) == Data(rows, envelope)


@pytest.mark.parametrize(
    ("body", "bare"),
    [
        ({"status": "OK", "results": [ONE]}, False),
        ({"status": "DELAYED", "resultsCount": 1, "results": [ONE]}, False),
        ([ONE], True),
    ],
)
def test_rows_are_left_as_written_where_that_is_asked_for(body: Any, bare: bool) -> None:
    as_asked = judge(answer(body), bare=bare)
    assert isinstance(as_asked, Data)
    assert not isinstance(as_asked.rows, Cut)
    as_written = judge(answer(body), bare=bare, as_written=True)
    assert isinstance(as_written, Data)
    assert isinstance(as_written.rows, Cut)
    assert list(as_written.rows) == [ONE]


@pytest.mark.parametrize("as_written", [False, True])
@pytest.mark.parametrize(
    ("body", "how", "fault"),
    [
        ({"status": "OK", "results": [ONE]}, {"bare": True}, "the body is not a list"),
        ([ONE], {}, "the body is not an object"),
        ({"status": "OK", "results": [ONE]}, {"single": True}, "`results` is not an object"),
        ({"status": "OK", "results": ONE}, {}, "`results` is not a list"),
        (
            {"status": "OK", "resultsCount": 2, "results": [ONE]},
            {},
            "`resultsCount` is 2, the number of rows 1",
        ),
        ({"status": "OK", "resultsCount": 1}, {}, "`resultsCount` is 1, the number of rows 0"),
        ({"results": [ONE]}, {}, "the body's status is 'None': no reason given."),
        ({"status": "x" * 50, "error": "no"}, {}, f"the body's status is {'x' * 40!r}: no."),
        (b'{"status"', {}, "the body is not complete JSON (9 bytes, no content type)"),
    ],
)
def test_all_else_is_broken_and_says_how(
    body: Any, how: dict[str, bool], fault: str, as_written: bool
) -> None:
    # One row alone is never cut.
    as_written = as_written and not how.get("single")
    assert judge(answer(body), **how, as_written=as_written) == Broken(fault)


@pytest.mark.parametrize("as_written", [False, True])
@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"status": "NOT_AUTHORIZED", "error": "?"}, 200, Reason.NOT_ENTITLED),
        ({"status": "OK", "error": "?", "results": [ONE]}, 403, Reason.FORBIDDEN),
        ({"error": "?"}, 403, Reason.FORBIDDEN),
        ({"error": "?"}, 404, Reason.UNKNOWN),
        ({"status": "OK", "error": "?", "results": [ONE]}, 404, Reason.UNKNOWN),
    ],
)
def test_a_refusal_is_known_by_its_status(
    body: Any, status: int, reason: Reason, as_written: bool
) -> None:
    assert judge(answer(body, status), as_written=as_written) == Refused(reason, "?")


def test_a_refusal_that_is_not_json_has_no_words() -> None:
    assert judge(answer(b"<html>", 403)) == Refused(Reason.FORBIDDEN, "")
    assert isinstance(judge(answer(b"<html>", 200)), Broken)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Today's data before end of day. Please upgrade.", Reason.NOT_YET),
        ("Not this data timeframe. Please upgrade.", Reason.OUTSIDE_HISTORY),
        ("You are not entitled to this data.", Reason.NOT_ENTITLED),
        ("Please UPGRADE your plan.", Reason.NOT_ENTITLED),
        ("Go away.", Reason.FORBIDDEN),
    ],
)
def test_why_the_vendor_refuses_is_in_its_words(words: str, reason: Reason) -> None:
    assert judge(answer({"message": words}, 403)) == Refused(reason, words)


@pytest.mark.parametrize(
    ("body", "unknown"),
    [
        ({"status": "NOT_FOUND", "message": "Ticker not found."}, True),
        ({"status": "NOT_FOUND", "message": "Moved to /v2."}, False),
        ({"status": "ERROR", "message": "Ticker not found."}, False),
        (["not found"], False),
        (b"404 page not found", False),
    ],
)
def test_a_name_is_unknown_where_the_vendor_says_so(body: Any, unknown: bool) -> None:
    assert is_unknown(answer(body, 404)) is unknown


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"error": "no", "message": "yes"}, "no."),
        ({"message": " Really? "}, "Really?"),
        ({"message": "No!"}, "No!"),
        ({"message": "No."}, "No."),
        ({"message": "? No"}, "? No."),
        ({"message": "x" * 400}, "x" * 300 + "."),
        ({"message": f"{KEY} is bad: {KEY}"}, "**** is bad: ****."),
        ({"message": 5}, "5."),
        ({"message": None}, ""),
        ({}, ""),
        (["no"], ""),
        (b"no", ""),
    ],
)
def test_the_vendors_words_are_a_sentence_without_the_key(body: Any, sentence: str) -> None:
    assert words(answer(body, 500)) == sentence


def test_words_stay_as_they_are_where_no_key_was_sent() -> None:
    assert words(answer({"error": "a-b"}, key="")) == "a-b."
    unasked = answer({"error": "a-b"})
    unasked.request = None  # type: ignore[assignment]
    assert words(unasked) == "a-b."


def test_an_odd_letter_is_told_with_the_path_alone(caplog: pytest.LogCaptureFixture) -> None:
    odd = answer(b'{"status":"OK","results":[{"n":"\\ud800"}]}')
    assert isinstance(judge(odd), Data)
    (line,) = caplog.messages
    assert line.startswith("/v3/x holds ")
    odd.request = None  # type: ignore[assignment]
    assert isinstance(judge(odd), Data)
    assert caplog.messages[1].startswith("a body holds ")


@pytest.mark.parametrize("judged", [Data([], {}), Refused(Reason.UNKNOWN, ""), Broken("")])
def test_what_is_judged_stays_so(judged: Any) -> None:
    for field in fields(judged):
        with pytest.raises(FrozenInstanceError):
            setattr(judged, field.name, None)
