"""The first rows of a world: made-up companies, coins, currencies and indices, from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from string import ascii_uppercase

from polygon_sandbox.clock import UTC, last_nightly_batch, to_ns
from polygon_sandbox.listings import DelistedStyle, Listing, Row, delisted_stamp
from polygon_sandbox.sessions import FIRST_DAY

# Shapes of symbols that were seen: dots, warrants, and lower case that carries meaning.
_KNOWN = ("A", "AA", "AAPL", "AAB.WS", "BRK.A", "BRK.B", "KIMpL", "MRTpA.CL", "MSFT")
_SUFFIXES = (".WS", ".U", ".A", "pA", "pB")
_COINS = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "DOT", "LINK", "ATOM")
_CURRENCIES = ("EUR", "USD", "GBP", "JPY", "CHF", "CAD", "AUD", "SEK", "NOK", "NZD", "PLN", "ILS")
_INDICES = ("SPX", "NDX", "DJI", "RUT", "VIX")
_FIRST_WORDS = "Alder Basalt Cobalt Delta Ember Fjord Garnet Harbor Indigo Juniper Kestrel Lumen"
_SECOND_WORDS = "Bio Capital Data Energy Foods Gold Health Labs Mining Networks Power Robotics"
_FORMS = ("Inc.", "Corp.", "Holdings", "Common Stock", "Ltd. Class A", "Acquisition Corp")
_NAMES = tuple(
    f"{first} {second} {form}"
    for first in _FIRST_WORDS.split()
    for second in _SECOND_WORDS.split()
    for form in _FORMS
)
_EXCHANGES = ("XNAS", "XNAS", "XNYS", "ARCX", "XASE", "BATS")
_TYPES = ("CS", "CS", "CS", "ETF", "ADRC", "FUND", "PFD", "WARRANT")

# Observed: until mid 2025 stamps were midnights, since then they come from a nightly batch.
_BATCH_STAMPS_SINCE = date(2025, 9, 1)
# Stamps of rows delisted before 2021 are unverified; a few shared midnights make useful ties.
_OLD_STAMPS = (date(2021, 4, 25), date(2021, 5, 10), date(2022, 11, 3), date(2024, 8, 2))
_ETERNAL = "2017-01-01T00:00:00Z"  # crypto and fx rows were seen with this constant

Life = tuple[date, date | None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows of each kind; duplicates and undated rows are among them."""

    stocks: int
    delisted: int
    otc: int
    crypto: int
    fx: int
    indices: int


def found(seed: int, sizes: Sizes, now: datetime) -> list[Listing]:
    """The rows of a new world, with ids from 1."""
    founder = _Founder(Random(seed), now)
    founder.stocks(sizes.stocks, sizes.delisted)
    founder.otc(sizes.otc)
    for base, quote in _pairs(_COINS, ("USD", "EUR"), sizes.crypto):
        founder.pair("crypto", f"X:{base}{quote}", base, quote, FIRST_DAY + timedelta(days=3000))
    for base, quote in _pairs(_CURRENCIES, _CURRENCIES, sizes.fx):
        founder.pair("fx", f"C:{base}{quote}", base, quote, FIRST_DAY + timedelta(days=2100))
    founder.indices(sizes.indices)
    return founder.listings


class _Founder:
    def __init__(self, dice: Random, now: datetime) -> None:
        self.listings: list[Listing] = []
        self._dice = dice
        self._today = now.date()
        self._symbols = _symbols(dice)
        self._otc_symbols = _otc_symbols(dice)
        self._batch_ns = to_ns(last_nightly_batch(now))

    def stocks(self, active: int, delisted: int) -> None:
        """Active and delisted companies, some of which share a symbol one after the other."""
        twins, gone_twins = (min(1 + n // 2000, n // 20) for n in (active, delisted))
        symbols = [next(self._symbols) for _ in range(active - twins)]
        lives: list[tuple[str, Life]] = []
        # The known symbols live a simple life, so that tests can count on them.
        others = [symbol for symbol in symbols if symbol not in _KNOWN]
        reused = self._dice.sample(others, min(delisted // 25, len(others) // 4))
        for position, symbol in enumerate(reused):
            generations = self._generations(symbol, 3 if position % 4 == 0 else 2)
            lives += [*generations[:-1], (symbol, (generations[-1][1][0], None))]
        once = set(symbols) - set(reused)
        lives += [(symbol, (self._start(), None)) for symbol in symbols if symbol in once]
        spare = delisted - gone_twins - sum(end is not None for _, (_, end) in lives)
        for _ in range(spare // 100):
            lives += self._generations(next(self._symbols), 2)
            spare -= 2
        for _ in range(max(spare, 0)):
            lives += self._generations(next(self._symbols), 1)
        rows = [
            self._company("stocks", symbol, life) for symbol, life in sorted(lives, key=_by_age)
        ]
        self._stamp(rows)
        self._duplicate([row for row in rows if row.active], twins)
        self._duplicate([row for row in rows if not row.active], gone_twins)

    def otc(self, count: int) -> None:
        """Over-the-counter rows; a quarter as many delisted ones on top (unverified)."""
        rows = [
            self._company("otc", next(self._otc_symbols), (self._start(), None))
            for _ in range(count)
        ]
        for _ in range(count // 4):
            ((symbol, life),) = self._generations(next(self._otc_symbols), 1)
            rows.append(self._company("otc", symbol, life))
        self._stamp(rows)

    def pair(self, market: str, ticker: str, base: str, quote: str, since: date) -> None:
        """A crypto or fx pair, never delisted."""
        fields: Row = {
            "ticker": ticker,
            "name": f"{base} - {quote}",
            "market": market,
            "locale": "global",
            "active": True,
            "currency_symbol": quote,
            "currency_name": quote.lower(),
            "base_currency_symbol": base,
            "base_currency_name": base.lower(),
            "last_updated_utc": _ETERNAL,
        }
        listing = self._enter(market, fields, (since, None))
        listing.stamp_ns = to_ns(datetime(2017, 1, 1, tzinfo=UTC))

    def indices(self, count: int) -> None:
        """Index rows: a `source_feed`, no type, no currency, and never a stamp (observed)."""
        for number in range(count):
            name = _INDICES[number] if number < len(_INDICES) else f"IX{number:05d}"
            fields: Row = {
                "ticker": f"I:{name}",
                "name": f"{name} Index",
                "market": "indices",
                "locale": "us",
                "active": True,
                "source_feed": self._dice.choice(("CboeGlobalIndices", "NasdaqGIDS", "DowJones")),
            }
            self._enter("indices", fields, (FIRST_DAY, None))

    def _enter(self, market: str, fields: Row, life: Life) -> Listing:
        listing = Listing(len(self.listings) + 1, market, fields, *life)
        self.listings.append(listing)
        return listing

    def _company(self, market: str, symbol: str, life: Life) -> Listing:
        """A stocks or otc row. Old delisted rows leave many fields blank (vendor)."""
        end = life[1]
        blank = 0.02 if end is None else 0.15 if end.year >= 2015 else 0.6
        present = [self._dice.random() >= blank for _ in range(4)]
        fields: Row = {
            "ticker": symbol,
            "name": self._dice.choice(_NAMES),
            "market": market,
            "locale": "us",
        }
        if present[0]:
            fields["primary_exchange"] = (
                self._dice.choice(_EXCHANGES) if market == "stocks" else "OTCM"
            )
        if present[1]:
            fields["type"] = self._dice.choice(_TYPES)
        fields["active"] = end is None
        fields["currency_name"] = "usd"
        if present[2]:
            fields["cik"] = f"{self._dice.randrange(1000, 2_100_000):010d}"
        if present[3]:
            fields["composite_figi"] = f"BBG00{self._code(7)}"
            fields["share_class_figi"] = f"BBG001{self._code(6)}"
        if end is not None:
            fields["delisted_utc"] = delisted_stamp(end, self._delisted_style(end))
        return self._enter(market, fields, life)

    def _delisted_style(self, end: date) -> DelistedStyle:
        ny = end.year < 2012 and self._dice.random() < 0.4
        return "new-york-midnight" if ny else "utc-midnight"

    def _stamp(self, rows: list[Listing]) -> None:
        """Stamps as of last night; about one row in 500 has none (seen in third-party code)."""
        ns = self._batch_ns + self._dice.randrange(2_000_000_000, 45_000_000_000)
        for row in sorted(rows, key=lambda row: row.ticker):
            if row.active:
                row.stamp(ns)
                ns += 600 + self._dice.getrandbits(4)
            else:
                row.stamp(self._frozen_stamp(row.delisted_on or self._today))
        for state in (True, False):
            same = [row for row in rows if row.active is state and row.ticker not in _KNOWN]
            for row in self._dice.sample(same, min(1 + len(same) // 500, len(same) // 10)):
                row.stamp_ns = None
                del row.fields["last_updated_utc"]

    def _frozen_stamp(self, end: date) -> int:
        """The last stamp of a delisted row: that of the night after it left."""
        morning = datetime.combine(end + timedelta(days=1), time(12), tzinfo=UTC)
        if end >= _BATCH_STAMPS_SINCE:
            noise = self._dice.randrange(2_000_000_000, 45_000_000_000)
            return to_ns(last_nightly_batch(morning)) + noise
        if self._dice.random() < 0.02:
            # Edited by hand in the daytime: a stamp without a fraction was seen.
            return to_ns(morning) + 29_057 * 1_000_000_000
        day = end + timedelta(days=1) if end.year >= 2021 else self._dice.choice(_OLD_STAMPS)
        return to_ns(datetime.combine(day, time(), tzinfo=UTC))

    def _duplicate(self, rows: list[Listing], count: int) -> None:
        """Repeat rows with nothing but another stamp, a defect the vendor's users report."""
        dated = [row for row in rows if row.stamp_ns is not None and row.ticker not in _KNOWN]
        for row in self._dice.sample(dated, min(count, len(dated))):
            life = (row.listed_on, row.delisted_on)
            copy = self._enter(row.market, dict(row.fields), life)
            copy.stamp((row.stamp_ns or 0) + 300)
            copy.duplicate = True

    def _start(self) -> date:
        """A listing day: six in ten are older than the first day of bars."""
        span = (self._today - FIRST_DAY).days
        return FIRST_DAY + timedelta(days=max(0, self._dice.randrange(-span * 3 // 2, span - 60)))

    def _generations(self, symbol: str, count: int) -> list[tuple[str, Life]]:
        """Lives that follow one another under one symbol, all of them over by last month."""
        span = (self._today - FIRST_DAY).days - 30
        days = sorted(self._dice.sample(range(span), 2 * count))
        dates = [FIRST_DAY + timedelta(days=day) for day in days]
        return [(symbol, (dates[n], dates[n + 1])) for n in range(0, len(dates), 2)]

    def _code(self, length: int) -> str:
        return f"{self._dice.getrandbits(4 * length):0{length}X}"


def _symbols(dice: Random) -> Iterator[str]:
    """Distinct stock symbols: the known shapes first, then two to four random letters."""
    used = set(_KNOWN)
    yield from _KNOWN
    while True:
        length = dice.choice((2, 3, 3, 3, 4, 4, 4, 4, 4, 4))
        symbol = _letters(dice, length)
        if dice.random() < 0.08:
            symbol += dice.choice(_SUFFIXES)
        if symbol not in used:
            used.add(symbol)
            yield symbol


def _otc_symbols(dice: Random) -> Iterator[str]:
    """Distinct symbols of five letters ending in F, which no stock has."""
    used: set[str] = set()
    while True:
        symbol = _letters(dice, 4) + "F"
        if symbol not in used:
            used.add(symbol)
            yield symbol


def _letters(dice: Random, length: int) -> str:
    number = dice.getrandbits(32)
    return "".join(ascii_uppercase[number // 26**place % 26] for place in range(length))


def _by_age(entry: tuple[str, Life]) -> tuple[str, date]:
    return entry[0], entry[1][0]


def _pairs(bases: tuple[str, ...], quotes: tuple[str, ...], count: int) -> list[tuple[str, str]]:
    """The first `count` pairs; numbered coins or currencies when the known ones run out."""
    pairs = [(base, quote) for quote in quotes for base in bases if base != quote]
    pairs.sort(key=lambda pair: (pair != (bases[0], "USD"), quotes.index(pair[1])))
    pairs += [(f"Q{number:03d}", "USD") for number in range(count - len(pairs))]
    return pairs[:count]
