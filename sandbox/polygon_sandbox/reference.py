"""Reference data other than tickers: splits, dividends, exchanges, ticker types."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from random import Random

from polygon_sandbox.listings import Listing, Row

_RATIOS = ((1, 2), (1, 2), (1, 3), (1, 4), (2, 3), (10, 1), (8, 1), (1, 1.5))
_QUARTER = timedelta(days=91)


@dataclass(frozen=True, slots=True)
class Split:
    """A stock split: `split_from` shares became `split_to` on the execution date.

    `priced` is false for a split that entered the list after its day: prices never showed it.
    """

    id: str
    ticker: str
    execution_date: date
    split_from: float
    split_to: float
    priced: bool = True

    @property
    def ratio(self) -> float:
        """New shares for one old share."""
        return self.split_to / self.split_from

    def row(self) -> Row:
        """The split as the API sends it."""
        return {
            "id": self.id,
            "ticker": self.ticker,
            "execution_date": self.execution_date.isoformat(),
            "split_from": self.split_from,
            "split_to": self.split_to,
        }


def event_id(*parts: object) -> str:
    """An identifier in the shape of the vendor's: E and 64 hex digits."""
    text = "/".join(str(part) for part in parts)
    return "E" + sha256(text.encode()).hexdigest()


def first_splits(seed: int, listings: Iterable[Listing], today: date) -> list[Split]:
    """About one split for every eight companies, two of them in the near future."""
    dice = Random(f"{seed}/splits")
    companies = [row for row in listings if row.market == "stocks" and not row.duplicate]
    splits = []
    for company in dice.sample(companies, len(companies) // 8):
        days = ((company.delisted_on or today) - company.listed_on).days
        if days > 2:
            day = company.listed_on + timedelta(days=dice.randrange(1, days - 1))
            splits.append(_split(company.ticker, day, dice))
    active = [row for row in companies if row.active]
    for number, company in enumerate(dice.sample(active, min(2, len(active)))):
        splits.append(_split(company.ticker, today + timedelta(days=5 + 9 * number), dice))
    return splits


def _split(ticker: str, day: date, dice: Random) -> Split:
    split_from, split_to = dice.choice(_RATIOS)
    return Split(event_id(ticker, day, split_from, split_to), ticker, day, split_from, split_to)


def first_dividends(seed: int, listings: Iterable[Listing], today: date) -> list[Row]:
    """Quarterly dividends of a third of the active companies: eight past, one announced."""
    dice = Random(f"{seed}/dividends")
    companies = [row for row in listings if row.market == "stocks" and row.active]
    companies = [row for row in companies if not row.duplicate]
    rows = []
    for company in dice.sample(companies, len(companies) // 3):
        next_ex = today + timedelta(days=dice.randrange(1, 91))
        cash = round(dice.uniform(0.05, 1.5), dice.choice((2, 2, 3, 4)))
        for quarter in range(9):
            ex_date = next_ex - quarter * _QUARTER
            if ex_date >= company.listed_on:
                rows.append(dividend_row(company.ticker, ex_date, cash, "CD", 4))
        if dice.random() < 0.1:
            special = next_ex - timedelta(days=dice.randrange(100, 700))
            # Old and special dividends come without the optional fields (vendor spec).
            bare = dividend_row(company.ticker, special, cash * 3, "SC", 0)
            for name in ("declaration_date", "pay_date", "record_date", "currency"):
                del bare[name]
            rows.append(bare)
    return rows


def dividend_row(
    ticker: str, ex_date: date, cash_amount: float, dividend_type: str, frequency: int
) -> Row:
    """A dividend as the API sends it; `cash_amount` in USD a share, `frequency` times a year."""
    return {
        "id": event_id(ticker, ex_date, cash_amount, dividend_type),
        "ticker": ticker,
        "cash_amount": cash_amount,
        "currency": "USD",
        "declaration_date": (ex_date - timedelta(days=28)).isoformat(),
        "dividend_type": dividend_type,
        "ex_dividend_date": ex_date.isoformat(),
        "frequency": frequency,
        "pay_date": (ex_date + timedelta(days=21)).isoformat(),
        "record_date": ex_date.isoformat(),
    }


# fmt: off
_EXCHANGE_FIELDS = (
    "id", "type", "asset_class", "locale", "name", "mic", "operating_mic", "participant_id",
    "acronym",
)
# Numbers repeat across asset classes, and in 2022 all venues of FINRA had one (observed).
_EXCHANGES = (
    (1, "exchange", "stocks", "us", "NYSE American, LLC", "XASE", "XNYS", "A", "AMEX"),
    (12, "exchange", "stocks", "us", "Nasdaq", "XNAS", "XNAS", "T", None),
    (10, "exchange", "stocks", "us", "New York Stock Exchange", "XNYS", "XNYS", "N", None),
    (11, "exchange", "stocks", "us", "NYSE Arca, Inc.", "ARCX", "XNYS", "P", None),
    (19, "exchange", "stocks", "us", "Cboe BZX", "BATS", "XCBO", "Z", None),
    (15, "exchange", "stocks", "us", "Investors Exchange", "IEXG", "IEXG", "V", None),
    (4, "TRF", "stocks", "us", "FINRA NYSE TRF", "FINY", "FINR", "D", None),
    (4, "TRF", "stocks", "us", "FINRA Nasdaq TRF Carteret", "FINN", "FINR", "D", None),
    (4, "TRF", "stocks", "us", "FINRA Nasdaq TRF Chicago", "FINC", "FINR", "D", None),
    (4, "TRF", "stocks", "us", "FINRA Alternative Display Facility", "XADF", "FINR", "D", None),
    (13, "SIP", "stocks", "us", "Consolidated Tape Association", None, "XNYS", None, "CTA"),
    (62, "exchange", "stocks", "us", "OTC Equity Security", "OOTC", "FINR", "S", None),
    (302, "exchange", "options", "us", "Cboe Options Exchange", "XCBO", "XCBO", "C", None),
    (323, "exchange", "options", "us", "Nasdaq PHLX", "XPHL", "XNAS", "X", None),
    (1, "exchange", "crypto", "global", "Coinbase", None, None, None, None),
    (23, "exchange", "crypto", "global", "Kraken", None, None, None, None),
    (48, "exchange", "fx", "global", "Currency Banks 1", None, None, None, None),
)
# fmt: on

_TYPES = {
    "CS": "Common Stock",
    "PFD": "Preferred Stock",
    "WARRANT": "Warrant",
    "RIGHT": "Rights",
    "BOND": "Corporate Bond",
    "ETF": "Exchange Traded Fund",
    "ETN": "Exchange Traded Note",
    "SP": "Structured Product",
    "ADRC": "American Depository Receipt Common",
    "ADRP": "American Depository Receipt Preferred",
    "ADRW": "American Depository Receipt Warrants",
    "ADRR": "American Depository Receipt Rights",
    "FUND": "Fund",
    "BASKET": "Basket",
    "UNIT": "Unit",
    "LT": "Liquidating Trust",
    "OS": "Ordinary Shares",
    "GDR": "Global Depository Receipts",
    "NYRS": "New York Registry Shares",
    "AGEN": "Agency Bond",
    "EQLK": "Equity Linked Bond",
    "OTHER": "Other Security Type",
}


def exchange_rows() -> list[Row]:
    """A handful of venues of each asset class; fields that a venue lacks are left out."""
    rows = []
    for values in _EXCHANGES:
        named = zip(_EXCHANGE_FIELDS, values, strict=True)
        rows.append({field: value for field, value in named if value is not None})
    return rows


def type_rows() -> list[Row]:
    """Every ticker type the vendor's spec names; INDEX belongs to the indices."""
    rows = [
        {"code": code, "description": text, "asset_class": "stocks", "locale": "us"}
        for code, text in _TYPES.items()
    ]
    index = {"code": "INDEX", "description": "Index", "asset_class": "indices", "locale": "us"}
    return [*rows, index]
