"""What is read, and from where: two streams of the sandbox, and lists whose pages are ready."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from polygon_sandbox import Plan, Sandbox, World
from source_polygon.sessions import last_finished, sessions

from benchmarks.source.job import Job
from benchmarks.source.pages_server import Pages


class Server(Protocol):
    """Whoever serves a reading, and notes what it was asked for."""

    @property
    def requests(self) -> list[Any]:
        """What was asked for since the last `clear_requests`."""

    def clear_requests(self) -> None:
        """Forget what was asked for."""


@dataclass(frozen=True)
class Reading:
    """A stream to read, in so many pages.

    Attributes:
        title: of its table.
        stream: the connector's name of it.
        path: at the vendor; "" where the sandbox serves it.
        rows: on a page.
        pages: how many.
    """

    title: str
    stream: str
    path: str = ""
    rows: int = 0
    pages: int = 0

    @contextmanager
    def served(self, days: int) -> Iterator[tuple[Job, Server]]:
        """Serve it; `days` is how many sessions of bars there are to read."""
        last = last_finished("stocks")
        if self.path:
            made = random.Random(1)
            rows = [_ROWS[self.stream](number, str(last), made) for number in range(self.rows)]
            with Pages(rows, self.pages) as server:
                key, first = "benchmark-key", str(last)
                yield Job(server.url, key, self.stream, [], self.path, first), server
            return
        bars = self.stream == "grouped_daily"
        world = World(stocks=12_000, delisted=100 if bars else 23_000)
        # It runs in this process, whose time is in no measure. Not strict: the official client
        # repeats parts of the path in the query.
        with Sandbox(world, Plan.unlimited(), strict=False) as sandbox:
            chosen = sessions("stocks", last.replace(year=last.year - 1), last)[-days:]
            wanted = [str(day) for day in chosen] if bars else []
            first = wanted[0] if wanted else "2026-01-02"
            yield Job(sandbox.url, sandbox.key, self.stream, wanted, start_date=first), sandbox


_SPLITS: Final = ("splits", "/stocks/v1/splits")
_SHORT_VOLUME: Final = ("short_volume", "/stocks/v1/short-volume")

READINGS: Final = (
    Reading("grouped_daily", "grouped_daily"),
    Reading("tickers", "tickers"),
    Reading("splits, a list, 1,000 rows a page", *_SPLITS, rows=1_000, pages=1_000),
    Reading("short_volume, dated, 1,000 rows a page", *_SHORT_VOLUME, rows=1_000, pages=1_000),
    Reading("short_volume, dated, 50,000 rows a page", *_SHORT_VOLUME, rows=50_000, pages=20),
)


def _split(number: int, day: str, made: random.Random) -> dict[str, object]:
    return {
        "id": f"E{number:040x}",
        "ticker": f"T{number}",
        "execution_date": day,
        "adjustment_type": "forward_split",
        "split_from": 1,
        "split_to": made.randrange(2, 9),
        "historical_adjustment_factor": round(made.random(), 6),
    }


def _short_volume(number: int, day: str, made: random.Random) -> dict[str, object]:
    total = made.randrange(10**4, 10**7)
    short = made.randrange(total)
    return {
        "ticker": f"T{number}",
        "date": day,
        "total_volume": total,
        "short_volume": short,
        "short_volume_ratio": round(100 * short / total, 2),
        "exempt_volume": short // 100,
        "non_exempt_volume": short - short // 100,
        "adf_short_volume": 0,
        "adf_short_volume_exempt": 0,
        "nasdaq_carteret_short_volume": short // 2,
        "nasdaq_carteret_short_volume_exempt": short // 200,
        "nasdaq_chicago_short_volume": short // 9,
        "nasdaq_chicago_short_volume_exempt": 0,
        "nyse_short_volume": short // 3,
        "nyse_short_volume_exempt": short // 300,
    }


_ROWS = {"splits": _split, "short_volume": _short_volume}
