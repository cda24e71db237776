"""Raw trades and quotes for the filter in Python and the one in SQL: ordinary, odd, random."""

import json
import random
from collections.abc import Iterator
from typing import Any

from polygon_streaming.raw import REST, Headers, headers

from deploy.tests.confluent.raw_events import (
    CRYPTO,
    HEALED,
    LEFT_OUT,
    START_MS,
    STOCKS,
    STOCKS_BEFORE,
    Raw,
    apart,
)

NS = START_MS * 1_000_000 + 123_456_789
OPTIONS, FOREX = headers("options", "c0ffee"), headers("forex", "c0ffee")
FUTURES = headers("futures/cme", "c0ffee")
HEALED_CRYPTO = headers("crypto", REST, healed="disconnected: dropped")
Event = dict[str, Any]
TRADE: Event = {
    "ev": "T", "sym": "BRK.B", "i": "52983525029461", "x": 4, "p": 501.25, "s": 100,
    "ds": "100.250", "c": [0, 14, 41], "t": START_MS, "q": 3681328, "z": 1, "trfi": 201,
    "trft": START_MS - 3, "unknown": {"s": [1]},
}  # fmt: skip
COIN: Event = {
    "ev": "XT", "pair": "BTC-USD", "p": 33021.9, "t": START_MS, "s": 0.01616617, "c": [2],
    "i": 14272084, "x": 3, "r": START_MS + 14,
}  # fmt: skip
QUOTE: Event = {
    "ev": "Q", "sym": "BRK.B", "bx": 4, "bp": 501.2, "bs": 100, "ax": 7, "ap": 501.3, "as": 160,
    "c": 1, "i": [604], "t": START_MS, "q": 50385480, "z": 3, "unknown": {"bp": [1]},
}  # fmt: skip
COIN_QUOTE: Event = {
    "ev": "XQ", "pair": "BTC-USD", "lp": 0, "ls": 0, "bp": 33052.79, "bs": 0.48, "ap": 33073.19,
    "as": 0.601, "t": START_MS, "x": 23, "r": START_MS + 14,
}  # fmt: skip
PAIR: Event = {"ev": "C", "p": "USD/CNH", "x": "44", "a": 6.83366, "b": 6.83363, "t": START_MS}
TIMES = ("trft", "participant_timestamp", "r")
LONG = "0.1234567890123456789"  # 19 decimals
SIDES = ("bp", "bs", "bx", "ap", "as", "ax")


def event(base: Event, **changes: Any) -> bytes:
    """Return an event as the vendor sends it, with changes."""
    changes = {name.rstrip("_"): value for name, value in changes.items()}  # `as_`, as in Python
    return json.dumps({k: v for k, v in {**base, **changes}.items() if v is not LEFT_OUT}).encode()


def literal(base: Event, name: str, number: str) -> bytes:
    """Return an event with a number written as only a text can be."""
    return event(base, **{name: "literal"}).replace(b'"literal"', number.encode())


def passing_ticks() -> dict[str, Raw]:
    """Return trades and quotes that pass the rules, by what is special about them."""
    no = LEFT_OUT
    values = {
        "trade": event(TRADE),
        "trade with little": event(
            TRADE, **dict.fromkeys(("i", "x", "ds", "c", "q", "z", "trfi", "trft"), no)
        ),
        "trade with nulls": event(
            TRADE, **dict.fromkeys(("i", "x", "ds", "c", "q", "z", "trfi", "trft"))
        ),
        "trade of REST": event(
            TRADE, t=NS, participant_timestamp=NS - 5, trft=NS - 7, correction=1, z=2
        ),
        "trade with zeros for times": event(TRADE, trft=0, participant_timestamp=0, r=0),
        "trade with fractions of milliseconds": event(TRADE, t=START_MS + 0.75),
        "trade with a time with an exponent": literal(TRADE, "t", "1.793629800123E12"),
        "trade a little ahead": event(TRADE, t=START_MS + 3_600_000),
        "trade with one condition": event(TRADE, c=37),
        "trade without conditions": event(TRADE, c=[]),
        "trade with the greatest codes": event(TRADE, x=2**31 - 1, c=[2**31 - 1], q=2**63 - 1),
        "trade with a number for its id": event(TRADE, i=7),
        "trade with an empty id": event(TRADE, i=""),
        "trade with an id with quotes": event(TRADE, i='7"\\é'),
        "trade with an odd symbol": event(TRADE, sym="zvzzt é\u2028"),
        "trade by its pair": event(TRADE, sym="", pair="EUR/USD"),
        "trade for a long price": event(TRADE, p=501.1234567890123),
        "trade with spaces": json.dumps(TRADE, indent=2).encode(),
        **{
            f"trade with ds {text}": event(TRADE, p=1e17, s=-1, ds=text)
            for text in ("100", "100.000", "0.123456789012345678", "1E+2", "1e-7", "+5", " 5 ",
                         "999999999999999999.999999999999999999")
        },
        **{
            f"trade with s {number}": literal({**TRADE, "p": 1e17, "ds": None}, "s", number)
            for number in ("100.0", "1e2", "0.5", "12345678.25", "123456789012345678",
                           "0.123456789012345678", "1.5e-1", "7e-17")
        },
        "trade with an endless s beside ds": literal(TRADE, "s", "1e400"),
        "quote": event(QUOTE),
        "quote without bid": event(QUOTE, bp=no, bs=no, bx=no),
        "quote without ask": event(QUOTE, ap=None, as_=None, ax=None),
        "quote of nothing": event(QUOTE, **dict.fromkeys((*SIDES, "c", "i", "q", "z"), no)),
        "quote of REST": event(QUOTE, t=NS, participant_timestamp=NS - 5, trft=NS - 7, trfi=1),
        "quote with times of its sides": event(QUOTE, bt=START_MS - 1, at=NS - 1),
        "quote with zeros for times": event(QUOTE, bt=0, at=0, trft=0, participant_timestamp=0),
        "quote with arrays": event(QUOTE, c=[1, 2], i=[]),
        "quote with one exchange": event(QUOTE, bx=no, x=12),
        "quote with sizes of no shares": event(QUOTE, bs=0, as_=0.0),
        "quote with sizes in decimals": literal(QUOTE, "bs", "0.000000000000000001"),
    }  # fmt: skip
    records = {name: Raw(name, value) for name, value in values.items()}
    others: list[tuple[str, bytes, Headers]] = [
        ("trade of coins", event(COIN), CRYPTO),
        ("trade of coins, healed", event(COIN, i="a-7", t=NS, r=no), HEALED_CRYPTO),
        ("trade of an option", event(TRADE, sym="O:SPY261218C00650000", z=no), OPTIONS),
        ("trade of a future", event(TRADE, sym="ESZ6", t=NS, ds=no), FUTURES),
        ("trade, healed", event(TRADE, t=NS), HEALED),
        ("trade of no market", event(TRADE), []),
        ("trade of the release before", event(TRADE, sym="MSFT"), STOCKS_BEFORE),
        ("quote of the release before", event(QUOTE, sym="MSFT"), STOCKS_BEFORE),
        ("quote of coins", event(COIN_QUOTE), CRYPTO),
        ("quote of coins with exchanges", event(COIN_QUOTE, bx=1, ax=2), CRYPTO),
        ("quote of an option", event(QUOTE, sym="O:SPY261218C00650000"), OPTIONS),
        ("quote, healed", event(QUOTE, t=NS), HEALED),
        ("quote of a pair", event(PAIR), FOREX),
        ("quote of a pair with a number", event(PAIR, x=48), FOREX),
        ("quote of a pair with little", event(PAIR, x=no), FOREX),
        ("quote of a pair with fields of others", event(PAIR, bp=-1, q=-1, c="many", z=9), FOREX),
    ]
    records |= {name: Raw(name, value, sent) for name, value, sent in others}
    ahead = event(TRADE, t=(START_MS + 3_650_000) * 1_000_000)
    records["trade an hour ahead"] = Raw("trade an hour ahead", ahead, STOCKS, START_MS + 50_000)
    return apart(records, START_MS + 20_000)


def dropped_ticks() -> dict[str, Raw]:
    """Return trades and quotes that do not pass: by the rules, or unreadable."""
    no = LEFT_OUT
    many = "many"
    values = {
        "trade excluded": event(TRADE, sym="ZVZZT"),
        "trade with an excluded condition": event(TRADE, c=[0, 16]),
        "trade below the least notional": event(TRADE, p=0.009, ds="100"),
        "trade of nothing": event(TRADE, s=0, ds=no),
        "quote excluded": event(QUOTE, sym="ZVZZT"),
        "quote with a bid below the least price": event(QUOTE, bp=0.0099),
        "quote with an ask below the least price": event(QUOTE, ap=-1),
        **{f"trade without {name}": event(TRADE, **{name: no}) for name in "pst"},
        **{f"trade with null for {name}": event(TRADE, **{name: None}) for name in "pst"},
        **{f"trade with text for {name}": event(TRADE, **{name: many}) for name in "pstxzqc"},
        "trade with a truth for a size": event(TRADE, s=True),
        "trade without symbol": event(TRADE, sym=no),
        "trade with a long symbol": event(TRADE, sym="S" * 101),
        "trade with a long pair": event(TRADE, pair="S" * 101),
        "trade with a long id": event(TRADE, i="7" * 101),
        "trade in seconds": event(TRADE, t=START_MS // 1000),
        "trade in microseconds": event(TRADE, t=START_MS * 1000),
        "trade ahead": event(TRADE, t=START_MS + 7_200_000),
        **{
            f"trade with ds {text!r}": event(TRADE, ds=text)
            for text in ("", "NaN", "-1", many, "1e18", "Infinity", LONG, "1e-19")
        },
        **{
            f"trade with s {number}": literal({**TRADE, "ds": None}, "s", number)
            for number in ("-1", "1e18", "1e400", LONG, "1e-19", '"NaN"')
        },
        **{
            f"trade with {name} {value}": event(TRADE, **{name: value})
            for name in ("x", "z", "trfi", "correction", "q", "c")
            for value in (-1, 4.5, 4.0, 2**63, many)
        },
        **{
            f"trade with {value} in c": event(TRADE, c=[0, value])
            for value in (-1, 1.5, None, "7", [1])
        },
        "trade with a great exchange": event(TRADE, x=2**31),
        "trade with a great condition": event(TRADE, c=[2**31]),
        **{
            f"trade with {name} {value}": event(TRADE, **{name: value})
            for name in TIMES
            for value in (5, -START_MS, START_MS * 1000, many)
        },
        **{f"trade for {p}": literal(TRADE, "p", p) for p in ("1e18", "-1e18", "1e400")},
        "trade with a broken end": event(TRADE)[:-20],
        "trade with no UTF-8": event(TRADE).replace(b"BRK.B", b"\xff"),
        "quote without symbol": event(QUOTE, sym=no),
        "quote without time": event(QUOTE, t=no),
        "quote ahead": event(QUOTE, t=START_MS + 7_200_000),
        **{
            f"quote with text for {name}": event(QUOTE, **{name: many})
            for name in (*SIDES, *"xzqtci")
        },
        **{f"quote with {name} -1": event(QUOTE, **{name: -1}) for name in ("bs", "as", *"xzqci")},
        **{
            f"quote with {name} 1e18": event(QUOTE, **{name: 1e18})
            for name in ("bp", "ap", "bs", "as")
        },
        **{
            f"quote with {name} {value}": event(QUOTE, **{name: value})
            for name in (*TIMES, "bt", "at")
            for value in (5, many)
        },
        "quote with a wrong x beside bx and ax": event(QUOTE, x=-1),
        "quote with 19 decimals": literal(QUOTE, "as", LONG),
    }  # fmt: skip
    records = {name: Raw(name, value) for name, value in values.items()}
    others: list[tuple[str, bytes, Headers]] = [
        ("trade of a market with a long name", event(TRADE), headers("m" * 101, "c0ffee")),
        ("quote of a market that is not wanted", event(QUOTE, sym="ESZ6"), FUTURES),
        *((f"pair without {name}", event(PAIR, **{name: no}), FOREX) for name in "pabt"),
        *((f"pair with null for {name}", event(PAIR, **{name: None}), FOREX) for name in "pabt"),
        *((f"pair with text for {name}", event(PAIR, **{name: many}), FOREX) for name in "abtx"),
        ("pair with an empty name", event(PAIR, p=""), FOREX),
        ("pair with an empty exchange", event(PAIR, x=""), FOREX),
        ("pair with its name elsewhere", event(PAIR, p=no, pair="EUR/USD", sym="EUR"), FOREX),
    ]
    records |= {name: Raw(name, value, sent) for name, value, sent in others}
    ahead = event(TRADE, t=(START_MS + 3_650_001) * 1_000_000 + 1)
    records["trade a nanosecond further ahead"] = Raw(
        "trade a nanosecond further ahead", ahead, STOCKS, START_MS + 50_001
    )
    return apart(records, START_MS + 25_000)


def ticks_refused_in_python_only() -> dict[str, Raw]:
    """Return trades and quotes with types that the SQL does not look at, as it says."""
    values = {
        "price of a trade in quotes": event(TRADE, p="501.5"),
        "exact size that is a number": event(TRADE, ds=100.25),
        "identifier that is a negative number": event(TRADE, i=-7),
        "null for the symbol of a trade": event(TRADE, sym=None, pair="X:BTC"),
        "exchange that is an object": event(TRADE, x={"a": 1}),
        "bid in quotes": event(QUOTE, bp="501.2"),
        "more after a quote": event(QUOTE) + b" and more",
    }
    return apart({name: Raw(name, value) for name, value in values.items()}, START_MS + 30_000)


def ticks_at_random(count: int) -> Iterator[Raw]:
    """Return trades and quotes with some fields changed or left out, always the same ones."""
    dice = random.Random(20261125)  # noqa: S311
    kinds = [
        (TRADE, STOCKS), (TRADE, OPTIONS), (TRADE, FUTURES), (TRADE, HEALED), (COIN, CRYPTO),
        (COIN, HEALED_CRYPTO), (QUOTE, STOCKS), (QUOTE, OPTIONS), (QUOTE, HEALED), (QUOTE, FUTURES),
        (COIN_QUOTE, CRYPTO), (PAIR, FOREX), (QUOTE, []), (TRADE, []),
    ]  # fmt: skip
    missing = [LEFT_OUT, None]
    amounts = [*missing, 0, 1, 19.95, 100, 1e-8, 501.125, 7_000_000, 12345678.875, -3, "many"]
    codes = [*missing, 0, 3, 12, 400, 2**31, -1, 2.5, "many"]
    lists = [*missing, 0, 15, 37, [], [0], [14, 41], [15], [1, 2, 3], [1, None], "x"]
    exact = [*missing, "0", "0.000001", "100.250", "1e3", "-3", "x", LONG]
    choices: dict[str, list[Any]] = {
        "sym": ["AAPL", "O:SPY261218C00650000", "ZVZZT", "", LEFT_OUT],
        "pair": [LEFT_OUT, "BTC-USD", ""],
        "i": [*missing, 0, 604, "x7", ""],
        "c": lists,
        "q": [*missing, 0, 7, 2**63 - 1, 2**63, -1, 1.5, "many"],
        "ds": exact,
        **dict.fromkeys(("p", "s", "a", "b", "bp", "bs", "ap", "as"), amounts),
        **dict.fromkeys(("x", "z", "bx", "ax", "trfi", "correction"), codes),
    }
    for number in range(count):
        base, sent = dice.choice(kinds)
        start = START_MS + 200_000_000 + 1000 * number
        ns = start * 1_000_000 + dice.randrange(10**9)
        stamps = [start, start + 0.5, ns, 0, 7, LEFT_OUT, None, "soon"]
        fields: Event = {
            "t": dice.choice([start, start, start, ns, start + 0.25, start + 7_200_000])
        }
        for name in dice.sample(sorted(choices), dice.randint(1, 5)):
            if base is PAIR and name == "p":
                continue  # not a price there
            fields[name] = dice.choice(choices[name])
        for name in dice.sample([*TIMES, "bt", "at"], 1):
            fields[name] = dice.choice(stamps)
        value = event({**base, **fields})
        yield Raw(f"random {number}", value, sent, start + dice.randint(0, 90_000))
