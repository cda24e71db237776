"""Files of the size of the full market, for benchmarks, in seconds: most of it gzip's.

They look like the vendor's (header line, forms of numbers, quotation marks, order, how far they can
be packed), with numbers that agree with nothing. The rows of a ticker are one of a few blocks with
its name put in; blocks come again too late for gzip to notice, which looks back 32 kB.
"""

import gzip
from collections.abc import Callable, Iterator
from datetime import date, time
from pathlib import Path
from random import Random
from string import ascii_uppercase

from polygon_sandbox.flat_files.columns import header
from polygon_sandbox.flat_files.layout import Dataset, FlatFile

_TICKERS = 11_000
_BLOCKS = 64
_NS = 1_000_000_000
# The tape's hours: 04:00 to 20:00 in New York.
_OPENS, _SECONDS = time(4), 16 * 3600
_NAME = "@"
_CONDITIONS = ('"12,37"', "", "37", '"14,41"', '"14,37,41"', "12", "", "10")
_VENUES = (4, 4, 4, 8, 10, 11, 12, 15, 19, 21)


def write(path: Path, dataset: Dataset, rows: int, day: date) -> None:
    """Write a packed file of stocks.

    Args:
        path: where to; what is there is replaced.
        dataset: bars of minutes, trades or quotes.
        rows: how many; 2 million bars of minutes are a usual day.
        day: whose instants it has.
    """
    file = FlatFile("us_stocks_sip", dataset, day)
    make = _MAKERS[dataset]
    each = -(-rows // _TICKERS)
    start = file.instant(_OPENS) * _NS
    blocks = ["".join(make(Random(number), start, each)) for number in range(_BLOCKS)]
    with gzip.open(path, "wb", compresslevel=4) as packed:
        packed.write(f"{header(file)}\n".encode())
        for number, name in enumerate(_names(-(-rows // each))):
            block = blocks[number % _BLOCKS]
            left = rows - number * each
            if left < each:
                block = "".join(block.splitlines(keepends=True)[:left])
            packed.write(block.replace(_NAME, name).encode())


def _minutes(dice: Random, start: int, count: int) -> Iterator[str]:
    price = dice.randrange(500, 40_000) / 100
    first = dice.randrange(max(1, 960 - count))
    for n in range(count):
        o, c = price, price + dice.randrange(-20, 21) / 100
        high, low = max(o, c) + dice.randrange(9) / 100, min(o, c) - dice.randrange(9) / 100
        size = dice.randrange(1, 40) * 100 if dice.random() < 0.8 else dice.uniform(1, 9000)
        yield (
            f"{_NAME},{size:.6f},{o:.6f},{c:.6f},{high:.6f},{low:.6f},"
            f"{start + (first + n) % 960 * 60 * _NS},{dice.randrange(1, 300)}\n"
        )
        price = max(c, 1)


def _trades(dice: Random, start: int, count: int) -> Iterator[str]:
    price = dice.randrange(500, 40_000) / 100
    for n, at in enumerate(_instants(dice, start, count)):
        venue = dice.choice(_VENUES)
        size = dice.uniform(0, 9) if dice.random() < 0.2 else dice.randrange(1, 301)
        trf = f"{dice.randrange(201, 204)},{at - 30_000}" if venue == 4 else "0,0"
        yield (
            f"{_NAME},{dice.choice(_CONDITIONS)},0,{venue},{52_983_525_000_000 + n},"
            f"{at - dice.randrange(900_000)},{price + dice.randrange(20) / 100:.6f},"
            f"{1000 + 7 * n},{at},{size:.6f},1,{trf}\n"
        )


def _quotes(dice: Random, start: int, count: int) -> Iterator[str]:
    price = dice.randrange(500, 40_000)
    for n, at in enumerate(_instants(dice, start, count)):
        bid = price + dice.randrange(20)
        conditions = dice.choice(("1", "1", "1", '"1,81"'))
        yield (
            f"{_NAME},{dice.choice(_VENUES)},{(bid + 2) / 100},{dice.randrange(1, 9) * 100},"
            f"{dice.choice(_VENUES)},{bid / 100},{dice.randrange(1, 9) * 100},{conditions},,"
            f"{at - dice.randrange(900_000)},{1000 + 3 * n},{at},1,0\n"
        )


def _instants(dice: Random, start: int, count: int) -> Iterator[int]:
    step = _SECONDS * _NS // count
    for n in range(count):
        yield start + n * step + dice.randrange(step)


def _names(count: int) -> list[str]:
    """So many tickers of one to five letters, in order."""
    dice = Random(7)
    found: set[str] = set()
    while len(found) < count:
        found.add("".join(dice.choices(ascii_uppercase, k=dice.choice((1, 3, 4, 4, 4, 5)))))
    return sorted(found)


_MAKERS: dict[str, Callable[[Random, int, int], Iterator[str]]] = {
    "minute_aggs_v1": _minutes,
    "quotes_v1": _quotes,
    "trades_v1": _trades,
}
