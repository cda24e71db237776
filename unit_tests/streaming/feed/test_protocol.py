"""The conversation with the server, said to it and heard from it, without a socket."""

import json

import pytest
from polygon_streaming.feed.protocol import End, Protocol, Refused
from polygon_streaming.process import metrics

BAR = '{"ev":"A","sym":"AAPL"}'


def _status(status: str, message: str = "") -> str:
    return json.dumps({"ev": "status", "status": status, "message": message})


def _protocol() -> Protocol:
    return Protocol("stocks", "c0ffee")


def _sent(messages: list[str]) -> list[tuple[str, list[str]]]:
    """Return what is asked for: action and names."""
    decoded = [json.loads(message) for message in messages]
    return [(message["action"], message["params"].split(",")) for message in decoded]


def test_the_key_is_accepted_when_the_server_says_so_and_not_before() -> None:
    protocol = _protocol()
    assert protocol.reply(f"[{_status('connected', 'Connected Successfully')}]")
    assert not protocol.authorised, "a greeting"
    statuses = protocol.reply(f"[{_status('auth_success', 'authenticated')}]")
    assert statuses == [{"ev": "status", "status": "auth_success", "message": "authenticated"}]
    assert protocol.authorised


def test_the_word_that_the_key_is_accepted_may_come_after_another_greeting() -> None:
    protocol = _protocol()
    protocol.reply(f"[{_status('connected')}]")
    assert protocol.receive(f"[{_status('auth_success')}]").heads == []
    assert protocol.authorised


@pytest.mark.parametrize("status", ["auth_failed", "max_connections", "auth_timeout", "None"])
def test_any_other_reply_is_a_refusal_in_the_servers_words(status: str) -> None:
    protocol = _protocol()
    with pytest.raises(Refused, match="because") as refused:
        protocol.reply(f"[{_status('connected')},{_status(status, 'because')}]")
    assert refused.value.status == status
    assert not protocol.authorised


@pytest.mark.parametrize(
    "text", ["", "<html>", "{}", "[]", "null", "7", '["ok"]', '[{"status":"auth_success"},1]']
)
def test_a_reply_that_cannot_be_read_is_a_refusal(text: str) -> None:
    protocol = _protocol()
    with pytest.raises(Refused, match="not a list of statuses") as refused:
        protocol.reply(text)
    assert refused.value.status == "unreadable_reply"
    assert not protocol.authorised


def test_events_come_through_and_statuses_stay() -> None:
    protocol = _protocol()
    protocol.want(["A.AAPL", "A.MSFT"])
    status = _status("success", "subscribed to: A.AAPL")
    events = protocol.receive(f"[{BAR},{status},7,{BAR}]")
    assert events.texts == [BAR, BAR]
    assert [head.sym for head in events.heads] == ["AAPL", "AAPL"]
    assert [text for text, _ in events.broken] == ["7"]
    assert protocol.unconfirmed == {"A.MSFT"}


def test_a_confirmation_counts_for_what_was_asked_for_only() -> None:
    protocol = _protocol()
    protocol.want(["A.AAPL", "A.MSFT", "A.X"])
    protocol.receive(f"[{_status('success', 'subscribed to: A.AAPL, A.MSFT,A.TSLA')}]")
    protocol.receive(f"[{_status('success', 'unsubscribed to: A.X')}]")
    assert (protocol.confirmed, protocol.unconfirmed) == (2, {"A.X"})
    protocol.want(["A.MSFT", "A.NEW"])
    assert (protocol.confirmed, protocol.unconfirmed) == (1, {"A.NEW"})


def test_what_is_wanted_is_sent_as_the_difference_what_goes_first() -> None:
    protocol = _protocol()
    assert _sent(protocol.want(["A.B", "A.A"])) == [("subscribe", ["A.A", "A.B"])]
    assert _sent(protocol.want(["A.B", "A.C"])) == [
        ("unsubscribe", ["A.A"]),
        ("subscribe", ["A.C"]),
    ]
    assert protocol.want(["A.C", "A.B"]) == []


def test_very_many_names_go_in_several_messages() -> None:
    names = [f"A.S{number:04d}" for number in range(1201)]
    sent = _sent(_protocol().want(names))
    assert [len(some) for _, some in sent] == [500, 500, 201]
    assert [name for _, some in sent for name in some] == names


@pytest.mark.parametrize(
    "status", ["max_connections", "force_disconnect", "slow_consumer", "auth_timeout"]
)
def test_the_reason_of_an_end_is_what_the_server_announced(status: str) -> None:
    protocol = _protocol()
    protocol.reply(f"[{_status('auth_success')}]")
    protocol.receive(f"[{_status(status, 'in its words')}]")
    protocol.close("silent", "ours")
    assert protocol.end(1008, "close frame") == End(status, "in its words", authorised=True)


def test_the_reason_of_an_end_is_ours_or_else_that_of_the_close_frame() -> None:
    protocol = _protocol()
    assert protocol.end(1001, "going away") == End("closed 1001", "going away")
    assert protocol.end(None, "") == End("closed None")
    protocol.close("silent", "no event")
    assert protocol.end(1000, "") == End("silent", "no event")


def _errors() -> float:
    labels = {"market": "stocks", "status": "error"}
    return metrics.FEED.get_sample_value("polygon_ws_status_total", labels) or 0.0


def test_what_the_plan_does_not_include_is_counted() -> None:
    protocol = _protocol()
    before = _errors()
    protocol.receive(f"[{_status('error', 'Not authorized')},{_status('error', 'not authorized')}]")
    protocol.receive(f"[{_status('error', 'something else')}]")
    assert protocol.refusals == 2
    assert _errors() == before + 3
