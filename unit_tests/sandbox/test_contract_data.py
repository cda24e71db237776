"""The contract's data: what is in it, and that it is what the program reads off the file."""

import json
import os
from pathlib import Path

import pytest
from polygon_sandbox.contract import contract, endpoint, fields
from polygon_sandbox.contract.extract import DATA, extract, files

SPEC = Path(
    os.environ.get(
        "POLYGON_OPENAPI_FILE",
        Path(__file__).parents[3] / "shared" / "spec" / "massive-rest.openapi.json",
    )
)


@pytest.mark.skipif(
    not SPEC.is_file(), reason="the vendor's file is not here: set POLYGON_OPENAPI_FILE to it"
)
def test_the_data_is_what_the_program_reads_off_the_vendors_file() -> None:
    written = files(extract(json.loads(SPEC.read_text())))
    assert written == {file.name: file.read_text() for file in DATA.glob("*.json")}


def test_every_path_of_the_vendor_is_there() -> None:
    shapes = [facts.shape for facts in contract().values()]
    assert {shape: shapes.count(shape) for shape in set(shapes)} == {
        "list": 104,
        "object": 27,
        "document": 14,
    }


def test_the_three_generations_of_lists_say_how_they_are_sorted_and_cut() -> None:
    old = endpoint("/v3/reference/tickers").paged
    assert old is not None
    assert (old.sorted_by, old.default, old.default_limit, old.max_limit) == (
        "column",
        (("ticker", "asc"),),
        100,
        1000,
    )
    assert len(old.columns) == 15
    new = endpoint("/stocks/v1/splits").paged
    assert new is not None
    # The file says 5001, its prose 5000.
    assert (new.sorted_by, new.default, new.default_limit, new.max_limit) == (
        "columns",
        (("execution_date", "desc"),),
        100,
        5000,
    )
    bars = endpoint("/v2/aggs/ticker/{stocksTicker}/range/{multiplier}/{timespan}/{from}/{to}")
    assert bars.paged is not None
    assert (bars.paged.sorted_by, bars.paged.default_limit, bars.paged.max_limit) == (
        "order",
        5000,
        50_000,
    )
    fixed = endpoint("/stocks/v1/exchanges").paged
    assert fixed is not None
    assert (fixed.sorted_by, fixed.default, fixed.max_limit) == ("fixed", (), 999)


def test_parameters_say_their_kind_choices_and_suffixes() -> None:
    parameters = endpoint("/stocks/v1/dividends").parameters
    assert set(parameters) == {"ticker", "ex_dividend_date", "frequency", "distribution_type"}
    assert parameters["ex_dividend_date"].kind == "date"
    assert parameters["ex_dividend_date"].operators == ("gt", "gte", "lt", "lte")
    assert parameters["ticker"].operators == ("any_of", "gt", "gte", "lt", "lte")
    assert parameters["frequency"].kind == "integer"
    assert parameters["distribution_type"].choices == (
        "recurring",
        "special",
        "supplemental",
        "irregular",
        "unknown",
    )
    seconds = endpoint("/benzinga/v1/ratings").parameters["last_updated"]
    assert (seconds.kind, seconds.unit) == ("instant", 1_000_000_000)


def test_fields_say_types_format_and_whether_they_are_there() -> None:
    splits = fields("/stocks/v1/splits")
    assert splits["adjustment_type"] == (frozenset({"string"}), "", True)
    assert splits["execution_date"] == (frozenset({"string"}), "date", False)
    assert splits["historical_adjustment_factor"] == (frozenset({"number"}), "double", False)
    # The vendor's own example has what its schema does not: nulls, and numbers as text.
    assert fields("/stocks/filings/vX/form-3")["exercise_price"].types == {"number", "null"}
    taxonomy = fields("/stocks/taxonomies/vX/risk-factors")["taxonomy"]
    assert taxonomy.types == {"number", "string"}
    assert fields("/v1/reference/ipos")["listing_date"].types == {"integer", "string"}
    assert "date" in fields("/v1/marketstatus/upcoming")


def test_what_was_observed_lies_over_the_file() -> None:
    assert endpoint("/v3/reference/splits").deprecated
    assert not endpoint("/stocks/v1/splits").deprecated
    assert "source_feed" in fields("/v3/reference/tickers")
    assert endpoint("/v2/reference/news").parameters["ticker"].field == "tickers"


def test_no_prose_is_kept() -> None:
    words = [word for file in DATA.glob("*.json") for word in json.loads(file.read_text()).values()]
    keys: set[str] = set()

    def collect(part: object) -> None:
        if isinstance(part, dict):
            for key, value in part.items():
                keys.add(key)
                collect(value)
        elif isinstance(part, list):
            for value in part:
                collect(value)
        else:
            assert len(str(part)) < 80, part

    for facts in words:
        row, envelope = facts.pop("row"), facts.pop("envelope", {})
        for section in (facts.pop("parameters"), row, envelope):
            for field in section.values():
                collect({k: v for k, v in field.items() if k not in ("fields", "items")})
        collect(facts)
    assert keys == {
        *("type", "format", "text", "enum", "default", "min", "max", "stated_max", "required"),
        "nullable",
        *("in", "operators", "shown", "unlisted", "shape", "rows_at"),
        *("csv", "deprecated", "product", "data"),
    }
