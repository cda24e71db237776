"""Grafana's boards: by Grafana's own schema, and every query of ClickHouse on ClickHouse itself.

The queries of Prometheus are asked of a real one in test_prometheus.py. Grafana itself does not run
here.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.clickhouse.migrate import migrate
from deploy.clickhouse.statements import migrations
from deploy.grafana.__main__ import WRITTEN, boards, text

HERE = Path(__file__).parent
COMPOSE = HERE.parents[1] / "compose"
NAMES = ("market.json", "operator.json")
START = "2026-11-02 15:00:0"
# What Grafana puts in for the symbol, the bar's length and the range that is shown.
CHOSEN = {
    "${symbol}": "AAPL",
    "${seconds}": "60",
    "$__fromTime": "toDateTime('2026-11-02 00:00:00', 'UTC')",
    "$__toTime": "toDateTime('2026-11-03 00:00:00', 'UTC')",
    # The trades of the last ten minutes: those of the ten minutes of the test.
    "now64(9, 'UTC')": "toDateTime64('2026-11-02 15:00:30', 9, 'UTC')",
}


@pytest.fixture(scope="module", params=NAMES)
def board(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(json.loads((WRITTEN / request.param).read_text()))


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_what_the_code_says(name: str) -> None:
    assert (WRITTEN / name).read_text() == text(boards()[name]), "make boards"


def check(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["go", "run", ".", *map(str, paths)],
        cwd=HERE / "grafana_schema", capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.skipif(
    shutil.which("go") is None, reason="Go is not installed: apt-get install golang"
)
def test_grafanas_schema_accepts_them_and_finds_what_is_wrong(tmp_path: Path) -> None:
    done = check(*(WRITTEN / name for name in NAMES))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    good = (WRITTEN / "market.json").read_text()
    for right, wrong in (('"unit":', '"units":'), ('"drawStyle":', '"style":')):
        bad = tmp_path / "bad.json"
        bad.write_text(good.replace(right, wrong))
        done = check(bad)
        assert done.returncode != 0
        assert f"unexpected field '{wrong[1:-2]}'" in done.stdout


def test_each_panel_says_what_it_means_and_in_which_unit(board: dict[str, Any]) -> None:
    for panel in panels(board):
        assert len(panel["description"]) > 15, panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] == "alertlist":
            continue
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"][0]["value"] is None, panel["title"]
        if panel["type"] == "timeseries":
            assert defaults["custom"]["axisLabel"], panel["title"]


def test_panels_do_not_lie_on_each_other(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def red_from(title: str) -> float:
    (panel,) = (p for p in boards()["operator.json"]["panels"] if p["title"] == title)
    last = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]
    assert last["color"] == "red"
    return float(last["value"])


@pytest.mark.parametrize(
    ("title", "alert", "says"),
    [
        ("Records that wait for the filter", "FilterBehind", "> {:.0f}\n"),
        ("Records that wait for the sink", "SinkBehind", "> {:.0f}\n"),
        ("Age at commit", "FilterLate", "> {:.0f}"),
        ("Waiting for Kafka", "BufferFilling", "> {} *"),
    ],
)
def test_red_begins_where_the_alert_does(title: str, alert: str, says: str) -> None:
    (group,) = yaml.safe_load((COMPOSE / "alerts.yml").read_text())["groups"]
    (rule,) = (rule for rule in group["rules"] if rule["alert"] == alert)
    assert says.format(red_from(title)) in rule["expr"]


def test_the_list_of_alerts_is_prometheus_s_and_each_board_marks_gaps(
    board: dict[str, Any],
) -> None:
    sources = yaml.safe_load(
        (COMPOSE / "grafana" / "provisioning" / "datasources" / "datasources.yaml").read_text()
    )["datasources"]
    known = {source["name"]: source["uid"] for source in sources}
    marks = {mark["name"]: mark for mark in board["annotations"]["list"]}
    assert marks["Gaps"]["datasource"]["uid"] == known["ClickHouse"]
    assert marks["Critical alerts"]["datasource"]["uid"] == known["Prometheus"]
    for panel in panels(board):
        assert panel["datasource"]["uid"] in known.values()
        if panel["type"] == "alertlist":
            assert panel["options"]["datasource"] in known


@pytest.fixture(scope="module")
def market(engine: Callable[..., Any]) -> Iterator[Any]:
    """A database with three seconds of two symbols, trades, quotes, a gap and a dead letter."""
    client = engine()
    client.command("CREATE DATABASE market")
    client.command("USE market")
    migrate(client, migrations(), None, lambda _: None)
    for second in (1, 2, 3):
        for symbol, close in (("AAPL", 100.0 + second), ("MSFT", 50.0 - second)):
            common = {"market": "stocks", "symbol": symbol, "received_at": f"{START}{second}.5"}
            add(
                client,
                "stock_aggregates",
                **common,
                event_type="A",
                volume=10,
                vwap=close,
                window_start=f"{START}{second}",
                open=100 if symbol == "AAPL" else 50,
                high=close,
                low=close,
                close=close,
                healed=second == 2,
                ingested_at=f"{START}{second}.75",
            )
            add(
                client,
                "trades",
                **common,
                event_type="T",
                timestamp=f"{START}{second}",
                sequence_number=second,
                price=close,
                size=second,
            )
            add(
                client,
                "quotes",
                **common,
                event_type="Q",
                timestamp=f"{START}{second}",
                sequence_number=second,
                bid_price=close - 1,
                ask_price=close + 1,
            )
    add(
        client,
        "gaps",
        **{
            "market": "stocks",
            "from": f"{START}1",
            "to": f"{START}3",
            "reason": "disconnected",
            "certain": True,
            "subscriptions": ["A.*"],
            "feed": "main",
        },
    )
    add(
        client,
        "dead_letters",
        topic="raw",
        partition=1,
        offset=2,
        received_at=f"{START}1",
        value="{",
    )
    for view in ("minute_bars_refresh", "hour_bars_refresh"):
        client.command(f"SYSTEM REFRESH VIEW {view}")
        client.command(f"SYSTEM WAIT VIEW {view}")
    yield client
    client.command("DROP DATABASE market")


def add(client: Any, table: str, **row: Any) -> None:
    client.raw_insert(table, insert_block=json.dumps(row), fmt="JSONEachRow")


def asked(client: Any, query: str) -> list[dict[str, Any]]:
    for name, value in CHOSEN.items():
        query = query.replace(name, value)
    return list(client.query(query).named_results())


def test_every_query_of_clickhouse_finds_what_is_there(board: dict[str, Any], market: Any) -> None:
    queries = [
        (panel["title"], target, panel["type"] in ("timeseries", "candlestick"))
        for panel in panels(board)
        for target in panel["targets"]
        if "rawSql" in target
    ]
    marks = board["annotations"]["list"]
    queries += [(m["name"], m["target"], True) for m in marks if "rawSql" in m.get("target", {})]
    assert queries
    for title, target, has_time in queries:
        rows = asked(market, target["rawSql"])
        assert rows, title
        assert not has_time or rows[0]["time"], title
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            assert [row["symbol"] for row in asked(market, variable["query"])] == ["AAPL", "MSFT"]


FIGURES: dict[str, dict[str, Any]] = {
    "Last price": {"price": 103.0},
    "Change": {"change": 3.0},
    "Volume": {"volume": 30.0},
    "Spread": {"spread": 2e4 * 2 / 206},
    "$symbol": {"open": 100.0, "high": 103.0, "low": 101.0, "close": 103.0, "volume": 30.0},
    "Price and volume-weighted average": {"price": 103.0, "average": 102.0},
    "Best bid and ask": {"bid": 102.0, "ask": 104.0},
    "Trades": {"trades": 3, "mean size": 2.0},
    "Movers": {"symbol": "MSFT", "first": 50.0, "last": 47.0, "percent": -6.0, "volume": 30.0},
    "Breadth": {"rising": 1, "falling": 1},
    "From the socket to a row": {"median": 0.25, "99 %": 0.25},
    "Bars streamed and healed": {"streamed": 4, "healed": 2},
    "Gaps recorded": {"seconds": 2, "reason": "disconnected"},
    "Gaps": {"text": "stocks disconnected main"},
}


@pytest.mark.parametrize("title", FIGURES)
def test_figures_are_those_of_the_table(title: str, market: Any) -> None:
    query = next(
        target["rawSql"]
        for board in boards().values()
        for part in (*panels(board), *board["annotations"]["list"])
        for target in part.get("targets", [part.get("target", {})])
        if title in (part.get("title"), part.get("name")) and "rawSql" in target
    )
    row = asked(market, query)[0]
    wanted = FIGURES[title]
    assert {key: row[key] for key in wanted} == pytest.approx(wanted, abs=1e-9)
