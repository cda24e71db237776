"""How the files write: their header lines, tickers, numbers, and the columns of trades and quotes.

Header lines are those that were seen in the vendor's files; only those of futures' bars have the
columns of its documentation, in an order that is unverified. So with the forms of numbers: stocks
have six decimals in prices, volumes and sizes since volumes are fractional (of bars and trades, not
of quotes), and 0 where a trade has no reporting facility. Tickers of currencies and coins have a
hyphen that REST's have not: `C:EUR-USD`.
Instants are nanoseconds since 1970 UTC.
"""

from collections.abc import Callable
from typing import Any

from polygon_sandbox.flat_files.layout import DATASETS, FlatFile
from polygon_sandbox.prices import FRACTIONAL_VOLUME_SINCE
from polygon_sandbox.ticks import Quote, Trade

_BARS = "ticker,volume,open,close,high,low,window_start,transactions"
_HEADERS = {
    ("stocks", "trades_v1"): (
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,"
        "sip_timestamp,size,tape,trf_id,trf_timestamp"
    ),
    ("stocks", "quotes_v1"): (
        "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,"
        "indicators,participant_timestamp,sequence_number,sip_timestamp,tape,trf_timestamp"
    ),
    ("options", "trades_v1"): "ticker,conditions,correction,exchange,price,sip_timestamp,size",
    ("options", "quotes_v1"): (
        "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,sequence_number,"
        "sip_timestamp"
    ),
    ("crypto", "trades_v1"): "ticker,conditions,exchange,id,participant_timestamp,price,size",
    ("fx", "quotes_v1"): (
        "ticker,ask_exchange,ask_price,bid_exchange,bid_price,participant_timestamp"
    ),
    ("indices", "values_v1"): "ticker,value,timestamp",
    ("futures", "trades_v1"): (
        "ticker,timestamp,sequence_number,report_sequence,price,size,correction,exchange,"
        "session_end_date"
    ),
    ("futures", "quotes_v1"): (
        "ticker,timestamp,sequence_number,report_sequence,ask_timestamp,ask_price,ask_size,"
        "bid_timestamp,bid_price,bid_size,exchange,session_end_date"
    ),
    ("futures", "minute_aggs_v1"): (
        "ticker,exchange,session_end_date,window_start,open,high,low,close,volume,dollar_volume,"
        "transactions"
    ),
    ("futures", "session_aggs_v1"): (
        "ticker,session_end_date,window_start,open,high,low,close,settlement_price,volume,"
        "dollar_volume,transactions"
    ),
}
_INDEX_BARS = "ticker,open,close,high,low,window_start"
EXCHANGES = {
    name: number for number, name in enumerate(sorted(n for n in DATASETS if "futures" in n), 1)
}
"""The exchange of each prefix of futures. Unverified: which number is which."""


def header(file: FlatFile) -> str:
    """The first line of a file, without its end."""
    usual = _INDEX_BARS if file.market == "indices" else _BARS
    return _HEADERS.get((file.market, file.dataset), usual)


def written(ticker: str) -> str:
    """A ticker of REST as the files write it."""
    pair = ticker[:2] in ("C:", "X:")
    return f"{ticker[:-3]}-{ticker[-3:]}" if pair else ticker


def numbers(file: FlatFile) -> Callable[[float], str]:
    """How the bars and trades of a file write their numbers."""
    fractional = file.market == "stocks" and file.day >= FRACTIONAL_VOLUME_SINCE
    return "{:.6f}".format if fractional else plain


def plain(value: Any) -> str:
    """Never with an exponent: what the vendor does with tiny numbers is unverified."""
    text = f"{value}"
    return f"{value:.10f}".rstrip("0") if isinstance(value, float) and "e" in text else text


def trade_values(trade: Trade, file: FlatFile) -> dict[str, str]:
    """A trade as it is written, by column."""
    trf, number = trade.trf or (0, 0), numbers(file)
    return {
        "ticker": written(trade.ticker),
        "conditions": _list(trade.conditions),
        "correction": f"{trade.correction}",
        "exchange": f"{EXCHANGES.get(file.prefix, trade.exchange)}",
        "id": f"{trade.id}",
        "participant_timestamp": f"{trade.participant_ns}",
        "price": number(trade.price),
        "report_sequence": f"{trade.sequence // 2}",
        "sequence_number": f"{trade.sequence}",
        "session_end_date": file.day.isoformat(),
        "sip_timestamp": f"{trade.time_ns}",
        "size": number(trade.size / 100 if trade.size % 100 else trade.size // 100),
        "tape": f"{trade.tape}",
        "timestamp": f"{trade.time_ns}",
        "trf_id": f"{trf[0]}",
        "trf_timestamp": f"{trf[1]}",
    }


def quote_values(quote: Quote, file: FlatFile) -> dict[str, str]:
    """A quote as it is written, by column."""
    at = f"{quote.time_ns}"
    return {
        "ticker": written(quote.ticker),
        "ask_exchange": f"{quote.ask_exchange}",
        "ask_price": plain(quote.ask),
        "ask_size": f"{quote.ask_size}",
        "ask_timestamp": at,
        "bid_exchange": f"{quote.bid_exchange}",
        "bid_price": plain(quote.bid),
        "bid_size": f"{quote.bid_size}",
        "bid_timestamp": at,
        "conditions": "0",
        "exchange": f"{EXCHANGES.get(file.prefix, 0)}",
        "indicators": "604",
        "participant_timestamp": f"{quote.participant_ns}",
        "report_sequence": f"{quote.sequence // 2}",
        "sequence_number": f"{quote.sequence}",
        "session_end_date": file.day.isoformat(),
        "sip_timestamp": at,
        "tape": f"{quote.tape}",
        "timestamp": at,
        "trf_timestamp": "0",
    }


def _list(numbers: tuple[int, ...]) -> str:
    """Several conditions stand between quotation marks (seen)."""
    text = ",".join(map(str, numbers))
    return f'"{text}"' if "," in text else text
