"""What is in a file: the header line and the rows of its day.

Header lines of stocks, of bars and of currency quotes are those that were seen in the vendor's
files; the others have the columns of the vendor's documentation of flat files, in an order that is
unverified. Instants are nanoseconds since 1970 UTC, `window_start` is the start of the window.
Bars are not adjusted for splits. Rows are in the order of ticker and time.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from polygon_sandbox import futures_bars
from polygon_sandbox.clock import UTC
from polygon_sandbox.flat_files.layout import FilesSize, FlatFile
from polygon_sandbox.long_bars import GROUPED, long_bars
from polygon_sandbox.ticks import NS, Kind, Quote, Trade
from polygon_sandbox.world import World

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
    ("indices", "values_v1"): "ticker,timestamp,value",
    ("futures", "trades_v1"): "ticker,price,sequence_number,session_end_date,size,timestamp",
    ("futures", "quotes_v1"): (
        "ticker,ask_price,ask_size,ask_timestamp,bid_price,bid_size,bid_timestamp,"
        "sequence_number,session_end_date,timestamp"
    ),
    ("futures", "minute_aggs_v1"): (
        "ticker,session_end_date,window_start,open,high,low,close,volume,dollar_volume,transactions"
    ),
    ("futures", "session_aggs_v1"): (
        "ticker,session_end_date,window_start,open,high,low,close,settlement_price,volume,"
        "dollar_volume,transactions"
    ),
}
_INDEX_BARS = "ticker,open,close,high,low,window_start"
_CONTRACTS = 20
_FUTURES = {
    "us_futures_cbot": ("ZC", "ZN"),
    "us_futures_cme": ("ES", "NQ"),
    "us_futures_comex": ("GC", "SI"),
    "us_futures_nymex": ("CL", "NG"),
}


def header(file: FlatFile) -> str:
    """The first line of a file, without its end."""
    usual = _INDEX_BARS if file.market == "indices" else _BARS
    return _HEADERS.get((file.market, file.dataset), usual)


def lines(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    """The lines of a file below its header, without their ends, of what was known at an instant."""
    return _WRITERS[file.dataset](world, size, file, as_of)


def tickers(world: World, size: FilesSize, file: FlatFile) -> list[str]:
    """The tickers of a file, in their order."""
    market = file.market
    if market == "futures":
        found = [product + _front_month(file.day) for product in _FUTURES[file.prefix]]
    elif market == "options":
        rows = world.option_contracts("AAPL") + world.option_contracts("AAPL", gone=True)
        live = [row for row in rows if row["expiration_date"] >= file.day.isoformat()]
        # A chain has hundreds of contracts.
        found = sorted(str(row["ticker"]) for row in live)[:_CONTRACTS]
    else:
        found = [str(row["ticker"]) for row in world.tickers(market)]
    return sorted(set(found))[: size.tickers]


def _days(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    start = file.instant(time())
    if file.market in GROUPED:
        chosen = set(tickers(world, size, file))
        bars = world.bars(file.market, file.day, as_of=as_of)
        found = sorted(
            ((str(bar["T"]), bar) for bar in bars if bar["T"] in chosen), key=lambda pair: pair[0]
        )
    else:
        made = [
            (name, list(long_bars(world, name, (1, "day"), start * 1000, start * 1000, False)))
            for name in tickers(world, size, file)
        ]
        found = [(name, bars[0].row) for name, bars in made if bars]
    for name, bar in found:
        prices = [_number(bar[field]) for field in "ochl"]
        if file.market == "indices":
            yield ",".join([name, *prices, f"{start * NS}"])
        else:
            count = bar.get("n", "")
            yield ",".join([name, _number(bar["v"]), *prices, f"{start * NS}", f"{count}"])


def _minutes(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    first = file.instant(size.bars_from)
    if file.market == "futures":
        last = (first + (size.bar_minutes - 1) * 60) * NS
        yield from _futures(world, size, file, (1, "min"), first * NS, last)
        return
    for name in tickers(world, size, file):
        made = world.trading.minutes(name, first, size.bar_minutes, as_of)
        if file.market == "indices":
            for start, _, o, c, h, low, _ in made:
                yield f"{name},{o},{c},{h},{low},{start}000000000"
        else:
            for start, v, o, c, h, low, n in made:
                yield f"{name},{v},{o},{c},{h},{low},{start}000000000,{n}"


def _sessions(world: World, size: FilesSize, file: FlatFile, _as_of: datetime) -> Iterator[str]:
    midnight = int(datetime.combine(file.day, time(), tzinfo=UTC).timestamp()) * NS
    return _futures(world, size, file, (1, "session"), midnight, midnight)


def _futures(
    world: World, size: FilesSize, file: FlatFile, bar: tuple[int, str], first: int, last: int
) -> Iterator[str]:
    columns = header(file).split(",")
    for name in tickers(world, size, file):
        for row in futures_bars.bars(world, name, bar, first, last):
            yield ",".join(_number(row[column]) for column in columns)


def _trades(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    for name, second in _seconds(world, size, file):
        made = world.trading.trades(name, _kind(file), second, as_of)
        yield from _joined(file, (trade_values(trade, file.day) for trade in made))


def _quotes(world: World, size: FilesSize, file: FlatFile, _as_of: datetime) -> Iterator[str]:
    for name, second in _seconds(world, size, file):
        made = world.trading.quotes(name, _kind(file), second)
        yield from _joined(file, (quote_values(quote, file.day) for quote in made))


def _seconds(world: World, size: FilesSize, file: FlatFile) -> Iterator[tuple[str, int]]:
    first = file.instant(size.ticks_from)
    for name in tickers(world, size, file):
        for second in range(first, first + size.tick_seconds):
            yield name, second


def _kind(file: FlatFile) -> Kind:
    return "forex" if file.market == "fx" else file.market  # type: ignore[return-value]


def _joined(file: FlatFile, values: Iterable[dict[str, str]]) -> Iterator[str]:
    columns = header(file).split(",")
    for known in values:
        if file.market in ("crypto", "fx"):
            # The time of the exchange is the one that REST and the stream have.
            known["participant_timestamp"] = known["sip_timestamp"]
        yield ",".join(known[column] for column in columns)


def trade_values(trade: Trade, session: date) -> dict[str, str]:
    """A trade as it is written, by column."""
    trf = trade.trf or ("", "")
    return {
        "ticker": trade.ticker,
        "conditions": _list(trade.conditions),
        "correction": f"{trade.correction}",
        "exchange": f"{trade.exchange}",
        "id": f"{trade.id}",
        "participant_timestamp": f"{trade.participant_ns}",
        "price": _number(trade.price),
        "sequence_number": f"{trade.sequence}",
        "session_end_date": session.isoformat(),
        "sip_timestamp": f"{trade.time_ns}",
        "size": _number(trade.size / 100) if trade.size % 100 else f"{trade.size // 100}",
        "tape": f"{trade.tape}",
        "timestamp": f"{trade.time_ns}",
        "trf_id": f"{trf[0]}",
        "trf_timestamp": f"{trf[1]}",
    }


def quote_values(quote: Quote, session: date) -> dict[str, str]:
    """A quote as it is written, by column."""
    at = f"{quote.time_ns}"
    return {
        "ticker": quote.ticker,
        "ask_exchange": f"{quote.ask_exchange}",
        "ask_price": _number(quote.ask),
        "ask_size": f"{quote.ask_size}",
        "ask_timestamp": at,
        "bid_exchange": f"{quote.bid_exchange}",
        "bid_price": _number(quote.bid),
        "bid_size": f"{quote.bid_size}",
        "bid_timestamp": at,
        "conditions": "0",
        "indicators": "604",
        "participant_timestamp": f"{quote.participant_ns}",
        "sequence_number": f"{quote.sequence}",
        "session_end_date": session.isoformat(),
        "sip_timestamp": at,
        "tape": f"{quote.tape}",
        "timestamp": at,
        "trf_timestamp": "",
    }


def _values(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    for name, second in _seconds(world, size, file):
        bar = world.trading.bar(name, second, 1, as_of)
        if bar is not None:
            yield f"{name},{second * NS},{bar.open}"


def _front_month(day: date) -> str:
    """The quarterly contract that trades on a day, such as Z6."""
    months = {3: "H", 6: "M", 9: "U", 12: "Z"}
    month = next(month for month in months if month >= day.month)
    return f"{months[month]}{day.year % 10}"


def _list(numbers: tuple[int, ...]) -> str:
    """Several conditions stand between quotation marks (seen)."""
    text = ",".join(map(str, numbers))
    return f'"{text}"' if "," in text else text


def _number(value: Any) -> str:
    """Never with an exponent: what the vendor does with tiny numbers is unverified."""
    text = f"{value}"
    return f"{value:.10f}".rstrip("0") if isinstance(value, float) and "e" in text else text


_WRITERS: dict[str, Callable[[World, FilesSize, FlatFile, datetime], Iterator[str]]] = {
    "day_aggs_v1": _days,
    "minute_aggs_v1": _minutes,
    "quotes_v1": _quotes,
    "session_aggs_v1": _sessions,
    "trades_v1": _trades,
    "values_v1": _values,
}
