"""Trades and quotes as the vendor writes them: on the stream and over REST.

Field by field from the vendor's specifications. The stream of stocks has the exact size of a trade
in `ds` (the vendor's client since 2.3). Unverified: how `s` is rounded beside it, that the
stream's milliseconds are cut off, and that both sides count a quote's size alike, of which the
specifications speak in round lots on the stream and in shares over REST.
"""

from datetime import datetime
from typing import Any

from polygon_sandbox.clock import NEW_YORK
from polygon_sandbox.listings import Row
from polygon_sandbox.ticks import NS, Kind, Quote, Trade

_MS = 1_000_000


def trade_event(trade: Trade, kind: Kind, symbol: str) -> dict[str, Any]:
    """A trade on the stream; `symbol` as the stream writes it."""
    time_ms = trade.time_ns // _MS
    if kind == "crypto":
        return {
            "ev": "XT", "pair": symbol, "p": trade.price, "t": time_ms, "s": trade.size / 100,
            "c": list(trade.conditions), "i": trade.id, "x": trade.exchange,
            "r": trade.received_ns // _MS,
        }  # fmt: skip
    event: dict[str, Any] = {
        "ev": "T", "sym": symbol, "p": trade.price, "s": trade.size // 100, "t": time_ms,
        "q": trade.sequence,
    }  # fmt: skip
    if kind == "futures":
        return event
    event |= {"x": trade.exchange, "c": list(trade.conditions)}
    if kind == "options":
        return event
    event |= {"i": str(trade.id), "z": trade.tape, "ds": trade.decimal_size}
    if trade.trf:
        event |= {"trfi": trade.trf[0], "trft": trade.trf[1] // _MS}
    return event


def trade_row(trade: Trade, kind: Kind) -> Row:
    """A trade over REST."""
    if kind == "futures":
        return {
            "ticker": trade.ticker, "timestamp": trade.time_ns, "price": trade.price,
            "size": trade.size // 100, **_futures(trade.time_ns, trade.sequence),
        }  # fmt: skip
    row: Row = {
        "exchange": trade.exchange, "price": trade.price,
        "participant_timestamp": trade.participant_ns,
    }  # fmt: skip
    if trade.conditions:
        row["conditions"] = list(trade.conditions)
    if trade.correction:
        row["correction"] = trade.correction
    if kind == "crypto":
        # Unverified: the exchange's own time is the one that the stream sends.
        return row | {
            "id": str(trade.id), "size": trade.size / 100,
            "participant_timestamp": trade.time_ns, "received_timestamp": trade.received_ns,
        }  # fmt: skip
    row |= {"sequence_number": trade.sequence, "sip_timestamp": trade.time_ns}
    if kind == "options":
        return row | {"size": trade.size // 100}
    row |= {
        "id": str(trade.id), "size": trade.size / 100, "decimal_size": trade.decimal_size,
        "tape": trade.tape,
    }  # fmt: skip
    if trade.trf:
        row |= {"trf_id": trade.trf[0], "trf_timestamp": trade.trf[1]}
    return row


def quote_event(quote: Quote, kind: Kind, symbol: str) -> dict[str, Any]:
    """A quote on the stream; `symbol` as the stream writes it."""
    time_ms = quote.time_ns // _MS
    if kind == "forex":
        return {
            "ev": "C", "p": symbol, "x": quote.bid_exchange, "a": quote.ask, "b": quote.bid,
            "t": time_ms,
        }  # fmt: skip
    sides = {"bp": quote.bid, "bs": quote.bid_size, "ap": quote.ask, "as": quote.ask_size}
    if kind == "crypto":
        return {
            "ev": "XQ", "pair": symbol, **sides, "t": time_ms, "x": quote.bid_exchange,
            "r": time_ms + 13,
        }  # fmt: skip
    event: dict[str, Any] = {"ev": "Q", "sym": symbol, **sides, "t": time_ms}
    if kind == "futures":
        return event | {"bt": time_ms, "at": time_ms}
    event |= {"bx": quote.bid_exchange, "ax": quote.ask_exchange, "q": quote.sequence}
    return event if kind == "options" else event | {"c": 0, "i": [604], "z": quote.tape}


def quote_row(quote: Quote, kind: Kind) -> Row:
    """A quote over REST, which has none of crypto."""
    sides: Row = {"bid_price": quote.bid, "ask_price": quote.ask}
    if kind == "forex":
        return {
            **sides, "bid_exchange": quote.bid_exchange, "ask_exchange": quote.bid_exchange,
            "participant_timestamp": quote.time_ns,
        }  # fmt: skip
    sides |= {"bid_size": quote.bid_size, "ask_size": quote.ask_size}
    if kind == "futures":
        return {
            **sides, "ticker": quote.ticker, "timestamp": quote.time_ns,
            "bid_timestamp": quote.time_ns, "ask_timestamp": quote.time_ns,
            **_futures(quote.time_ns, quote.sequence),
        }  # fmt: skip
    row = {
        **sides, "bid_exchange": quote.bid_exchange, "ask_exchange": quote.ask_exchange,
        "sequence_number": quote.sequence, "sip_timestamp": quote.time_ns,
    }  # fmt: skip
    if kind == "options":
        return row
    return row | {
        "conditions": [0], "indicators": [604], "participant_timestamp": quote.participant_ns,
        "tape": quote.tape,
    }  # fmt: skip


def _futures(time_ns: int, sequence: int) -> Row:
    day = datetime.fromtimestamp(time_ns // NS, NEW_YORK).date()
    return {
        "channel": 310, "sequence_number": sequence, "report_sequence": sequence // 2,
        "session_end_date": day.isoformat(),
    }  # fmt: skip
