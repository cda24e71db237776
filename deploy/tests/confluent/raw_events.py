"""Raw records for the filter in Python and the one in SQL: ordinary, odd, random."""

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from polygon_streaming.raw import REST, Headers, headers

START_MS = 1_793_629_800_000  # 2026-11-02 14:30:00 UTC
STOCKS = headers("stocks", "c0ffee")
HEALED = headers("stocks", REST, healed="disconnected: dropped")
CRYPTO = headers("crypto", "c0ffee")
# As the release before wrote them.
STOCKS_BEFORE: Headers = [("market", "stocks"), ("connection", "c0ffee")]
HEALED_BEFORE: Headers = [*STOCKS_BEFORE, ("healed", "disconnected: dropped")]
BAR: dict[str, Any] = {
    "ev": "A", "sym": "BRK.B", "v": 4989, "dv": "4989.25", "av": 4332125, "dav": "4332125.038360",
    "op": 500.1, "vw": 501.25, "o": 501, "c": 501.5, "h": 502, "l": 500.5, "a": 500.9, "z": 12,
    "otc": False, "s": START_MS, "e": START_MS + 1000, "unknown": {"x": [1]},
}  # fmt: skip
NUMBERS = ("s", "e", "o", "h", "l", "c", "v", "vw", "av", "op", "a", "z")
LEFT_OUT = object()


class Raw(NamedTuple):
    """One record of the raw topic.

    Attributes:
        case: what is special about it.
        value: the event.
        headers: without the one that names the case.
        received_ms: its timestamp, and so that of the clean record, which is known by it.
    """

    case: str
    value: bytes | None
    headers: Headers = STOCKS
    received_ms: int = START_MS + 1234

    @property
    def key(self) -> str:
        """The symbol, as the feed has it; the case where there is none."""
        try:
            event = json.loads(self.value or b"")
            names = ("p",) if event.get("ev") == "C" else ("sym", "pair")
            return next((str(event[name]) for name in names if event.get(name)), self.case)
        except (AttributeError, ValueError):
            return self.case


def apart(records: dict[str, Raw], first_ms: int) -> dict[str, Raw]:
    """Return records of which no two were received at one time."""
    return {
        case: record._replace(received_ms=first_ms + number)
        if record.received_ms == START_MS + 1234
        else record
        for number, (case, record) in enumerate(records.items())
    }


def bar(**changes: Any) -> bytes:
    """Return a bar as the vendor sends it, with changes."""
    return json.dumps({k: v for k, v in {**BAR, **changes}.items() if v is not LEFT_OUT}).encode()


def beyond(name: str) -> bytes:
    """Return a bar with a number that no computer's floating point holds."""
    return bar(dv=LEFT_OUT, dav=LEFT_OUT, **{name: "beyond"}).replace(b'"beyond"', b"1e400")


def passing() -> dict[str, Raw]:
    """Return records that pass the rules, by what is special about them."""
    no = LEFT_OUT
    few: dict[str, Any] = dict.fromkeys(("dv", "av", "dav", "op", "vw", "a", "z", "otc", "e"), no)
    values = {
        "all fields": bar(),
        "few fields": bar(**few),
        "nulls for what may be left out": bar(**dict.fromkeys(few)),
        "volume without its exact form": bar(dv=no),
        "accumulated volume without its exact form": bar(dav=no),
        "no accumulated volume": bar(av=no, dav=no),
        "vwap of zero, so the close decides": bar(vw=0),
        "no end of a second": bar(e=no),
        "no end of a minute": bar(ev="AM", e=no),
        "pair for a symbol": bar(sym=no, pair="BTC-USD"),
        "an empty symbol beside a pair": bar(sym="", pair="EUR/USD"),
        "symbol that differs in case": bar(sym="zvzzt"),
        "symbol with quotes": bar(sym='A"\\/é\u2028'),
        "times with fractions": bar(s=START_MS + 0.75, e=START_MS + 1000.25),
        "time with an exponent": bar().replace(str(START_MS).encode(), b"1.7936298E12", 1),
        "time with milliseconds": bar(s=START_MS + 7, e=START_MS + 1007),
        "first millisecond": bar(s=946_684_800_000, e=946_684_800_000),
        "long numbers": bar(o=0.1 + 0.2, vw=501.1234567890123, z=1 / 3),
        "great and small numbers": bar(h=1.5e15, l=1e-9, v=123_456_789_012, dv=no),
        "negative prices beside": bar(o=-37.63, l=-40, op=-1, a=-2),
        "a minute long": bar(e=START_MS + 60_000),
        "an hour ahead": bar(s=START_MS + 3_600_000, e=START_MS + 3_600_000),
        "price at the minimum": bar(c=1.0, dv="1000000"),
        "notional at the minimum": bar(dv="20", vw=500),
        "spaces and line breaks": json.dumps(BAR, indent=2).encode(),
        **{f"event {kind}": bar(ev=kind) for kind in ("A", "AM", "XA", "XAS", "CA", "CAS")},
    }
    records = {name: Raw(name, value) for name, value in values.items()}
    records["healed"] = Raw("healed", bar(), HEALED)
    records["of the release before"] = Raw("of the release before", bar(), STOCKS_BEFORE)
    records["healed before"] = Raw("healed before", bar(), HEALED_BEFORE)
    records["received later"] = Raw("received later", bar(), STOCKS, START_MS + 86_400_007)
    return apart(records, START_MS + 1_234)


def dropped() -> dict[str, Raw]:
    """Return records that do not pass, by the reason: rules, other events, unreadable."""
    values = {
        "otc": bar(otc=True),
        "excluded": bar(sym="ZVZZT"),
        "below the least price": bar(c=0.9999, dv="1000000"),
        "below the least notional": bar(dv="19.9", vw=500),
        "below the least notional by the close": bar(dv="10", vw=0, c=999),
        "no volume": bar(v=LEFT_OUT, dv=LEFT_OUT),
        "a price band": b'{"ev":"LULD","T":"A","h":501,"l":100,"t":1793629800000}',
        "a status": b'{"ev":"status","message":"connected"}',
        "event in lower case": bar(ev="a"),
        "broken JSON": bar()[:-20],
        "no JSON": b"\xff\xfe{",
        "no UTF-8 in a symbol": bar(sym="S").replace(b'"S"', b'"S\xff"'),
        "nothing": b"",
        "no value": None,
        "an array": b"[" + bar() + b"]",
        "a number": b"7",
        "JSON with single quotes": bar().replace(b'"', b"'"),
        "NaN": bar(c=float("nan")),
        "no event type": bar(ev=LEFT_OUT),
        "no symbol": bar(sym=LEFT_OUT),
        "empty symbols": bar(sym="", pair=""),
        **{f"no {name}": bar(**{name: LEFT_OUT}) for name in "sohlc"},
        **{f"null for {name}": bar(**{name: None}) for name in "sohlc"},
        **{f"text for {name}": bar(**{name: "many"}) for name in "sohlc"},
        **{f"1e400 for {name}": beyond(name) for name in NUMBERS},
        **{
            f"'NaN' for {name}": bar(dv=LEFT_OUT, dav=LEFT_OUT, **{name: "NaN"}) for name in NUMBERS
        },
        "start in seconds": bar(s=START_MS // 1000),
        "start in nanoseconds": bar(s=START_MS * 1_000_000),
        "end in nanoseconds": bar(e=START_MS * 1_000_000),
        "start before all time": bar(s=-(10**300)),
        "end before start": bar(e=START_MS - 1),
        "longer than a minute": bar(e=START_MS + 60_001),
        "two hours ahead": bar(s=START_MS + 7_200_000, e=START_MS + 7_201_000),
        "long symbol": bar(sym="S" * 101),
        **{f"negative {name}": bar(**{name: -9}) for name in ("v", "av", "z")},
        **{f"1e18 for {name}": bar(**{name: 1e18}) for name in NUMBERS[2:]},
        **{f"-1e18 for {name}": bar(**{name: -1e18}) for name in ("o", "l", "vw", "op", "a")},
        "prices too great for their sum": bar(o=1e308, c=1e308),
        **{f"exact volume {text!r}": bar(dv=text) for text in ("", "NaN", "-1", "many", "1e18")},
        **{f"accumulated {text!r}": bar(dav=text) for text in ("", "NaN", "-1", "many", "1e18")},
    }
    records = {name: Raw(name, value) for name, value in values.items()}
    records["other market"] = Raw("other market", bar(ev="XA"), CRYPTO)
    records["no headers"] = Raw("no headers", bar(), [])
    records["no market"] = Raw("no market", bar(), [("origin", "stocks")])
    return apart(records, START_MS + 5_000)


def refused_in_python_only() -> dict[str, Raw]:
    """Return records with types and endings that the SQL does not look at, as it says."""
    values = {
        "price in quotes": bar(c="501.5"),
        "exact volume that is a number": bar(dv=4989.25),
        "symbol that is a number": bar(sym=7),
        "optional text": bar(vw="many"),
        "end of the window as text": bar(e="soon"),
        "more after the last brace": bar() + b" and more",
    }
    return apart({name: Raw(name, value) for name, value in values.items()}, START_MS + 9_000)


def at_random(count: int) -> Iterator[Raw]:
    """Return bars with some fields changed or left out, always the same ones."""
    dice = random.Random(20261102)  # noqa: S311
    amounts = [LEFT_OUT, None, 0, 0.5, 1, 3, 19.95, 20, 501.125, 1e4, 7_000_000, 123456.789]
    exact = [LEFT_OUT, None, "0", "0.000001", "19.95", "4989.25", "7000000", "1e3", "-3", "x"]
    choices: dict[str, list[Any]] = {
        "ev": ["A", "A", "AM", "XA", "XAS", "CA", "CAS", "T", "Q"],
        "sym": ["AAPL", "BRK.B", "KIMpL", "ZVZZT", "", LEFT_OUT],
        "pair": [LEFT_OUT, LEFT_OUT, "BTC-USD", ""],
        "otc": [LEFT_OUT, None, True, False],
        "dv": exact,
        "dav": exact,
        **dict.fromkeys(("o", "h", "l", "c", "v", "av", "vw", "op", "a", "z"), amounts),
    }
    for number in range(count):
        start = START_MS + 100_000_000 + 1000 * number
        fields: dict[str, Any] = {"s": start, "e": dice.choice([start + 1000, LEFT_OUT])}
        for name in dice.sample(sorted(choices), dice.randint(1, 5)):
            fields[name] = dice.choice(choices[name])
        sent = dice.choice([STOCKS, STOCKS, STOCKS, HEALED, CRYPTO, []])
        yield Raw(f"random {number}", bar(**fields), sent, start + dice.randint(0, 90_000))
