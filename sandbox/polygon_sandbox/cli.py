"""The command line: serve a world until told to stop."""

import logging
import signal
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from threading import Event

import click

from polygon_sandbox.background import DEFAULT_KEY
from polygon_sandbox.clock import parse_instant
from polygon_sandbox.companies import Sizes
from polygon_sandbox.directory import NotOurs, empty
from polygon_sandbox.flat_files import FilesSize, FlatFiles
from polygon_sandbox.flat_files.full_market import write
from polygon_sandbox.flat_files.layout import Dataset
from polygon_sandbox.intraday import stream_symbol
from polygon_sandbox.plan import Plan
from polygon_sandbox.server import Sandbox
from polygon_sandbox.stream import StreamSandbox
from polygon_sandbox.world import World

SIZES = {
    "tiny": Sizes(stocks=50, delisted=80, otc=10, crypto=8, fx=8, indices=5),
    "small": Sizes(stocks=500, delisted=900, otc=100, crypto=40, fx=60, indices=50),
    # The vendor's own order of magnitude in 2026.
    "full": Sizes(stocks=12_000, delisted=23_000, otc=8_000, crypto=600, fx=1_200, indices=13_000),
}
PLANS = {"free": Plan.free(), "unlimited": Plan.unlimited()}


@click.group()
@click.version_option(package_name="polygon-sandbox")
def main() -> None:
    """A local look-alike of the Polygon.io REST API: no account, no internet."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8787, show_default=True, help="Port; 0 takes a free one.")
@click.option("--key", default=DEFAULT_KEY, show_default=True, help="The API key to accept.")
@click.option("--size", type=click.Choice(list(SIZES)), default="small", show_default=True)
@click.option("--stocks", type=int, help="Active stocks, instead of the size's.")
@click.option("--delisted", type=int, help="Delisted stocks.")
@click.option("--otc", type=int, help="Over-the-counter stocks.")
@click.option("--crypto", type=int, help="Crypto pairs.")
@click.option("--fx", type=int, help="Currency pairs.")
@click.option("--indices", type=int, help="Indices.")
@click.option("--seed", default=7, show_default=True, help="Same seed, same world.")
@click.option("--now", help="Stop the clock at an instant, e.g. 2026-11-20T22:30:00Z.")
@click.option("--plan", "plan_name", type=click.Choice(list(PLANS)), default="unlimited")
@click.option("--requests-per-minute", type=int, help="Rate limit, instead of the plan's.")
@click.option("--latency-ms", type=float, default=0, help="Wait before every answer.")
@click.option("--flat-file-days", default=5, show_default=True, help="Days that have flat files.")
@click.option("--flat-file-tickers", type=int, help="Tickers of each market in them; else all.")
@click.option("--verbose", is_flag=True, help="Log every request.")
def serve(
    host: str,
    port: int,
    key: str,
    size: str,
    seed: int,
    now: str | None,
    plan_name: str,
    requests_per_minute: int | None,
    latency_ms: float,
    flat_file_days: int,
    flat_file_tickers: int | None,
    verbose: bool,
    **counts: int | None,
) -> None:
    """Serve a made-up market until ctrl-C or SIGTERM.

    Flat files are in the bucket flatfiles of the same address, with the access key id
    sandbox-access-key and the API key as its secret. A file is made when it is first looked at, as
    listing it does: one of all 500 stocks takes some seconds.

    \b
    Example: a free plan on a Friday evening, then its daily bars of Thursday.
      polygon-sandbox serve --plan free --now 2026-11-20T22:30:00Z
      curl -H "Authorization: Bearer sandbox-key-0123456789" \\
        http://127.0.0.1:8787/v2/aggs/grouped/locale/us/market/stocks/2026-11-19
    """
    if now is not None:
        _check_instant(now)
    if verbose:
        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("polygon_sandbox").setLevel(logging.INFO)
    plan = PLANS[plan_name]
    if requests_per_minute is not None:
        plan = replace(plan, requests_per_minute=requests_per_minute)
    wanted = {**asdict(SIZES[size]), **{k: v for k, v in counts.items() if v is not None}}
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    world = World(seed=seed, now=now, **wanted)
    files = FlatFiles(world, FilesSize(days=flat_file_days, tickers=flat_file_tickers))
    with Sandbox(
        world, plan, latency_ms, key=key, host=host, port=port, flat_files=files
    ) as sandbox:
        click.echo(f"Polygon sandbox on {sandbox.url}  key {sandbox.key}  plan {plan_name}")
        stop.wait()


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8788, show_default=True, help="Port; 0 takes a free one.")
@click.option("--key", default=DEFAULT_KEY, show_default=True, help="The API key to accept.")
@click.option("--size", type=click.Choice(list(SIZES)), default="small", show_default=True)
@click.option("--seed", default=7, show_default=True, help="Same seed, same world.")
@click.option("--max-connections", default=0, show_default=True, help="Per market; 0: no limit.")
@click.option("--rate", type=float, help="Events a second, for load, instead of bars by the clock.")
@click.option("--events-per-frame", default=100, show_default=True, help="With --rate.")
def stream(
    host: str,
    port: int,
    key: str,
    size: str,
    seed: int,
    max_connections: int,
    rate: float | None,
    events_per_frame: int,
) -> None:
    """Stream a made-up market over WebSocket until ctrl-C or SIGTERM.

    Each stock and pair has a bar every second and every minute, sent when its window is over. A
    `serve` of the same size and seed has the same bars: what a feed has missed can be healed.

    With --rate there are as many bars as you like instead, for load: their windows follow one
    another whatever the clock says, so REST has those that lie ahead only later.

    \b
    Example: a market, both sides of it, into Kafka.
      polygon-sandbox serve & polygon-sandbox stream &
      export POLYGON_API_KEY=sandbox-key-0123456789
      polygon-stream feed --feed 127.0.0.1:8788 --no-tls
      polygon-stream heal --rest-url http://127.0.0.1:8787 --requests-per-minute 60000
    """
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    world = World(seed=seed, **asdict(SIZES[size]))
    rows = [row for market in ("stocks", "crypto", "fx") for row in world.tickers(market)]
    symbols = sorted({stream_symbol(str(row["ticker"])) for row in rows})
    with StreamSandbox(
        symbols,
        rate or 0,
        events_per_frame=events_per_frame,
        key=key,
        seed=seed,
        max_connections=max_connections,
        clocked=rate is None,
        host=host,
        port=port,
    ) as server:
        click.echo(f"Polygon stream sandbox on {server.url}  key {server.key}")
        stop.wait()


@main.command("flat-file")
@click.argument("dataset", type=click.Choice(["minute_aggs_v1", "trades_v1", "quotes_v1"]))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--rows", default=2_000_000, show_default=True, help="How many.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), default="2026-11-24", show_default=True)
def flat_file(dataset: Dataset, file: Path, rows: int, day: datetime) -> None:
    """Write a flat file of stocks as large as the full market's, for load.

    \b
    Example: 20 million trades.
      polygon-sandbox flat-file trades_v1 2026-11-24.csv.gz --rows 20000000
    """
    write(file, dataset, rows, day.date())
    click.echo(f"{rows:,} rows, {file.stat().st_size / 1e6:,.1f} MB: {file}")


@main.command()
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo"),
    show_default=True,
    help="Where the DuckDB file and the logs go; emptied first if a demo made it.",
)
@click.option(
    "--api-key",
    envvar="POLYGON_API_KEY",
    help="Read the real API with this key; better in POLYGON_API_KEY than on the command line.",
)
@click.option("--requests-per-minute", default=5, show_default=True, help="Pace with a key.")
@click.option(
    "--base-url", default="https://api.massive.com", show_default=True, help="Address with a key."
)
def demo(directory: Path, api_key: str | None, requests_per_minute: int, base_url: str) -> None:
    """Read daily bars and tickers through PyAirbyte into DuckDB, twice.

    Without a key the data comes from a sandbox in this process. The second read shows what an
    incremental sync costs once a session has ended and a night has passed.
    """
    from polygon_sandbox.demo import run

    _empty(directory)
    run(directory, api_key, requests_per_minute, base_url)


@main.command("demo-stream")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo-stream"),
    show_default=True,
    help="Where the table, the logs and the report go; emptied first if a demo made it.",
)
@click.option(
    "--seconds",
    type=click.IntRange(16, 600),
    default=30,
    show_default=True,
    help="How long the market speaks.",
)
@click.option(
    "--rate",
    type=click.IntRange(20, 10_000),
    default=2000,
    show_default=True,
    help="How many stocks; each has a bar every second, forty of them trades and quotes too.",
)
def demo_stream(directory: Path, seconds: int, rate: int) -> None:
    """Stream through feed, broker, filter and sink into chDB, heal a gap, and write a report.

    Half-way the connection is cut; `polygon-stream heal` brings what was missed, and the tables are
    compared with the market, one by one. The broker is an in-memory mock: it shows the flow and
    proves nothing about exactly-once.
    """
    from polygon_sandbox.stream_demo import run

    _empty(directory)
    run(directory, seconds, rate)


def _empty(directory: Path) -> None:
    try:
        empty(directory)
    except NotOurs as error:
        raise click.BadParameter(str(error), param_hint="--directory") from error


def _check_instant(text: str) -> None:
    try:
        parse_instant(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--now") from error
