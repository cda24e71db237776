"""Keys: unique on the vendor's own examples, and on rows that collide in public reports.

Where no fields of a row are unique none are declared, and rows that are alike stay as many as there
are.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from polygon_sandbox import DatasetSize, Plan, Sandbox, World

from unit_tests.connector.cloud_syncing import MANIFESTS
from unit_tests.connector.syncing import KEYS, Row, Syncs

NOW, START = "2026-11-20T22:30:00Z", "2026-11-02"
FILES: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text()) for path in (MANIFESTS / "streams").glob("*.yaml")
}
SPEC = Path(os.environ.get("POLYGON_OPENAPI_FILE", "there is none"))

STATEMENT = {"cik": "0000320193", "filing_date": "2026-11-05", "period_end": "2026-09-26"}
STATEMENTS: list[Row] = [
    {**STATEMENT, "timeframe": "quarterly"},
    {**STATEMENT, "timeframe": "annual"},
    {**STATEMENT, "timeframe": "trailing_twelve_months"},
    {**STATEMENT, "timeframe": "annual", "filing_date": "2026-11-12"},  # restated
    {**STATEMENT, "timeframe": "quarterly", "cik": "0000789019"},
]
FUND = {"composite_ticker": "SPY", "effective_date": "2026-11-03", "processed_date": "2026-11-04"}
FUNDS: list[Row] = [
    FUND,
    {**FUND, "processed_date": "2026-11-06"},  # processed again
    {**FUND, "effective_date": "2026-10-01"},  # sent weeks late
    {**FUND, "composite_ticker": "QQQ"},
]
LINE = {"accession_number": "0000950123-26-011775", "filing_date": "2026-11-10"}
SESSION = {"product_code": "ES", "trading_venue": "XCME", "session_end_date": "2026-11-10"}

# Rows that differ in as little as such rows do.
COLLIDING: dict[str, list[Row]] = {
    **dict.fromkeys(("balance_sheets", "income_statements", "cash_flow_statements"), STATEMENTS),
    **dict.fromkeys(
        (f"etf_global_{what}" for what in ("analytics", "fund_flows", "profiles", "taxonomies")),
        FUNDS,
    ),
    "etf_global_constituents": [{**row, "constituent_rank": n} for row in FUNDS for n in (1, 2)],
    # A form 4 is listed under its issuer and under its owner.
    "filings": [{**LINE, "cik": cik, "form_type": "4"} for cik in ("0000320193", "0001214156")],
    "current_report_texts": [{**LINE, "cik": cik} for cik in ("0000004962", "0000004977")],
    "annual_report_sections": [
        {"filing_url": url, "section": section, "filing_date": "2026-11-10", "cik": "0000320193"}
        for url in ("https://www.sec.gov/a.txt", "https://www.sec.gov/b.txt")
        for section in ("business", "risk_factors")
    ],
    # One security on several lines of a report, two of them alike; two equal parts of an order.
    "holdings_13f": [{**LINE, "cusip": "023135106", "market_value": n} for n in (1, 2, 2)],
    "insider_ownership": [{**LINE, "security_title": "Common Stock"}] * 2,
    "insider_transactions": [{**LINE, "transaction_shares": 100}] * 2,
    "risk_factors": [
        {"cik": "0000320193", "filing_date": "2026-11-10", "tertiary_category": "credit"}
    ]
    * 2,
    "conditions": [
        {"asset_class": "stocks", "id": 1, "type": kind, "name": name}
        for kind, name in (
            ("sale_condition", "Acquisition"),
            ("quote_condition", "Regular"),
            ("quote_condition", "Slow"),
        )
    ],
    "futures_contracts": [
        {"ticker": "ESZ6", "date": date, "first_trade_date": "2025-12-01"}
        for date in ("2026-11-09", "2026-11-10")
    ],
    "futures_products": [
        {"product_code": "ES", "trading_venue": venue, "date": date}
        for venue in ("XCME", "XCBT")
        for date in ("2026-11-09", "2026-11-10")
    ],
    "futures_schedules": [
        {**SESSION, "event": event, "timestamp": f"2026-11-10T{time}:00Z"}
        for event, time in (("open", "14:30"), ("open", "18:00"), ("pause", "18:00"))
    ],
    # A symbol that is used again, and an offering that nobody has a symbol for yet.
    "ipos": [
        {"ticker": "RAPP", "issuer_name": name, "listing_date": "2026-11-10"}
        for name in ("One", "Other")
    ],
    "consumer_spending_eu_merchant_hierarchy": [
        {"lookup_name": "asda", "active_from": date, "listing_status": "public"}
        for date in ("0001-01-01", "2024-06-01")
    ],
    "short_volume": [{"ticker": "A", "date": f"2026-11-{day}"} for day in (10, 11)],
    "benzinga_ratings": [
        {"benzinga_id": name, "ticker": "A", "last_updated": "2026-11-10T10:00:00Z"}
        for name in ("one", "other")
    ],
}


@pytest.fixture
def sandbox(clock: Callable[[str], None]) -> Iterator[Sandbox]:
    clock(NOW)
    size = DatasetSize(days=1, rows_a_day=1)
    world = World(
        seed=7, stocks=3, delisted=0, otc=0, crypto=0, fx=0, indices=0, now=NOW, datasets=size
    )
    for stream, rows in COLLIDING.items():
        for row in rows:
            world.dataset(FILES[stream]["path"]).insert(**row)
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


def test_rows_that_collide_stay_as_many_as_they_are(sandbox: Sandbox) -> None:
    syncs = Syncs(sandbox)
    assert syncs.read(*COLLIDING, start_date=START).errors == []
    for stream, rows in COLLIDING.items():
        table = list(syncs.tables[stream].values())
        for row in rows:
            found = [each for each in table if row.items() <= each.items()]
            assert len(found) == rows.count(row), (stream, row)


@pytest.mark.parametrize("stream", KEYS)
def test_a_key_is_of_plain_fields_that_are_never_null(stream: str) -> None:
    properties = FILES[stream]["schema"]["properties"]
    for field in KEYS[stream]:
        kinds = properties[field]["type"]
        plain = {"string", "integer", "number", "boolean"}
        assert ({kinds} if isinstance(kinds, str) else set(kinds)) <= plain, field
    assert KEYS[stream] or "none." in FILES[stream]["why_key"]


@pytest.mark.skipif(
    not SPEC.is_file(), reason="the vendor's file is not here: set POLYGON_OPENAPI_FILE to it"
)
def test_keys_hold_on_the_vendors_examples() -> None:
    paths = json.loads(SPEC.read_text())["paths"]
    seen = 0
    for stream, facts in FILES.items():
        if facts["path"] not in paths:
            continue
        answer = paths[facts["path"]]["get"]["responses"]["200"]["content"]["application/json"]
        example = answer.get("example", {})
        rows = example.get("results", []) if isinstance(example, dict) else example
        own = {"snapshot_date", "listing_end"}  # what the connector adds
        names = [field for field in KEYS[stream] if field not in own]
        if stream == "tickers" or not names or not isinstance(rows, list):
            continue
        keys = [tuple(row[field] for field in names) for row in rows]
        assert len(set(keys)) == len(keys), stream
        assert all(value is not None for key in keys for value in key), stream
        seen += bool(rows)
    assert seen > 30
