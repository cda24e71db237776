"""Every stream's schema against the facts of the vendor's specification: names, types, nulls.

The rules: a stream has the vendor's fields and no others, each with the vendor's type; what the
vendor may leave out may be null, and nothing else; a part of the primary key is never null; a
date stays a date. What departs from them on purpose is listed here with its reason; an exception
that is no longer needed fails like one that is missing.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from polygon_sandbox.contract import contract, fields

STREAMS = Path(__file__).parents[1] / "manifests" / "streams"

# A stream that reads several paths, or whose path is made while it is read.
RANGE = "range/{multiplier}/{timespan}/{from}/{to}"
PATHS = {
    "bars": tuple(
        f"/v2/aggs/ticker/{{{market}Ticker}}/{RANGE}"
        for market in ("stocks", "options", "indices", "crypto", "forex")
    ),
    "grouped_daily": (
        "/v2/aggs/grouped/locale/us/market/stocks/{date}",
        "/v2/aggs/grouped/locale/global/market/crypto/{date}",
        "/v2/aggs/grouped/locale/global/market/fx/{date}",
    ),
}

# The vendor's letters, by the words of its own clients.
LETTERS = {
    "T": "ticker",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
    "vw": "vwap",
    "n": "transactions",
    "t": "timestamp",
}
RENAMED = {"grouped_daily": LETTERS, "bars": LETTERS}

ADDED = {
    ("grouped_daily", "market"): "a row does not say which list it comes from",
    ("grouped_daily", "date"): "the session that was asked for; `timestamp` is its end",
    ("grouped_daily", "adjusted"): "stands beside the rows in the answer; part of the key",
    ("grouped_daily", "last_updated_utc"): "`timestamp` as text, a cursor for every warehouse",
    ("bars", "ticker"): "the symbol that was asked for; stands beside the rows in the answer",
    ("bars", "bar_size"): "the size that was asked for; part of the key",
    ("bars", "window_start"): "`timestamp` as text, a cursor for every warehouse; part of the key",
    ("futures_bars", "bar_size"): "the size that was asked for; part of the key",
    ("futures_bars", "window_start_utc"): "`window_start` as text, a cursor for every warehouse",
    ("float", "snapshot_date"): "the day of the reading; the vendor keeps no history",
    ("ratios", "snapshot_date"): "the day of the reading; the vendor keeps no history",
    ("tickers", "listing_end"): "tells companies apart that had the same symbol",
    ("option_chain", "snapshot_date"): "the day of the reading, of which the vendor keeps none",
    ("option_chain", "ticker"): "the one inside `details`, for the key",
    ("related_tickers", "related_ticker"): "the vendor's `ticker`; ours is the one asked about",
    ("ticker_events", "ticker"): "the symbol asked about: a row is an event inside the answer",
    ("ticker_events", "date"): "of the event",
    ("ticker_events", "type"): "of the event",
    ("ticker_events", "ticker_change"): "of the event",
    ("ticker_events", "new_ticker"): "the one inside `ticker_change`, for the key",
}

EXCEPTIONS = {
    ("grouped_daily", "otc"): "left out by the vendor when false, and then written as false",
    ("bars", "otc"): "left out by the vendor when false, and then written as false",
    ("tickers", "active"): "always there: each list is asked for one value of it",
    ("ticker_events", "events"): "a row is an event",
    ("ticker_events", "name"): "of the company, which ticker_details has too",
}

# Promised by the specification, and allowed to be missing here: no key depends on them, and a row
# that breaks the promise is better loaded than refused. Fewer of these is always welcome.
TOLERATED = {
    ("tickers", "name"),
    ("tickers", "locale"),
    ("exchanges", "name"),
    ("exchanges", "type"),
    ("ticker_types", "description"),
}


def differences(stream: str, schema: Mapping[str, Any], key: Iterable[str]) -> dict[str, str]:
    """Return where a schema departs from the contract, by field."""
    paths = PATHS.get(stream) or (schema["path"],)
    renamed = RENAMED.get(stream, {})
    missing = [path for path in paths if path not in contract()]
    if missing:
        return {"path": f"the vendor has no {missing[0]}"}
    stated: dict[str, list[Any]] = {}
    for path in paths:
        for name, expected in fields(path).items():
            stated.setdefault(renamed.get(name, name), []).append(expected)
    found: dict[str, str] = {}
    properties = schema["schema"]["properties"]
    for name in stated.keys() - properties.keys():
        found[name] = "is not in the schema"
    for name, field in properties.items():
        if (stream, name) in ADDED:
            continue
        if name not in stated:
            found[name] = "is not a field of the vendor's"
            continue
        types = {field["type"]} if isinstance(field["type"], str) else set(field["type"])
        wanted = set().union(*(expected.types for expected in stated[name])) - {"null"}
        optional = any(not e.required or "null" in e.types for e in stated[name])
        optional = (optional or len(stated[name]) < len(paths)) and name not in key
        formats = {expected.format for expected in stated[name]} & {"date", "date-time"}
        if types - {"null"} != wanted:
            found[name] = f"is {sorted(types)}, the vendor says {sorted(wanted)}"
        elif ("null" in types) != optional and not (
            "null" in types and (stream, name) in TOLERATED and name not in key
        ):
            found[name] = "may be null" if "null" in types else "may not be null"
        elif formats and field.get("format") not in formats:
            found[name] = f"lost its format, {formats}"
    return found


def load(stream: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((STREAMS / f"{stream}.yaml").read_text())
    return loaded


@pytest.mark.parametrize(
    "stream", sorted(file.stem for file in STREAMS.glob("*.yaml") if load(file.stem)["path"])
)
def test_a_streams_schema_is_the_vendors(stream: str) -> None:
    about = load(stream)
    found = differences(stream, about, about["primary_key"])
    allowed = {field for name, field in EXCEPTIONS if name == stream}
    assert {name: found[name] for name in found if name not in allowed} == {}
    assert allowed <= found.keys(), "an exception that is no longer one"
    added = {field for name, field in ADDED if name == stream}
    assert added <= set(about["schema"]["properties"])
    theirs = set().union(*(fields(path) for path in PATHS.get(stream) or (about["path"],)))
    assert added & theirs == set()


def test_exceptions_are_about_streams_that_exist() -> None:
    streams = {file.stem for file in STREAMS.glob("*.yaml")}
    named = {*PATHS, *RENAMED, *(stream for stream, _ in (*ADDED, *EXCEPTIONS))}
    assert named <= streams


@pytest.mark.parametrize(
    ("field", "change", "said"),
    [
        ("split_from", None, "is not in the schema"),
        ("splitfrom", {"type": "number"}, "is not a field of the vendor's"),
        ("split_to", {"type": ["null", "integer"]}, "the vendor says"),
        ("ticker", "other", "null"),
        ("id", {"type": ["null", "string"]}, "may be null"),
    ],
)
def test_a_departure_is_seen(field: str, change: Any, said: str) -> None:
    about = load("splits")
    properties = about["schema"]["properties"]
    if change is None:
        del properties[field]
    elif change == "other":
        nullable = properties[field]["type"] == ["null", "string"]
        properties[field] = {"type": "string" if nullable else ["null", "string"]}
    else:
        properties[field] = change
    assert said in differences("splits", about, about["primary_key"])[field]


def test_a_lost_format_is_seen() -> None:
    about = load("tickers")
    about["schema"]["properties"]["delisted_utc"] = {"type": ["null", "string"]}
    found = differences("tickers", about, about["primary_key"])
    assert "lost its format" in found["delisted_utc"]


def test_every_path_of_the_vendor_is_read_or_left_out_with_a_reason() -> None:
    left_out = yaml.safe_load((STREAMS.parent / "left_out.yaml").read_text())
    assert all(len(group["why"]) > 15 for group in left_out)
    named = [path for group in left_out for path in group["paths"]]
    # {…} stands for the symbol, which the vendor names after its market.
    patterns = {
        path: re.compile(re.escape(path).replace(re.escape("{…}"), r"\{\w+\}")) for path in named
    }
    reasons = {
        path: [name for name, pattern in patterns.items() if pattern.fullmatch(path)]
        for path in contract()
    }
    read = {path for file in STREAMS.glob("*.yaml") if (path := load(file.stem)["path"])}
    read |= {path for paths in PATHS.values() for path in paths}
    assert [path for path in contract() if path not in read and not reasons[path]] == []
    assert [path for path in read if reasons.get(path)] == []
    assert [path for path, found in reasons.items() if len(found) > 1] == []
    assert set(named) == {name for found in reasons.values() for name in found}
    assert len(contract()) == 145


def test_pages_are_as_large_as_the_vendor_allows() -> None:
    streams = {file.stem: load(file.stem) for file in STREAMS.glob("*.yaml")}
    sizes = {name: each["page_size"] for name, each in streams.items() if "page_size" in each}
    facts = {name: contract()[streams[name]["path"]].paged for name in sizes}
    assert len(sizes) > 40
    assert sizes == {name: paged.max_limit for name, paged in facts.items() if paged}
