"""What of the vendor's flat files is in the tables: datasets, and each column as SQL of the file's.

Columns are found by their names in the header, never by their place. What a file of a market lacks
is NULL there: indices have no volume, options no sequence numbers. Instants are nanoseconds since
1970 UTC, a bar's is the start of its window. (The vendor's files, seen; its knowledge base.)
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from polygon_streaming.backfill.cells import codes, instant, whole
from polygon_streaming.channels import MARKETS

KindName = Literal["bars", "trades", "quotes"]

PREFIXES: Final = {
    "stocks": "us_stocks_sip",
    "options": "us_options_opra",
    "indices": "us_indices",
    "forex": "global_forex",
    "crypto": "global_crypto",
    "futures/cme": "us_futures_cme",
    "futures/cbot": "us_futures_cbot",
    "futures/nymex": "us_futures_nymex",
    "futures/comex": "us_futures_comex",
}
"""The folder of each market that has files."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How files of one kind become rows.

    Attributes:
        name: as the settings name the table.
        folder: the vendor's name of the dataset.
        time: the table's column of the time.
        at: the part of the time that is in the table's key.
        identity: what else is in the key, besides symbol and market; a UInt64.
        structure: the columns that are read of a file, with ClickHouse's types. Whole numbers are
            read as texts: ClickHouse's reader makes another number of one that is too large.
        columns: the table's columns from those of the file.
        floats: the columns that are binary fractions, with the same names in both.
        compared: what makes two rows of a key differ, as floats, NaN for none.
        preferred: the column whose greatest value tells which row is taken, where a file has
            several of one key.
        kept: what a row keeps of the one that it replaces: only the stream knows it, and it does
            not count the trades of the row.
        channels: the stream's channel of each market.
    """

    name: KindName
    folder: str
    time: str
    at: str
    identity: str
    structure: str
    columns: dict[str, str]
    floats: tuple[str, ...]
    compared: dict[str, str]
    preferred: str
    kept: tuple[str, ...]
    channels: dict[str, str]


_EQUITY: Final = ("stocks", "options")
_FUTURES: Final = tuple(market for market in PREFIXES if market.startswith("futures"))


# The table has milliseconds.
_WINDOW: Final = instant("window_start", holds="{} % 1000000 = 0")
# Where it is the only time, it is the time of the row.
_REPORTED: Final = f"if(isNull(sip_timestamp), NULL, {instant('participant_timestamp')})"
_SAME: Final = {"received_at": "now64(3)", "healed": "true"}

BARS: Final = Kind(
    "bars",
    "minute_aggs_v1",
    "window_start",
    "window_start",
    "toUInt64(0)",
    "ticker String, open Nullable(Float64), high Nullable(Float64), low Nullable(Float64), "
    "close Nullable(Float64), volume Nullable(Float64), window_start Nullable(String)",
    {
        "window_start": _WINDOW,
        "window_end": f"{_WINDOW} + INTERVAL 1 MINUTE",
        **{name: name for name in ("open", "high", "low", "close")},
        "volume": "ifNull(volume, 0)",
        "otc": "false",
        **_SAME,
    },
    ("open", "high", "low", "close", "volume"),
    {name: name for name in ("open", "high", "low", "close", "volume")},
    "volume",
    ("official_open", "otc"),
    {
        **dict.fromkeys((*_EQUITY, "indices", *_FUTURES), "AM"),
        "forex": "CA",
        "crypto": "XA",
    },
)
TRADES: Final = Kind(
    "trades",
    "trades_v1",
    "timestamp",
    "toStartOfMinute(timestamp)",
    "identity",
    "ticker String, conditions Nullable(String), correction Nullable(String), "
    "exchange Nullable(String), id Nullable(String), participant_timestamp Nullable(String), "
    "price Nullable(Float64), sequence_number Nullable(String), sip_timestamp Nullable(String), "
    "timestamp Nullable(String), size Nullable(Decimal(38, 18)), tape Nullable(String), "
    "trf_id Nullable(String), trf_timestamp Nullable(String)",
    {
        "timestamp": instant("sip_timestamp", "timestamp", "participant_timestamp"),
        "sequence_number": whole("sequence_number", "Int64"),
        "trade_id": "ifNull(id, '')",
        "price": "price",
        "size": "size",
        "conditions": codes("conditions"),
        "exchange": whole("exchange", "UInt32"),
        "tape": whole("tape", "UInt32"),
        "trf_id": f"nullIf({whole('trf_id', 'UInt32')}, 0)",
        "trf_timestamp": instant("trf_timestamp"),
        "participant_timestamp": _REPORTED,
        "correction": whole("correction", "UInt32"),
        **_SAME,
    },
    ("price",),
    {
        "price": "price",
        "size": "toFloat64(size)",
        # The stream does not say; 0 is what nobody has corrected.
        "correction": "toFloat64(ifNull(correction, 0))",
    },
    "correction",
    (),
    {**dict.fromkeys((*_EQUITY, *_FUTURES), "T"), "crypto": "XT"},
)
QUOTES: Final = Kind(
    "quotes",
    "quotes_v1",
    "timestamp",
    "toStartOfMinute(timestamp)",
    "identity",
    "ticker String, ask_exchange Nullable(String), ask_price Nullable(Float64), "
    "ask_size Nullable(Decimal(38, 18)), ask_timestamp Nullable(String), "
    "bid_exchange Nullable(String), bid_price Nullable(Float64), "
    "bid_size Nullable(Decimal(38, 18)), bid_timestamp Nullable(String), "
    "conditions Nullable(String), indicators Nullable(String), "
    "participant_timestamp Nullable(String), sequence_number Nullable(String), "
    "sip_timestamp Nullable(String), timestamp Nullable(String), tape Nullable(String), "
    "trf_timestamp Nullable(String)",
    {
        "timestamp": instant("sip_timestamp", "timestamp", "participant_timestamp"),
        # Of futures the stream has none, and the table tells quotes apart by what both have.
        "sequence_number": f"if(isNull(timestamp), {whole('sequence_number', 'Int64')}, NULL)",
        **{
            f"{side}_{name}": f"{side}_{name}"
            for side in ("bid", "ask")
            for name in ("price", "size")
        },
        **{f"{side}_exchange": whole(f"{side}_exchange", "UInt32") for side in ("bid", "ask")},
        "conditions": codes("conditions"),
        "indicators": codes("indicators"),
        "tape": whole("tape", "UInt32"),
        "trf_timestamp": instant("trf_timestamp"),
        "participant_timestamp": _REPORTED,
        "bid_timestamp": instant("bid_timestamp"),
        "ask_timestamp": instant("ask_timestamp"),
        **_SAME,
    },
    ("bid_price", "ask_price"),
    {
        f"{side}_{name}": f"ifNull(toFloat64({side}_{name}), nan)"
        for side in ("bid", "ask")
        for name in ("price", "size")
    },
    "timestamp",
    (),
    {**dict.fromkeys((*_EQUITY, *_FUTURES), "Q"), "forex": "C"},
)
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (BARS, TRADES, QUOTES)}


@dataclass(frozen=True, slots=True)
class Dataset:
    """The files of one kind and market."""

    kind: Kind
    market: str

    @property
    def name(self) -> str:
        """For people: `stocks bars`."""
        return f"{self.market} {self.kind.name}"

    @property
    def channel(self) -> str:
        """The stream's channel that brings the same: `AM`."""
        return self.kind.channels[self.market]

    @property
    def folder(self) -> str:
        """Where its files lie in the bucket."""
        return f"{PREFIXES[self.market]}/{self.kind.folder}"

    @property
    def columns(self) -> dict[str, str]:
        """The table's columns from those of the file.

        Indices have no volume, and whether all currencies have is not known. Elsewhere a bar
        without one is a fault of the file, and none with 0.
        """
        lenient = self.kind is not BARS or self.market in ("indices", "forex")
        return self.kind.columns if lenient else {**self.kind.columns, "volume": "volume"}

    @property
    def needed(self) -> tuple[str, ...]:
        """The table's columns that may be NULL, though not in every row of a file.

        Without its sequence number a trade would not be known for the stream's.
        """
        numbered = ("sequence_number",) if self.market == "stocks" else ()
        return {"bars": (), "trades": numbered, "quotes": (*numbered, "bid_price", "ask_price")}[
            self.kind.name
        ]

    @property
    def matches_the_stream(self) -> bool:
        """Whether its rows can be told to be those of the stream.

        Files of option trades have neither sequence numbers nor ids (the vendor's documentation).
        """
        return (self.kind.name, self.market) != ("trades", "options")

    def key(self, day: date) -> str:
        """Return the key of a day's file."""
        return f"{self.folder}/{day:%Y/%m/%Y-%m-%d}.csv.gz"

    def symbol(self) -> str:
        """Return the symbol as the stream writes it, in SQL: `BTC-USD` for `X:BTCUSD`.

        Files have `X:BTC-USD` or `X:BTCUSD`. Without a mark the second currency is taken to have
        three letters.
        """
        marks = {"crypto": ("X:", "-"), "forex": ("C:", "/")}
        if self.market not in marks:
            return "ticker"
        prefix, mark = marks[self.market]
        bare = f"if(startsWith(ticker, '{prefix}'), substring(ticker, 3), ticker)"
        return (
            f"if(match({bare}, '[-/]'), replaceRegexpOne({bare}, '[-/]', '{mark}'), "
            f"concat(substring({bare}, 1, length({bare}) - 3), '{mark}', right({bare}, 3)))"
        )


def datasets(kinds: list[str], markets: list[str]) -> list[Dataset]:
    """Return the datasets of the kinds and markets, where there are such files.

    Raises:
        ValueError: there is no such kind or market, or none of the kinds has files of a market.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not a kind of data. Give {', '.join(KINDS)}")
    found = []
    for market in markets:
        if market not in PREFIXES:
            why = "has files by exchange" if market in MARKETS else "is not a market of files"
            raise ValueError(f"{market!r} {why}. Give {', '.join(PREFIXES)}")
        there = [Dataset(KINDS[k], market) for k in kinds if market in KINDS[k].channels]
        if not there:
            raise ValueError(f"of {market} there are no files of {', '.join(kinds)}")
        found += there
    return found
