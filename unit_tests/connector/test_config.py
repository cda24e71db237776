from collections.abc import Callable
from typing import Any

import pytest
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from source_polygon.config import problems, unknown_fields, with_defaults
from source_polygon.source import MANIFEST

SPEC: dict[str, Any] = safe_load_yaml(MANIFEST.read_text())["spec"]["connection_specification"]
GOOD = {"api_key": "abcdef123456", "start_date": "2026-11-02"}


def test_what_is_missing_takes_the_default_of_the_spec() -> None:
    assert with_defaults({**GOOD, "end_date": "", "adjusted": None}, SPEC) == {
        **GOOD,
        "markets": ["stocks"],
        "symbols": [],
        "futures_symbols": [],
        "bar_sizes": ["1 day"],
        "adjusted": False,
        "include_otc": False,
        "include_delisted": True,
        "requests_per_minute": 5,
        "lookback_sessions": 5,
        "num_workers": 2,
        "base_url": "https://api.massive.com",
    }


def test_slips_of_copying_are_put_right() -> None:
    tidied = with_defaults(
        {
            "api_key": " abcdef123456\n",
            "base_url": "https://host\n",
            "num_workers": 2.0,
            "lookback_sessions": 5.0,
            "symbols": [" AAPL", "I:SPX\n"],
            "requests_per_minute_by_product": {"stocks": 600.0, "options": None, "fx": ""},
        },
        SPEC,
    )
    assert (tidied["api_key"], tidied["base_url"]) == ("abcdef123456", "https://host")
    assert tidied["requests_per_minute_by_product"] == {"stocks": 600}
    assert tidied["symbols"] == ["AAPL", "I:SPX"]
    assert repr((tidied["num_workers"], tidied["lookback_sessions"])) == "(2, 5)"


@pytest.mark.parametrize("key", ["kéy-0123456789", "two words", "tab\tkey"])
def test_a_key_that_cannot_be_sent_is_named_without_repeating_it(key: str) -> None:
    (sentence,) = problems(with_defaults({**GOOD, "api_key": key}, SPEC), SPEC)
    assert sentence.startswith("api_key: the value is not of the right form.")
    assert key not in sentence


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"symbols": ["AAPL", "BRK.B", "KIMpL", "O:SPY251219C00650000", "I:SPX", "X:BTCUSD"]},
        {"symbols": ["C:EURUSD", "ESZ6", "X:*USD", "*"], "bar_sizes": ["1 second", "15 minute"]},
        {"bar_sizes": ["1 hour", "1 day", "1 week", "3 month", "1 quarter", "1 year"]},
    ],
)
def test_a_good_configuration_has_no_problem(
    clock: Callable[[str], None], more: dict[str, Any]
) -> None:
    assert problems(with_defaults({**GOOD, **more}, SPEC), SPEC) == []


def test_every_configuration_of_the_first_form_is_still_valid(
    clock: Callable[[str], None],
) -> None:
    first_form = {
        "api_key": "abcdef123456",
        "start_date": "2025-01-02",
        "end_date": "2025-12-31",
        "markets": ["stocks", "otc", "crypto", "fx", "indices"],
        "adjusted": False,
        "include_otc": True,
        "include_delisted": True,
        "requests_per_minute": 600,
        "lookback_sessions": 5,
        "num_workers": 4,
        "base_url": "https://api.polygon.io",
    }
    assert problems(with_defaults(first_form, SPEC), SPEC) == []
    for field in first_form.keys() - {"api_key", "start_date"}:
        without = {name: value for name, value in first_form.items() if name != field}
        assert problems(with_defaults(without, SPEC), SPEC) == []
    assert first_form.keys() <= SPEC["properties"].keys()
    assert unknown_fields(first_form, SPEC) == []


def test_the_form_is_grouped_and_ordered() -> None:
    groups = [group["id"] for group in SPEC["groups"]]
    fields = sorted(SPEC["properties"], key=lambda field: SPEC["properties"][field]["order"])
    of_groups = [SPEC["properties"][field]["group"] for field in fields]
    assert groups == ["main", "symbols", "rate", "advanced", "flat_files"]
    assert of_groups == sorted(of_groups, key=groups.index)
    assert list(SPEC["properties"]) == fields


DATE = "YYYY-MM-DD, for example 2025-01-02."
MARKETS = "a list of stocks, otc, crypto, fx, indices, for example ['stocks', 'crypto']."
SYMBOLS = (
    "a list, each one symbol, without white space, comma, slash, ? and #, for example ['AAPL', "
)
SIZES = (
    "a list, each a whole number and second, minute, hour, day, week, month, quarter or year, "
    "for example ['1 day', '5 minute']."
)
ADDRESS = "https://host, for example https://api.massive.com."


@pytest.mark.parametrize(
    ("field", "value", "fault", "fix"),
    [
        ("start_date", "02.11.2026", "is not of the right form", DATE),
        ("markets", [], "is empty", MARKETS),
        ("markets", "stocks", "is not of type array", MARKETS),
        ("symbols", "AAPL", "is not of type array", SYMBOLS),
        ("symbols", ["AAPL", "AAPL"], "names something twice", SYMBOLS),
        ("bar_sizes", [], "is empty", SIZES),
        ("bar_sizes", "1 day", "is not of type array", SIZES),
        ("adjusted", "yes", "is not of type boolean", "true or false."),
        ("requests_per_minute", 0, "is less than 1", "a whole number from 1 to 6000"),
        ("lookback_sessions", -1, "is less than 0", "a whole number from 0 to 250"),
        (
            "requests_per_minute_by_product",
            5,
            "is not of type object",
            "a number each for some of stocks, options, indices, crypto, fx, futures.",
        ),
        ("num_workers", 99, "is more than 20", "a whole number from 1 to 20"),
        ("num_workers", 2.5, "is not of type integer", "a whole number from 1 to 20"),
        ("base_url", "api.massive.com", "is not of the right form", ADDRESS),
        ("base_url", "https://user:pass@host", "is not of the right form", ADDRESS),
    ],
)
def test_a_wrong_value_is_named_with_its_field_and_the_fix(
    clock: Callable[[str], None], field: str, value: Any, fault: str, fix: str
) -> None:
    (sentence,) = problems(with_defaults({**GOOD, field: value}, SPEC), SPEC)
    assert sentence.startswith(f"{field}: {value!r} {fault}. Give {fix}")


@pytest.mark.parametrize(
    ("field", "item", "fault", "fix"),
    [
        ("markets", "nyse", "is not one of the choices", MARKETS),
        ("symbols", "AAPL,MSFT", "is not of the right form", SYMBOLS),
        ("symbols", "AAPL MSFT", "is not of the right form", SYMBOLS),
        ("symbols", "", "is not of the right form", SYMBOLS),
        ("symbols", "../v1", "is not of the right form", SYMBOLS),
        ("symbols", 600519, "is not of type string", SYMBOLS),
        ("bar_sizes", "5 minutes", "is not of the right form", SIZES),
        ("bar_sizes", "day", "is not of the right form", SIZES),
        ("bar_sizes", "0 day", "is not of the right form", SIZES),
        ("bar_sizes", "1.5 hour", "is not of the right form", SIZES),
    ],
)
def test_a_wrong_item_is_named_with_its_field_and_the_fix(
    clock: Callable[[str], None], field: str, item: Any, fault: str, fix: str
) -> None:
    (sentence,) = problems(with_defaults({**GOOD, field: [item]}, SPEC), SPEC)
    assert sentence.startswith(f"{field}: {item!r} {fault}. Give {fix}")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"start_date": "2026-02-30"}, "start_date: '2026-02-30' is not a day of the calendar."),
        ({"start_date": "0001-01-01"}, "start_date: 0001-01-01 is before all data. Give 1970-"),
        ({"base_url": "https://host:99999"}, "base_url: 'https://host:99999' is not an address ("),
        ({"base_url": "https://host:abc"}, "base_url: 'https://host:abc' is not an address ("),
        ({"base_url": "http://[::1"}, "base_url: 'http://[::1' is not an address ("),
        ({"base_url": "https://:80"}, "base_url: 'https://:80' names no host."),
        (
            {"base_url": "https://host:0"},
            "base_url: 'https://host:0' names port 0, which no server",
        ),
        ({"start_date": "2027-01-01"}, "start_date: 2027-01-01 lies in the future."),
        ({"end_date": "2026-11-01"}, "end_date: 2026-11-01 is before start_date 2026-11-02."),
        ({"bar_sizes": ["1441 minute"]}, "bar_sizes: 1441 minute is longer than a day. Give it in"),
        ({"markets": ["forex"]}, "markets: 'forex' is not one of the choices."),
        (
            {"requests_per_minute_by_product": {"options": 0}},
            "requests_per_minute_by_product.options: 0 is less than 1. Give a whole number from 1 "
            "to 6000, for example 5.",
        ),
    ],
)
def test_dates_and_markets_that_do_not_exist_are_named(
    clock: Callable[[str], None], config: dict[str, Any], sentence: str
) -> None:
    (found,) = problems(with_defaults({**GOOD, **config}, SPEC), SPEC)
    assert found.startswith(sentence)


def test_a_key_is_never_repeated() -> None:
    (sentence,) = problems(with_defaults({**GOOD, "api_key": "my secret"}, SPEC), SPEC)
    assert sentence == (
        "api_key: the value is not of the right form. "
        "Give the key alone, in plain letters and digits without white space."
    )


def test_all_problems_come_at_once() -> None:
    found = problems(with_defaults({"num_workers": "many", "markets": ["nyse"]}, SPEC), SPEC)
    assert [sentence.split()[0].rstrip(":") for sentence in found] == [
        "api_key", "start_date", "markets", "num_workers",
    ]  # fmt: skip


def test_wrong_dates_and_addresses_come_with_wrong_values() -> None:
    config = {
        "api_key": "my secret",
        "start_date": "2026-02-30",
        "end_date": "2025-13-01",
        "markets": ["nyse"],
        "adjusted": "yes",
        "requests_per_minute": 0,
        "lookback_sessions": -1,
        "num_workers": 99,
        "base_url": "https://host:99999",
    }
    found = problems(with_defaults(config, SPEC), SPEC)
    assert sorted(sentence.split(":")[0] for sentence in found) == sorted(config)


def test_a_wrong_value_is_named_once() -> None:
    found = problems(with_defaults({**GOOD, "end_date": "soon", "base_url": 5}, SPEC), SPEC)
    assert [sentence.split(":")[0] for sentence in found] == ["base_url", "end_date"]


def test_a_typing_error_in_a_field_name_is_pointed_out() -> None:
    assert unknown_fields({**GOOD, "lookback_session": 9, "__injected": 1}, SPEC) == [
        "lookback_session is not a field of this connector and has no effect. "
        "Did you mean lookback_sessions?"
    ]
    assert unknown_fields({"requests_per_minute_by_product": {"option": 5}}, SPEC) == [
        "requests_per_minute_by_product.option is not a field of this connector and has no effect. "
        "Did you mean options?"
    ]


def test_a_day_may_be_the_first_and_the_last_and_a_port_may_be_one() -> None:
    spec: dict[str, Any] = {"properties": {}}
    day = {"start_date": "2026-11-20", "end_date": "2026-11-20"}
    assert problems({**day, "base_url": "https://127.0.0.1:1"}, spec) == []


@pytest.mark.parametrize("day", ["1970-01-01", "2026-11-20"])
def test_the_first_day_of_all_and_today_are_days_to_start_with(
    clock: Callable[[str], None], day: str
) -> None:
    clock("2026-11-20T12:00:00-05:00")
    assert problems({"start_date": day}, {"properties": {}}) == []
    (before,) = problems({"start_date": "1969-12-31"}, {"properties": {}})
    assert before.startswith("start_date: 1969-12-31 is before all data. Give 1970-01-01 or later.")
    (after,) = problems({"start_date": "2026-11-21"}, {"properties": {}})
    assert after.startswith("start_date: 2026-11-21 lies in the future.")


def test_a_group_takes_its_defaults_once_one_of_its_fields_is_filled_in() -> None:
    inner = SPEC["properties"]["flat_files"]["properties"]
    defaults = {field: schema["default"] for field, schema in inner.items() if "default" in schema}
    assert defaults["bucket"] == "flatfiles"
    filled = with_defaults({**GOOD, "flat_files": {"access_key_id": "a"}}, SPEC)
    assert filled["flat_files"] == {**defaults, "access_key_id": "a"}
    assert "flat_files" not in with_defaults({**GOOD, "flat_files": {}}, SPEC)
    assert with_defaults({**GOOD, "flat_files": "a"}, SPEC)["flat_files"] == "a"


def test_a_value_of_the_wrong_type_is_not_an_unknown_field() -> None:
    assert unknown_fields({"requests_per_minute_by_product": 5, "symbols": {"a": 1}}, SPEC) == []
