"""What is in a file: the header line and the rows of its day.

Header lines are those that were seen in the vendor's files; only those of futures' bars have the
columns of its documentation, in an order that is unverified. So with the forms of numbers: stocks
have six decimals in prices, volumes and sizes since volumes are fractional (of bars and trades, not
of quotes), and 0 where a trade has no reporting facility. Tickers of currencies and coins have a
hyphen that REST's have not: `C:EUR-USD`. Instants are nanoseconds since 1970 UTC, `window_start` is
the start of the window. Bars are not adjusted for splits. Rows are in the order of ticker and time.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from polygon_sandbox import futures_bars
from polygon_sandbox.clock import UTC
from polygon_sandbox.flat_files.layout import FilesSize, FlatFile
from polygon_sandbox.long_bars import GROUPED, long_bars
from polygon_sandbox.prices import FRACTIONAL_VOLUME_SINCE
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
_CONTRACTS = 20
_FUTURES = {
    "us_futures_cbot": ("ZC", "ZN"),
    "us_futures_cme": ("ES", "NQ"),
    "us_futures_comex": ("GC", "SI"),
    "us_futures_nymex": ("CL", "NG"),
}
# Unverified: which number is which exchange's.
_EXCHANGES = {name: number for number, name in enumerate(sorted(_FUTURES), 1)}


def header(file: FlatFile) -> str:
    """The first line of a file, without its end."""
    usual = _INDEX_BARS if file.market == "indices" else _BARS
    return _HEADERS.get((file.market, file.dataset), usual)


def lines(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    """The lines of a file below its header, without their ends, of what was known at an instant."""
    return _WRITERS[file.dataset](world, size, file, as_of)


def tickers(world: World, size: FilesSize, file: FlatFile) -> list[str]:
    """The tickers of a file as REST has them, in the order of the file."""
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
    return sorted(set(found), key=written)[: size.tickers]


def written(ticker: str) -> str:
    """A ticker of REST as the files write it."""
    pair = ticker[:2] in ("C:", "X:")
    return f"{ticker[:-3]}-{ticker[-3:]}" if pair else ticker


def _days(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    start = file.instant(time())
    if file.market in GROUPED:
        chosen = set(tickers(world, size, file))
        bars = world.bars(file.market, file.day, as_of=as_of)
        found = [(written(bar["T"]), bar) for bar in bars if bar["T"] in chosen]
        found.sort(key=lambda pair: pair[0])
    else:
        made = [
            (name, list(long_bars(world, name, (1, "day"), start * 1000, start * 1000, False)))
            for name in tickers(world, size, file)
        ]
        found = [(name, bars[0].row) for name, bars in made if bars]
    number = _numbers(file)
    for name, bar in found:
        prices = [number(bar[field]) for field in "ochl"]
        if file.market == "indices":
            yield ",".join([name, *prices, f"{start * NS}"])
        else:
            count = bar.get("n", "")
            yield ",".join([name, number(bar["v"]), *prices, f"{start * NS}", f"{count}"])


def _minutes(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    first = file.instant(size.bars_from)
    if file.market == "futures":
        last = (first + (size.bar_minutes - 1) * 60) * NS
        yield from _futures(world, size, file, (1, "min"), first * NS, last)
        return
    number = _numbers(file)
    for ticker in tickers(world, size, file):
        name = written(ticker)
        made = world.trading.minutes(ticker, first, size.bar_minutes, as_of)
        if file.market == "indices":
            for start, _, o, c, h, low, _ in made:
                yield f"{name},{o},{c},{h},{low},{start}000000000"
        else:
            for start, volume, *prices, n in made:
                values = ",".join(map(number, (volume, *prices)))
                yield f"{name},{values},{start}000000000,{n}"


def _sessions(world: World, size: FilesSize, file: FlatFile, _as_of: datetime) -> Iterator[str]:
    midnight = int(datetime.combine(file.day, time(), tzinfo=UTC).timestamp()) * NS
    return _futures(world, size, file, (1, "session"), midnight, midnight)


def _futures(
    world: World, size: FilesSize, file: FlatFile, bar: tuple[int, str], first: int, last: int
) -> Iterator[str]:
    columns = header(file).split(",")
    for name in tickers(world, size, file):
        for row in futures_bars.bars(world, name, bar, first, last):
            row["exchange"] = _EXCHANGES[file.prefix]
            yield ",".join(_plain(row[column]) for column in columns)


def _trades(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    for name, second in _seconds(world, size, file):
        made = world.trading.trades(name, _kind(file), second, as_of)
        yield from _joined(file, (_trade(trade, file) for trade in made))


def _quotes(world: World, size: FilesSize, file: FlatFile, _as_of: datetime) -> Iterator[str]:
    for name, second in _seconds(world, size, file):
        made = world.trading.quotes(name, _kind(file), second)
        yield from _joined(file, (_quote(quote, file) for quote in made))


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


def _trade(trade: Trade, file: FlatFile) -> dict[str, str]:
    """A trade as it is written, by column."""
    trf, number = trade.trf or (0, 0), _numbers(file)
    return {
        "ticker": written(trade.ticker),
        "conditions": _list(trade.conditions),
        "correction": f"{trade.correction}",
        "exchange": f"{_EXCHANGES.get(file.prefix, trade.exchange)}",
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


def _quote(quote: Quote, file: FlatFile) -> dict[str, str]:
    """A quote as it is written, by column."""
    at = f"{quote.time_ns}"
    return {
        "ticker": written(quote.ticker),
        "ask_exchange": f"{quote.ask_exchange}",
        "ask_price": _plain(quote.ask),
        "ask_size": f"{quote.ask_size}",
        "ask_timestamp": at,
        "bid_exchange": f"{quote.bid_exchange}",
        "bid_price": _plain(quote.bid),
        "bid_size": f"{quote.bid_size}",
        "bid_timestamp": at,
        "conditions": "0",
        "exchange": f"{_EXCHANGES.get(file.prefix, 0)}",
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


def _values(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    for name, second in _seconds(world, size, file):
        bar = world.trading.bar(name, second, 1, as_of)
        if bar is not None:
            yield f"{name},{bar.open},{second * NS}"


def _front_month(day: date) -> str:
    """The quarterly contract that trades on a day, such as Z6."""
    months = {3: "H", 6: "M", 9: "U", 12: "Z"}
    month = next(month for month in months if month >= day.month)
    return f"{months[month]}{day.year % 10}"


def _list(numbers: tuple[int, ...]) -> str:
    """Several conditions stand between quotation marks (seen)."""
    text = ",".join(map(str, numbers))
    return f'"{text}"' if "," in text else text


def _numbers(file: FlatFile) -> Callable[[float], str]:
    """How the bars and trades of a file write their numbers."""
    fractional = file.market == "stocks" and file.day >= FRACTIONAL_VOLUME_SINCE
    return "{:.6f}".format if fractional else _plain


def _plain(value: Any) -> str:
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
