"""What is in a file: the rows of its day, in the order of ticker and time.

`window_start` is the start of the window. Bars are not adjusted for splits. `columns` has how all
of it is written.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time

from polygon_sandbox import futures_bars
from polygon_sandbox.clock import UTC
from polygon_sandbox.flat_files.columns import (
    EXCHANGES,
    header,
    numbers,
    plain,
    quote_values,
    trade_values,
    written,
)
from polygon_sandbox.flat_files.layout import FilesSize, FlatFile
from polygon_sandbox.long_bars import GROUPED, long_bars
from polygon_sandbox.ticks import NS, Kind
from polygon_sandbox.world import World

_CONTRACTS = 20
_FUTURES = {
    "us_futures_cbot": ("ZC", "ZN"),
    "us_futures_cme": ("ES", "NQ"),
    "us_futures_comex": ("GC", "SI"),
    "us_futures_nymex": ("CL", "NG"),
}


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
    number = numbers(file)
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
    number = numbers(file)
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
            row["exchange"] = EXCHANGES[file.prefix]
            yield ",".join(plain(row[column]) for column in columns)


def _trades(world: World, size: FilesSize, file: FlatFile, as_of: datetime) -> Iterator[str]:
    for name, second in _seconds(world, size, file):
        made = world.trading.trades(name, _kind(file), second, as_of)
        yield from _joined(file, (trade_values(trade, file) for trade in made))


def _quotes(world: World, size: FilesSize, file: FlatFile, _as_of: datetime) -> Iterator[str]:
    for name, second in _seconds(world, size, file):
        made = world.trading.quotes(name, _kind(file), second)
        yield from _joined(file, (quote_values(quote, file) for quote in made))


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


_WRITERS: dict[str, Callable[[World, FilesSize, FlatFile, datetime], Iterator[str]]] = {
    "day_aggs_v1": _days,
    "minute_aggs_v1": _minutes,
    "quotes_v1": _quotes,
    "session_aggs_v1": _sessions,
    "trades_v1": _trades,
    "values_v1": _values,
}
