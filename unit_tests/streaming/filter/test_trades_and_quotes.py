"""Trades and quotes become clean records of their own, on topics of their own."""

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import pytest
from polygon_sandbox.intraday import Intraday
from polygon_sandbox.tick_forms import quote_event, trade_event
from polygon_sandbox.ticks import Kind, quotes, trades
from polygon_streaming import raw
from polygon_streaming.filter.events import read
from polygon_streaming.filter.quotes import QuoteRecord, clean_quote
from polygon_streaming.filter.rules import Judge, parse
from polygon_streaming.filter.trades import TradeEvent, TradeRecord, clean_trade
from polygon_streaming.raw import Unreadable

from unit_tests.streaming.fake_consumer import FakeMessage, as_read
from unit_tests.streaming.filter_stage import stage_of

START = 1795444200
RECEIVED = START * 1000 + 1234
TRADE = {
    "ev": "T", "sym": "MSFT", "x": 4, "i": "12345", "z": 3, "p": 114.125, "s": 100, "ds": "100.25",
    "c": [0, 12], "t": START * 1000 + 784, "q": 3681328, "trfi": 202, "trft": START * 1000 + 780,
    "new": {"x": 1},
}  # fmt: skip
QUOTE = {
    "ev": "Q", "sym": "MSFT", "bx": 4, "bp": 114.125, "bs": 100, "ax": 7, "ap": 114.128, "as": 160,
    "c": 0, "i": [604], "t": START * 1000 + 784, "q": 50385480, "z": 3,
}  # fmt: skip


def _schema(name: str) -> Any:
    return json.loads((files("polygon_streaming") / "schemas" / f"{name}.json").read_text())


def _clean(event: dict[str, Any], market: str = "stocks", **changes: Any) -> dict[str, Any]:
    given = {k: v for k, v in {**event, **changes}.items() if v is not None}
    found = read(json.dumps(given, separators=(",", ":")).encode())
    assert found is not None
    if isinstance(found, TradeEvent):
        record: Any = msgspec.to_builtins(clean_trade(found, market, RECEIVED, healed=False))
        jsonschema.validate(record, _schema("trade"))
    else:
        record = msgspec.to_builtins(clean_quote(found, market, RECEIVED, healed=False))  # type: ignore[arg-type]
        jsonschema.validate(record, _schema("quote"))
    return dict(record)


def test_a_trade_of_a_stock() -> None:
    assert _clean(TRADE) == {
        "event_type": "T", "market": "stocks", "symbol": "MSFT",
        "timestamp": "2026-11-23 14:30:00.784000000", "sequence_number": 3681328,
        "trade_id": "12345", "price": 114.125, "size": "100.25", "conditions": [0, 12],
        "exchange": 4, "tape": 3, "trf_id": 202, "trf_timestamp": "2026-11-23 14:30:00.780000000",
        "participant_timestamp": None, "vendor_timestamp": None, "correction": None,
        "received_at": "2026-11-23 14:30:01.234", "healed": False,
    }  # fmt: skip
    assert set(_schema("trade")["properties"]) == set(TradeRecord.__struct_fields__)


def test_a_quote_of_a_stock() -> None:
    assert _clean(QUOTE) == {
        "event_type": "Q", "market": "stocks", "symbol": "MSFT",
        "timestamp": "2026-11-23 14:30:00.784000000", "sequence_number": 50385480,
        "bid_price": 114.125, "bid_size": "100", "bid_exchange": 4, "ask_price": 114.128,
        "ask_size": "160", "ask_exchange": 7, "conditions": [0], "indicators": [604], "tape": 3,
        "trf_id": None, "trf_timestamp": None, "participant_timestamp": None,
        "bid_timestamp": None, "ask_timestamp": None, "vendor_timestamp": None,
        "received_at": "2026-11-23 14:30:01.234", "healed": False,
    }  # fmt: skip
    assert set(_schema("quote")["properties"]) == set(QuoteRecord.__struct_fields__)


@pytest.mark.parametrize(
    ("event", "market", "expected"),
    [  # the examples of the vendor's specification, at another time
        (
            {"ev": "XT", "pair": "BTC-USD", "p": 33021.9, "t": START * 1000 + 425, "s": 0.01616617,
             "c": [2], "i": 14272084, "x": 3, "r": START * 1000 + 576},
            "crypto",
            {"event_type": "XT", "symbol": "BTC-USD", "size": "0.01616617", "trade_id": "14272084",
             "conditions": [2], "sequence_number": None,
             "vendor_timestamp": "2026-11-23 14:30:00.576000000"},
        ),
        (
            {"ev": "T", "sym": "O:AMC210827C00037000", "x": 65, "p": 1.54, "s": 1, "c": [233],
             "t": START * 1000 + 333, "q": 651921857},
            "options",
            {"symbol": "O:AMC210827C00037000", "size": "1", "trade_id": "", "tape": None},
        ),
        (
            {"ev": "T", "sym": "ESZ6", "p": -6052.25, "s": 3, "q": 27,
             "t": START * 10**9 + 509_203},
            "futures",
            {"price": -6052.25, "timestamp": "2026-11-23 14:30:00.000509203", "exchange": None},
        ),
        (
            {"ev": "XQ", "pair": "BTC-USD", "bp": 33052.79, "bs": 0.48, "ap": 33073.19, "as": 0.601,
             "t": START * 1000 + 115, "x": 1, "r": START * 1000 + 128},
            "crypto",
            {"event_type": "XQ", "bid_size": "0.48", "ask_size": "0.601", "bid_exchange": 1,
             "ask_exchange": 1},
        ),
        (
            {"ev": "C", "p": "USD/CNH", "x": "44", "a": 6.83366, "b": 6.83363,
             "t": START * 1000 + 784},
            "forex",
            {"event_type": "C", "symbol": "USD/CNH", "bid_price": 6.83363, "ask_price": 6.83366,
             "bid_exchange": 44, "ask_exchange": 44, "bid_size": None, "ask_size": None},
        ),
        (
            {"ev": "Q", "sym": "GCJ7", "bp": 2660, "bs": 1, "bt": START * 1000 + 1, "as": 0,
             "at": START * 1000 + 2, "t": START * 1000 + 2},
            "futures",
            {"bid_price": 2660.0, "ask_price": None, "ask_size": "0",
             "bid_timestamp": "2026-11-23 14:30:00.001000000"},
        ),
    ],
)  # fmt: skip
def test_each_market_has_its_own(event: Any, market: str, expected: Any) -> None:
    record = _clean(event, market)
    assert {name: record[name] for name in expected} == expected
    assert record["market"] == market


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ds": None}, {"size": "100"}),
        ({"ds": "0.100000000000000001"}, {"size": "0.100000000000000001"}),
        ({"ds": "000100.0"}, {"size": "100"}),
        ({"ds": "1E-7"}, {"size": "0.0000001"}),
        ({"ds": "0E-1000000"}, {"size": "0"}),
        ({"ds": None, "s": 1e17}, {"size": "100000000000000000"}),
        ({"c": None}, {"conditions": []}),
        ({"c": 37}, {"conditions": [37]}),
        ({"i": 7}, {"trade_id": "7"}),
        ({"trft": 0}, {"trf_timestamp": None}),
        ({"t": START * 10**9 + 16_036_683}, {"timestamp": "2026-11-23 14:30:00.016036683"}),
        ({"participant_timestamp": START * 10**9 + 1, "correction": 1},
         {"participant_timestamp": "2026-11-23 14:30:00.000000001", "correction": 1}),
    ],
)  # fmt: skip
def test_what_trades_lack_or_spell_differently(changes: Any, expected: Any) -> None:
    record = _clean(TRADE, **changes)
    assert {name: record[name] for name in expected} == expected


def test_a_number_of_many_digits_is_not_rounded() -> None:
    value = json.dumps({**TRADE, "ds": None}).replace('"s": 100', '"s": 0.123456789012345678')
    event = read(value.encode())
    assert isinstance(event, TradeEvent)
    assert clean_trade(event, "crypto", RECEIVED, healed=False).size == "0.123456789012345678"


@pytest.mark.parametrize(
    ("event", "changes", "reason"),
    [
        (TRADE, {"sym": None}, "not a trade: no symbol"),
        (TRADE, {"sym": "x" * 101}, "not a trade: "),
        (TRADE, {"p": None}, "not a trade: Object missing required field `p`"),
        (TRADE, {"p": "1"}, "not a trade: Expected"),
        (TRADE, {"p": 1e18}, "not a trade: Expected"),
        (TRADE, {"ds": "NaN"}, "not a trade: ds is NaN, not a size"),
        (TRADE, {"ds": "-1"}, "not a trade: ds is -1, not a size"),
        (TRADE, {"ds": "1e18"}, "not a trade: ds is 1e18, not a size"),
        (TRADE, {"ds": "a lot"}, "not a trade: ds is 'a lot', not a size"),
        (TRADE, {"ds": "1E-19"}, "not a trade: ds has more than 18 decimals"),
        (TRADE, {"ds": "0.1234567890123456789"}, "not a trade: ds has more than 18 decimals"),
        (TRADE, {"t": START}, "not a trade: t is 1.795e\\+09, not in milliseconds or nanoseconds"),
        (TRADE, {"t": RECEIVED + 7_200_000}, "not a trade: it happened 2.0 h after"),
        (TRADE, {"trft": 5}, "not a trade: trft is 5, not in milliseconds or nanoseconds"),
        (TRADE, {"c": ["x"]}, "not a trade: Expected"),
        (TRADE, {"x": 2**31}, "not a trade: Expected"),
        (TRADE, {"q": -1}, "not a trade: Expected"),
        (QUOTE, {"sym": None}, "not a quote: no symbol"),
        (QUOTE, {"bs": -1}, "not a quote: bs is -1, not a size"),
        (QUOTE, {"bp": "1"}, "not a quote: Expected"),
        ({"ev": "C", "p": "EUR/USD", "a": 1, "b": 1, "t": RECEIVED, "x": "44x"}, {},
         "not a quote: x is '44x', not an exchange"),
        ({"ev": "C", "p": "", "a": 1, "b": 1, "t": RECEIVED}, {}, "not a quote: no symbol"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_reason(event: Any, changes: Any, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        _clean(event, **changes)


def test_the_order_of_the_fields_does_not_matter() -> None:
    late = json.dumps(dict(reversed(TRADE.items()))).encode()
    assert read(late) == read(json.dumps(TRADE, separators=(",", ":")).encode())


@pytest.mark.parametrize("value", [b'{"ev":"LULD","T":"MSFT"}', b'{"ev":"T","ev":"LULD"}'])
def test_other_kinds_are_not_filtered(value: bytes) -> None:
    assert read(value) is None


@pytest.mark.parametrize(("ticker", "kind"), [("AAPL", "stocks"), ("ESZ6", "futures")])
def test_the_market_as_it_is(ticker: str, kind: Kind) -> None:
    bar = Intraday(7).bar(ticker, START, 1)
    made, said = list(trades(bar, ticker, kind)), list(quotes(bar, ticker, kind))
    events = [trade_event(t, kind, ticker) for t in made]
    events += [quote_event(q, kind, ticker) for q in said]
    header = as_read(raw.headers(kind, "c0ffee"))
    batch = [
        FakeMessage(json.dumps(event).encode(), place, header, RECEIVED)
        for place, event in enumerate(events)
    ]
    stage, producer, _, stop = stage_of([batch])
    stage.run(stop)
    assert producer.calls[-1] == "commit_transaction", "in the transactions of the bars"
    assert producer.of("custom_filtered_stock_data_topic") == []
    produced = producer.of("custom_filtered_trades_topic")
    assert {record.key for record in produced} == {ticker}
    assert {record.timestamp for record in produced} == {RECEIVED}
    clean = [json.loads(record.value) for record in produced]
    assert [Decimal(row["size"]) for row in clean] == [Decimal(t.size) / 100 for t in made]
    assert [row["price"] for row in clean] == [t.price for t in made]
    assert [row["sequence_number"] for row in clean] == [t.sequence for t in made]
    assert [tuple(row["conditions"]) for row in clean] == [t.conditions for t in made]
    clean = [json.loads(r.value) for r in producer.of("custom_filtered_quotes_topic")]
    assert [(row["bid_price"], row["ask_price"]) for row in clean] == [(q.bid, q.ask) for q in said]


@pytest.mark.parametrize(
    ("rules", "trade", "quote"),
    [
        ("{}", True, True),
        ("include: []", True, True),
        ("trades: {include: []}", False, True),
        ("quotes: {exclude: ['M*']}", True, False),
        ("trades: {markets: [crypto]}", False, True),
        ("trades: {min_size: 100.25}", True, True),
        ("trades: {min_size: 100.26}", False, True),
        ("trades: {min_notional: 11442}", False, True),
        ("trades: {min_notional: 11441}", True, True),
        ("trades: {markets: [stocks]}", True, True),
        ("trades: {markets: []}", False, True),
        ("trades: {min_notional: 11441.03125}", True, True),
        ("trades: {min_price: 114.125}", True, True),
        ("trades: {max_price: 114.125}", True, True),
        ("trades: {max_price: 0}", False, True),
        ("trades: {min_size: 0}", True, True),
        ("trades: {conditions: []}", False, True),
        ("trades: {exclude_conditions: [7]}", True, True),
        ("trades: {exclude_conditions: []}", True, True),
        ("quotes: {max_price: 114.128}", True, True),
        ("quotes: {max_price: 114.127}", True, False),
        ("quotes: {min_price: 114.125}", True, True),
        ("quotes: {min_price: 114.126}", True, False),
        ("quotes: {min_size: 100}", True, True),
        ("quotes: {min_notional: 11412.5}", True, True),
        ("trades: {min_price: 115}", False, True),
        ("trades: {max_price: 114}", False, True),
        ("trades: {conditions: [12]}", True, True),
        ("trades: {conditions: [14]}", False, True),
        ("trades: {exclude_conditions: [12]}", False, True),
        ("trades: {regular_hours_only: true}", True, True),
        ("quotes: {min_size: 101}", True, False),
        ("quotes: {min_notional: 11412}", True, True),
        ("quotes: {min_notional: 11413}", True, False),
        ("quotes: {exclude_conditions: [0]}", True, False),
        ("trades: {sample: 0.0001}\nquotes: {sample: 0.0001}", False, False),
    ],
)
def test_rules_of_their_own(rules: str, trade: bool, quote: bool) -> None:
    judge = Judge(parse(rules))
    event, other = read(json.dumps(TRADE).encode()), read(json.dumps(QUOTE).encode())
    assert isinstance(event, TradeEvent)
    assert judge.trades.passes(clean_trade(event, "stocks", RECEIVED, healed=False)) is trade
    cleaned = clean_quote(other, "stocks", RECEIVED, healed=False)  # type: ignore[arg-type]
    assert judge.quotes.passes(cleaned) is quote


def test_hours_are_those_of_the_event_and_a_side_that_is_missing_is_not_judged() -> None:
    judge = Judge(parse("trades: {regular_hours_only: true}\nquotes: {min_size: 5, min_price: 1}"))
    early = read(json.dumps({**TRADE, "t": (START - 1) * 1000}).encode())
    assert isinstance(early, TradeEvent)
    assert not judge.trades.passes(clean_trade(early, "stocks", RECEIVED, healed=True))
    forex = read(
        json.dumps({"ev": "C", "p": "EUR/USD", "a": 1.1, "b": 1.09, "t": RECEIVED}).encode()
    )
    assert judge.quotes.passes(clean_quote(forex, "forex", RECEIVED, healed=False))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trades: {min_sise: 1}", "trades.min_sise is not a rule. Did you mean 'min_size'?"),
        ("trades: [a]", "trades: give rules of its own, or {} to let all pass."),
        ("trades:", "trades: give rules of its own, or {} to let all pass."),
        ("quotes: {markets: [stonks]}", "quotes.markets: 'stonks' is unknown"),
        ("trades: {min_price: 2, max_price: 1}", "trades: min_price is above max_price"),
        ("trades: {include: AAPL}", "trades.include: give a list, such as [AAPL]"),
        ("trades: {conditions: [yes]}", "trades.conditions.0: it is not a number"),
    ],
)
def test_wrong_rules_are_named_with_their_section(text: str, words: str) -> None:
    with pytest.raises(Exception, match=r"The rules are refused") as caught:
        parse(text)
    assert words in str(caught.value)
