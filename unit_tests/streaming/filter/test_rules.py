from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from polygon_streaming.errors import ConfigError
from polygon_streaming.filter.records import Record
from polygon_streaming.filter.rules import Judge, RulesFile, parse
from polygon_streaming.process import metrics
from pydantic import ValidationError

NIGHT = "2026-11-23 02:30:00.000"


def _bar(**changes: Any) -> Record:
    fields: dict[str, Any] = {
        "event_type": "A", "market": "stocks", "symbol": "AAPL",
        # New York opens.
        "window_start": "2026-11-23 14:30:00.000", "window_end": "2026-11-23 14:30:01.000",
        "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "vwap": 10.0, "volume": 100.0,
        "accumulated_volume": None, "official_open": None, "day_vwap": None,
        "average_trade_size": None, "otc": False, "received_at": "", "healed": False,
    }  # fmt: skip
    return Record(**{**fields, **changes})


@pytest.mark.parametrize(
    ("rules", "change", "passes"),
    [
        ("{}", {}, True),
        ("include: [AAPL, 'B*']", {}, True),
        ("include: [AAPL, 'B*']", {"symbol": "BRK.B"}, True),
        ("include: [AAPL]", {"symbol": "aapl"}, False),
        ("include: [AAPL]", {"symbol": "AAPLW"}, False),
        ("exclude: ['*.WS']", {"symbol": "AAB.WS"}, False),
        ("exclude: ['*.WS']", {"symbol": "AABxWS"}, True),
        ("include: []", {}, False),
        ("markets: [crypto]", {}, False),
        ("channels: [AM]", {}, False),
        ("channels: [A]", {}, True),
        ("drop_otc: true", {"otc": True}, False),
        ("min_price: 10.5", {}, True),
        ("min_price: 10.51", {}, False),
        ("max_price: 10", {}, False),
        ("max_price: 10.5", {}, True),
        ("min_price: 0", {"close": 0.0}, True),
        ("min_price: 0", {"close": -0.01}, False),
        ("max_price: 0", {"close": 0.01}, False),
        ("max_price: 20", {"close": -37.63}, True),
        ("min_price: 10.5\nmax_price: 10.5", {}, True),
        ("markets: [stocks, crypto]", {}, True),
        ("markets: []", {}, False),
        ("channels: []", {}, False),
        ("drop_otc: true", {}, True),
        ("drop_otc: false", {"otc": True}, True),
        ("min_volume: 0", {"volume": 0.0}, True),
        ("min_volume: 0.5", {"volume": 0.25}, False),
        ("min_volume: 0.5", {"volume": 0.5}, True),
        ("min_notional: 0", {"close": -1.0, "vwap": None}, True),
        ("min_notional: 0.5", {"volume": 0.25, "vwap": 1.0}, False),
        ("sample: 1", {}, True),
        ("min_volume: 100", {}, True),
        ("min_volume: 101", {}, False),
        ("min_notional: 1000", {}, True),
        ("min_notional: 1001", {}, False),
        ("min_notional: 1001", {"vwap": None}, True),
    ],
)
def test_rules(rules: str, change: dict[str, Any], passes: bool) -> None:
    assert Judge(parse(rules)).passes(_bar(**change)) is passes


def test_each_rule_is_off_until_it_is_named() -> None:
    judge = Judge(parse("{}"))
    assert judge.passes(_bar(otc=True, close=-5.0, volume=0.0, window_start=NIGHT))
    assert judge.fields is None
    rules = parse("{}")
    assert (rules.sample, rules.drop_otc, rules.regular_hours_only) == (1.0, False, False)
    assert rules.trades.model_dump() == rules.quotes.model_dump() == {
        "markets": None, "include": ("*",), "exclude": (), "conditions": None,
        "exclude_conditions": None, "regular_hours_only": False, "min_price": None,
        "max_price": None, "min_size": None, "min_notional": None, "sample": 1.0,
    }  # fmt: skip
    with pytest.raises(ValidationError, match="frozen"):
        rules.sample = 0.5
    with pytest.raises(ValidationError, match="frozen"):
        rules.trades.sample = 0.5


def test_fields_come_after_the_key() -> None:
    judge = Judge(parse("fields: [close, open]"))
    assert judge.fields == ("event_type", "market", "symbol", "window_start", "close", "open")


@pytest.mark.parametrize("rule", ["min_price", "max_price", "min_volume", "min_notional"])
def test_a_limit_begins_at_nought(rule: str) -> None:
    assert getattr(parse(f"{rule}: 0"), rule) == 0
    with pytest.raises(ConfigError, match=f"{rule}: Input should be greater than or equal to 0"):
        parse(f"{rule}: -0.01")


def test_a_share_is_above_nought_and_one_at_most() -> None:
    assert parse("sample: 0.001").sample == 0.001
    with pytest.raises(ConfigError, match="sample: Input should be less than or equal to 1"):
        parse("sample: 1.001")


def test_a_file_is_looked_at_when_the_interval_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [100.0]
    clock = SimpleNamespace(monotonic=lambda: moment[0])
    monkeypatch.setattr("polygon_streaming.filter.rules.time", clock)
    path = tmp_path / "rules.yaml"
    path.write_text("include: [AAPL]")
    rules = RulesFile(path, interval_seconds=5)
    path.write_text("exclude: [AAPL]")
    for moment[0], passes in ((104.99, True), (105.0, False)):
        rules.refresh()
        assert rules.judge.passes(_bar()) is passes
    path.write_text("include: [AAPL]")
    for moment[0], passes in ((109.99, False), (110.0, True)):
        rules.refresh()
        assert rules.judge.passes(_bar()) is passes


def test_the_metric_says_whether_the_file_is_good(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("{}")
    rules = RulesFile(path, interval_seconds=0)
    assert metrics.FILTER.get_sample_value("polygon_rules_reload_successful") == 1
    path.write_text("include: 7")
    rules.refresh()
    assert metrics.FILTER.get_sample_value("polygon_rules_reload_successful") == 0
    path.write_text("{}")
    rules.refresh()
    assert metrics.FILTER.get_sample_value("polygon_rules_reload_successful") == 1


def test_regular_hours_are_those_of_the_exchange() -> None:
    judge = Judge(parse("regular_hours_only: true"))
    assert judge.passes(_bar())
    assert not judge.passes(_bar(window_start="2026-11-23 14:29:59.999"))
    assert judge.passes(_bar(window_start="2026-11-23 20:59:59.999"))
    assert not judge.passes(_bar(window_start="2026-11-23 21:00:00.000"))
    assert judge.passes(_bar(market="crypto", window_start=NIGHT))


def test_a_sample_is_always_of_the_same_symbols() -> None:
    judge = Judge(parse("sample: 0.25"))
    symbols = [f"S{n}" for n in range(2000)]
    first = [s for s in symbols if judge.passes(_bar(symbol=s))]
    assert 400 < len(first) < 600
    assert first == [s for s in symbols if judge.passes(_bar(symbol=s))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("include: AAPL", "include: "),
        ("min_prise: 1", r"min_prise is not a rule. Did you mean 'min_price'\?"),
        ("min_price: yes", "min_price: it is not a number"),
        ("sample: on", "sample: it is not a number"),
        ("include: [A]\ninclude: [B]", "line 2: 'include' is there twice"),
        ("include: ON", r"include: give a list, such as \[ON\]"),
        ("include: [[A]]", "include.0: give a text"),
        ("channels: [T]", "channels: 'T' is unknown; give some of A, AM"),
        ("sample: 0", "sample: Input should be greater than 0"),
        ("min_price: 2\nmax_price: 1", "min_price is above max_price"),
        ("fields: [opening]", "fields: 'opening' is unknown"),
        ("fields: [symbol]", "fields: 'symbol' is unknown; give some of window_end, open"),
        ("markets: [zzz, bonds]", "markets: 'bonds' is unknown"),
        ("markets: [shares]", "markets: 'shares' is unknown; give some of stocks"),
        ("trades: 3", "trades: give rules of its own, or {} to let all pass"),
        ("trades: {min_prise: 1}", r"trades.min_prise is not a rule. Did you mean 'min_price'"),
        ("trades: {conditions: [-1]}", "should be greater than or equal to 0"),
        ("quotes: {min_price: 2, max_price: 1}", "quotes: min_price is above max_price"),
        ("trades: {markets: [shares]}", "trades.markets: 'shares' is unknown"),
        ("- a list", "rules: "),
        ("{", "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_rule(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(text)


def test_a_changed_file_is_taken_over_and_a_bad_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("include: [AAPL]")
    rules = RulesFile(path, interval_seconds=0)
    assert rules.judge.passes(_bar())
    path.write_text("exclude: [AAPL]")
    rules.refresh()
    assert not rules.judge.passes(_bar())
    path.write_text("include: 7")
    rules.refresh()
    assert not rules.judge.passes(_bar())
    path.unlink()
    rules.refresh()
    assert not rules.judge.passes(_bar())


def test_a_missing_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        RulesFile(tmp_path / "none.yaml", 1)


@pytest.mark.parametrize("text", ["include: [", "include: [2026-13-01]"])
def test_what_is_no_yaml_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigError, match="The rules are not YAML"):
        parse(text)


@pytest.mark.parametrize(
    ("word", "read_as"),
    [
        ("ON", "true or false"), ("NO", "true or false"), ("TRUE", "true or false"),
        ("NULL", "nothing"), ("~", "nothing"), ("0x1F", "a number"), ("1.5", "a number"),
        ("1:30", "a number"), ("2026-11-23", "a date"),
    ],
)  # fmt: skip
def test_a_symbol_that_yaml_takes_for_something_else_is_to_be_quoted(
    word: str, read_as: str
) -> None:
    for rule in ("include", "exclude", "markets"):
        with pytest.raises(ConfigError) as caught:
            parse(f"{rule}: [AAPL, {word}]")
        assert f"YAML reads {word} as {read_as}. Write it in quotes: '{word}'." in str(caught.value)
    assert parse(f"include: [AAPL, '{word}']").include == ("AAPL", word)


@pytest.mark.parametrize("text", ["", "\n", "# include: [AAPL]\n", "---\n"])
def test_an_empty_file_does_not_open_the_filter(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"The rules are empty. To let every bar pass write {}"):
        RulesFile(path, 1)
    path.write_text("exclude: [AAPL]")
    rules = RulesFile(path, interval_seconds=0)
    path.write_text(text)  # as an editor leaves it for a moment
    rules.refresh()
    assert not rules.judge.passes(_bar())
    assert RulesFile(None, 1).judge.passes(_bar())
