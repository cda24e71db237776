"""What is in the files: the same market that REST and the stream tell of."""

import csv
import gzip
import json
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import requests
from polygon_sandbox import Sandbox, World
from polygon_sandbox.flat_files import FilesSize, FlatFiles
from polygon_sandbox.flat_files.full_market import write
from polygon_sandbox.flat_files.layout import DATASETS, Dataset
from polygon_sandbox.intraday import Intraday
from polygon_sandbox.minutes import Minute, minutes
from polygon_sandbox.tape import ClockTape
from polygon_sandbox.ticks import sets_prices

DAY = "2026-11-19"
OPENING = 1795098600  # 09:30 in New York on that day
NS = 1_000_000_000


@pytest.fixture(scope="module")
def world() -> World:
    return World(stocks=9, delisted=0, otc=0, now="2026-11-20T22:30:00Z")


@pytest.fixture(scope="module")
def files(world: World) -> FlatFiles:
    return FlatFiles(world, FilesSize(days=20, tickers=3))


def key(prefix: str, dataset: str, day: str = DAY) -> str:
    return f"{prefix}/{dataset}/{day[:4]}/{day[5:7]}/{day}.csv.gz"


def rows(files: FlatFiles, name: str) -> list[dict[str, str]]:
    stored = files.get(name)
    assert stored is not None
    text = gzip.decompress(stored.body).decode()
    assert text.endswith("\n")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("ticker", ["AAPL", "X:BTCUSD", "C:EURUSD"])
def test_minutes_by_the_array_are_those_made_one_by_one(ticker: str) -> None:
    bars = Intraday(7)
    first = OPENING - OPENING % 86_400 - 3 * 3600  # over midnight UTC
    made = minutes(bars, ticker, first, 360)
    assert made == [Minute.of(bars.bar(ticker, first + 60 * n, 60)) for n in range(360)]


def test_every_dataset_has_files(world: World) -> None:
    files = FlatFiles(world, FilesSize(days=5, tickers=2, bar_minutes=2, tick_seconds=1))
    for prefix, datasets in DATASETS.items():
        for dataset in datasets:
            found = rows(files, key(prefix, dataset))
            assert found, (prefix, dataset)
            assert all(row["ticker"] for row in found)
            stamps = [name for name in found[0] if name.endswith(("timestamp", "window_start"))]
            assert all(len(found[0][name]) in (1, 19) for name in stamps), "nanoseconds"


def test_files_of_bars_have_the_vendors_header_and_order(files: FlatFiles) -> None:
    found = rows(files, key("us_stocks_sip", "minute_aggs_v1"))
    assert ",".join(found[0]) == "ticker,volume,open,close,high,low,window_start,transactions"
    assert len(found) == 3 * 1440
    order = [(row["ticker"], int(row["window_start"])) for row in found]
    assert order == sorted(order)
    assert "volume" not in rows(files, key("us_indices", "minute_aggs_v1"))[0]


def test_several_conditions_are_quoted(files: FlatFiles) -> None:
    stored = files.get(key("us_stocks_sip", "trades_v1"))
    assert stored is not None
    lines = gzip.decompress(stored.body).decode().splitlines()
    assert any(',"14,37",0,4,' in line for line in lines)
    assert any(",14,0," in line for line in lines)
    assert any(line.endswith(",0,0") for line in lines), "off no reporting facility"


def test_numbers_have_the_forms_that_were_seen(files: FlatFiles) -> None:
    bar = rows(files, key("us_stocks_sip", "minute_aggs_v1"))[0]
    assert all(bar[name][-7] == "." for name in ("volume", "open", "close", "high", "low"))
    assert rows(files, key("us_options_opra", "minute_aggs_v1"))[0]["volume"].isdecimal()
    crypto = {row["ticker"] for row in rows(files, key("global_crypto", "trades_v1"))}
    assert "X:ADA-USD" in crypto
    fx = {row["ticker"] for row in rows(files, key("global_forex", "day_aggs_v1"))}
    assert "C:AUD-EUR" in fx


def test_bars_are_those_of_rest(world: World, files: FlatFiles) -> None:
    with Sandbox(world) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.key}"}

        def ask(path: str) -> Any:
            answer = requests.get(sandbox.url + path, headers=headers, timeout=30).json()
            assert "next_url" not in answer
            return answer["results"]

        found = rows(files, key("us_stocks_sip", "minute_aggs_v1"))
        ticker = found[0]["ticker"]
        sent = ask(
            f"/v2/aggs/ticker/{ticker}/range/1/minute/{DAY}/{DAY}?adjusted=false&limit=50000"
        )
        assert [plain(row) for row in found if row["ticker"] == ticker] == [
            [bar["v"], bar["o"], bar["c"], bar["h"], bar["l"], bar["t"] * 1_000_000, bar["n"]]
            for bar in sent
        ]
        grouped = ask(f"/v2/aggs/grouped/locale/us/market/stocks/{DAY}?adjusted=false")
        by_ticker = {bar["T"]: bar for bar in grouped}
        days = rows(files, key("us_stocks_sip", "day_aggs_v1"))
        assert days
        midnight = (OPENING - 9 * 3600 - 1800) * NS
        for row in days:
            bar = by_ticker[row["ticker"]]
            count = str(bar.get("n", ""))
            assert row["transactions"] == count
            expected = [bar["v"], bar["o"], bar["c"], bar["h"], bar["l"], midnight]
            assert plain(row)[:6] == pytest.approx(expected, abs=1e-6, rel=0)


@pytest.mark.parametrize(
    ("prefix", "channel", "symbol", "ticker"),
    [
        ("us_stocks_sip", "AM", "A", "A"),
        ("global_crypto", "XA", "ADA-USD", "X:ADA-USD"),
        ("global_forex", "CA", "AUD/EUR", "C:AUD-EUR"),
    ],
)
def test_bars_are_those_of_the_stream(
    files: FlatFiles, prefix: str, channel: str, symbol: str, ticker: str
) -> None:
    found = [row for row in rows(files, key(prefix, "minute_aggs_v1")) if row["ticker"] == ticker]
    tape = ClockTape([symbol])
    for row in (found[0], found[571], found[-1]):
        ended = int(row["window_start"]) // NS + 60
        (event,) = map(json.loads, tape.events(channel, symbol, ended))
        assert event["s"] * 1_000_000 == int(row["window_start"])
        assert [event[name] for name in "vochl"] == plain(row)[:5]


@pytest.mark.parametrize(
    ("prefix", "ticker", "path"),
    [
        ("us_stocks_sip", "A", "/v3/trades/A"),
        ("global_crypto", "X:ADA-USD", "/v3/trades/X:ADAUSD"),
        ("us_futures_cme", "ESZ6", "/futures/v1/trades/ESZ6"),
    ],
)
def test_trades_are_those_of_rest(
    world: World, files: FlatFiles, prefix: str, ticker: str, path: str
) -> None:
    found = [row for row in rows(files, key(prefix, "trades_v1")) if row["ticker"] == ticker]
    sent = ticks(world, path, found)
    assert len(found) == len(sent) > 60
    for row, trade in zip(found, sent, strict=True):
        conditions = [int(number) for number in row.get("conditions", "").split(",") if number]
        assert conditions == trade.get("conditions", [])
        for name, text in row.items():
            if name in trade and name not in ("conditions", "ticker"):
                assert text == str(trade[name]) or float(text) == trade[name], name


@pytest.mark.parametrize(
    ("prefix", "ticker", "path"),
    [
        ("us_stocks_sip", "A", "/v3/quotes/A"),
        ("us_futures_cme", "ESZ6", "/futures/v1/quotes/ESZ6"),
    ],
)
def test_quotes_are_those_of_rest(
    world: World, files: FlatFiles, prefix: str, ticker: str, path: str
) -> None:
    found = [row for row in rows(files, key(prefix, "quotes_v1")) if row["ticker"] == ticker]
    sent = ticks(world, path, found)
    assert len(found) == len(sent) == 240
    for row, quote in zip(found, sent, strict=True):
        for name, text in row.items():
            if name in quote and name not in ("conditions", "indicators"):
                assert text == str(quote[name]), name


def ticks(world: World, path: str, found: list[dict[str, str]]) -> list[dict[str, Any]]:
    """What REST has from the first to the last of these rows."""
    names = ("sip_timestamp", "timestamp", "participant_timestamp")
    stamp = next(name for name in names if name in found[0])
    with Sandbox(world) as sandbox:
        answer = requests.get(
            sandbox.url + path,
            params={
                "timestamp.gte": found[0][stamp],
                "timestamp.lte": found[-1][stamp],
                "order" if path.startswith("/v3") else "sort": (
                    "asc" if path.startswith("/v3") else "timestamp.asc"
                ),
                "limit": 50_000 if path.startswith("/v3") else 49_999,
            },
            headers={"Authorization": f"Bearer {sandbox.key}"},
            timeout=30,
        ).json()
        sent: list[dict[str, Any]] = answer["results"]
        return sent


def plain(row: dict[str, str]) -> list[float]:
    return [float(row[name]) if "." in row[name] else int(row[name] or 0) for name in list(row)[1:]]


def test_a_file_is_there_from_eleven_in_new_york_on(world: World) -> None:
    fresh = World(stocks=3, delisted=0, otc=0, now="2026-11-20T15:59:59Z")
    bucket = FlatFiles(fresh, FilesSize(days=5, bar_minutes=1))
    name = key("us_stocks_sip", "minute_aggs_v1")
    assert bucket.get(name) is None
    fresh.advance("2026-11-20T16:00:00Z")
    stored = bucket.get(name)
    assert stored is not None
    assert stored.last_modified == datetime.fromisoformat("2026-11-20T16:00:00+00:00")


def test_stocks_have_files_of_trading_days_and_crypto_of_all(files: FlatFiles) -> None:
    days = [name[-17:-7] for name in files.keys("us_stocks_sip/day_aggs_v1/")]
    assert days[-5:] == ["2026-11-13", "2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"]
    assert len(files.keys("global_crypto/trades_v1/2026/11/")) == 19


def test_a_file_goes_wrong_and_is_mended() -> None:
    world = World(stocks=3, delisted=0, otc=0, now="2026-11-20T22:30:00Z")
    bucket = FlatFiles(world, FilesSize(days=20, bar_minutes=10))
    name = key("us_stocks_sip", "minute_aggs_v1")
    good = bucket.get(name)
    assert good is not None
    honest = rows(bucket, name)
    bucket.replace(name, "missing")
    assert bucket.get(name) is None
    assert name not in bucket.keys("us_stocks_sip/minute")
    bucket.replace(name, "short")
    assert rows(bucket, name) == honest[:20]
    bucket.replace(name, "truncated")
    cut = bucket.get(name)
    assert cut is not None
    with pytest.raises(EOFError):
        gzip.decompress(cut.body)
    bucket.replace(name, "doubled")
    assert rows(bucket, name) == rows(bucket, key("us_stocks_sip", "minute_aggs_v1", "2026-11-18"))
    world.advance("2026-11-20T23:00:00Z")
    bucket.replace(name)
    mended = bucket.get(name)
    assert mended is not None
    assert mended.body == good.body
    assert mended.last_modified > good.last_modified
    bucket.put(name, b"of another's making")
    put = bucket.get(name)
    assert put is not None
    assert put.body == b"of another's making"
    assert put.etag != mended.etag
    bucket.replace(name)
    assert bucket.get(name) == mended
    with pytest.raises(KeyError, match="is not the name of a flat file"):
        bucket.replace("us_stocks_sip/minute_aggs_v1/2026/11/2026-12-19.csv.gz")


def test_what_became_known_late_is_in_rest_and_in_the_file_alike() -> None:
    world = World(stocks=3, delisted=0, otc=0, now="2026-11-19T15:00:00Z")
    bucket = FlatFiles(world, FilesSize(days=5, bars_from=time(9, 30), bar_minutes=3))
    streamed = world.trading.minutes("A", OPENING, 3)
    highest = max(
        (trade for n in range(60) for trade in world.trading.trades("A", "stocks", OPENING + n)),
        key=lambda trade: trade.price if sets_prices(trade.conditions) else 0,
    )
    assert highest.price == streamed[0].high
    world.cancel_trade("A", highest.time_ns)
    late = (OPENING + 70) * NS + 123
    world.report_trade("A", late, streamed[1].high + 5, 10.25)
    world.advance("2026-11-20T16:30:00Z")

    found = rows(bucket, key("us_stocks_sip", "minute_aggs_v1"))[:3]
    assert [plain(row)[0] for row in found] == [
        streamed[0].volume - highest.size / 100,
        streamed[1].volume + 10.25,
        streamed[2].volume,
    ]
    assert float(found[0]["high"]) < streamed[0].high
    assert float(found[1]["high"]) == streamed[1].high + 5
    assert [
        int(row["transactions"]) - bar.trades for row, bar in zip(found, streamed, strict=True)
    ] == [
        -1,
        1,
        0,
    ]
    start = OPENING * 1000
    with Sandbox(world) as sandbox:
        sent = requests.get(
            f"{sandbox.url}/v2/aggs/ticker/A/range/1/minute/{start}/{start + 179_000}",
            headers={"Authorization": f"Bearer {sandbox.key}"},
            timeout=30,
        ).json()["results"]
    assert [[bar[name] for name in "vochln"] for bar in sent] == [
        [*plain(row)[:5], int(row["transactions"])] for row in found
    ]
    trades = [
        row for row in rows(bucket, key("us_stocks_sip", "trades_v1")) if row["ticker"] == "A"
    ]
    by_time = {int(row["sip_timestamp"]): row for row in trades}
    assert by_time[highest.time_ns]["correction"] == "8", "it stays, marked"
    assert "correction" in ticks(world, "/v3/trades/A", [by_time[highest.time_ns]])[0]
    # What comes after the file is in its replacement alone.
    world.cancel_trade("A", late)
    name = key("us_stocks_sip", "minute_aggs_v1")
    assert rows(bucket, name)[1] == found[1]
    before = bucket.get(name)
    world.advance("2026-11-20T17:00:00Z")
    bucket.replace(name)
    after = bucket.get(name)
    assert before is not None
    assert after is not None
    assert before.etag != after.etag
    assert rows(bucket, name)[1]["volume"] == f"{streamed[1].volume}.000000"


def test_a_daily_bar_that_is_corrected_changes_with_the_next_file() -> None:
    world = World(stocks=3, delisted=0, otc=0, now="2026-11-20T16:30:00Z")
    bucket = FlatFiles(world, FilesSize(days=5))
    name = key("us_stocks_sip", "day_aggs_v1")
    world.correct("stocks", date(2026, 11, 19), "A")
    world.advance("2026-11-20T17:00:00Z")
    honest = rows(bucket, name)
    bucket.replace(name)
    corrected = rows(bucket, name)
    assert float(corrected[0]["volume"]) < float(honest[0]["volume"])
    assert corrected[1:] == honest[1:]
    bar = world.daily_bar("stocks", "A", date(2026, 11, 19))
    assert bar is not None
    assert float(corrected[0]["volume"]) == pytest.approx(bar["v"], abs=1e-6)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [("minute_aggs_v1", "window_start"), ("trades_v1", "sequence_number"), ("quotes_v1", "tape")],
)
def test_files_of_any_size_look_like_the_small_ones(
    files: FlatFiles, tmp_path: Path, dataset: Dataset, name: str
) -> None:
    path = tmp_path / "day.csv.gz"
    write(path, dataset, 30_001, date(2026, 11, 19))
    with gzip.open(path, "rt") as text:
        made = list(csv.DictReader(text))
    small = rows(files, key("us_stocks_sip", dataset))
    assert len(made) == 30_001
    assert list(made[0]) == list(small[0])
    # A number has the form that it has in the other.
    for column in ("price", "volume", "size", name):
        if column in made[0]:
            assert {row[column][-7:-6] == "." for row in made} == {"." in small[0][column]}, column
    order = [(row["ticker"], int(row.get("window_start") or row["sip_timestamp"])) for row in made]
    assert order == sorted(set(order))
    start, end = 1795078800 * NS, (1795078800 + 16 * 3600) * NS  # 04:00 to 20:00 in New York
    assert all(start <= at < end for _, at in order)
