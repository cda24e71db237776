"""The Airbyte Cloud edition: importable, and the same connector as the Docker edition."""

import json
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import Any

import pytest
import requests
from airbyte_cdk.sources.declarative.interpolation.interpolated_boolean import InterpolatedBoolean
from airbyte_cdk.utils.yaml_loader import safe_load_yaml
from polygon_sandbox import Fault, Plan, Sandbox, World
from polygon_sandbox.datasets import dataset_paths
from source_polygon import SourcePolygon
from source_polygon.sessions import last_finished, sessions
from source_polygon.stamps import from_milliseconds

from integration_tests.servers import Server, free_ports
from unit_tests.connector.cloud_syncing import (
    CLOUD,
    MANIFESTS,
    STREAMS,
    CloudSyncs,
    manifest,
    names,
)
from unit_tests.connector.syncing import KEYS, Row, Syncs

FILES: dict[str, dict[str, Any]] = {
    name: safe_load_yaml((MANIFESTS / "streams" / f"{name}.yaml").read_text()) for name in STREAMS
}
# The last of them, but for what has no rows of the days that are read here.
ONE_A_KIND = {FILES[name]["kind"]: name for name in STREAMS if "needs" not in FILES[name]}
ONE_A_KIND["dated_once"] = "holdings_13f"
# The lists that are made up from the contract are compared in test_every_stream.py, those of single
# symbols in test_symbols_in_both_editions.py.
OF_THE_WORLD = [
    name
    for name in STREAMS
    if FILES[name]["path"] not in dataset_paths() and "needs" not in FILES[name]
]
LAST = last_finished("stocks")
# Days that are over for both editions, whatever the time of day.
DAYS = sessions("stocks", LAST - timedelta(days=60), LAST - timedelta(days=3))
# Not the symbols' own traits: which listings were seen open differs, see docs/connector.md.
DIFFERS = {"tickers": {"listing_end"}}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    # Of the companies that had one symbol since November 2026 the Cloud edition keeps one, so this
    # market is older, and none of its symbols is used again later.
    world = World(seed=5, stocks=1100, delisted=1300, now="2026-10-30T12:00:00Z")
    world.advance(datetime.now(timezone.utc))
    # Within the days that are read, and announced: nothing else is sure to be there on any day.
    for day in (DAYS[-2], world.today + timedelta(days=20)):
        world.add_split("AAPL", day, 1, 2)
        world.add_dividend("MSFT", day, 0.5)
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


CONFIG: dict[str, Any] = {
    "start_date": str(DAYS[-8]),
    "end_date": str(DAYS[-1]),
    "markets": ["stocks", "crypto"],
    "num_workers": 4,
}


def test_the_moment_of_a_bar_is_right_on_every_day() -> None:
    daily = next(stream for stream in CLOUD["streams"] if stream["name"] == "grouped_daily")
    condition = daily["retriever"]["record_selector"]["record_filter"]["condition"]
    expression = InterpolatedBoolean(condition=condition, parameters={})
    where, config = {"market": "stocks", "start_time": "2003-09-10"}, {"start_date": "2003-09-10"}
    bar = dict.fromkeys("Tohlcv", 1)
    for day in range(12_000):  # 2003 to 2036
        ms = 1_063_152_000_000 + day * 86_400_000 + day * 7_211 % 86_400_000
        record: Row = {**bar, "t": ms}
        assert expression.eval(config, record=record, stream_slice=where)
        assert record["last_updated_utc"] == from_milliseconds(ms)


def test_both_editions_have_one_spec_but_for_the_addresses() -> None:
    docker = safe_load_yaml((MANIFESTS / "source-polygon.yaml").read_text())
    ours, theirs = (
        deepcopy(edition["spec"]["connection_specification"]["properties"])
        for edition in (docker, CLOUD)
    )
    address = theirs.pop("base_url")
    # Flat files take boto3, which pure YAML has not.
    del ours["base_url"], ours["flat_files"]
    pace = ("requests_per_minute", "requests_per_minute_by_product")
    # What is said for the platform, or does not hold for both.
    for field in ("symbols", "markets", "adjusted", "include_otc", "num_workers", *pace):
        del ours[field]["description"], theirs[field]["description"]
    # Patterns are looked up by Python.
    patterns = [field["symbols"].pop("items")["pattern"] for field in (ours, theirs)]
    assert patterns == [r"^[^\s,/?#]+$", r"^[^\s,/?#*]+$"]
    assert theirs == ours
    assert address["enum"] == ["https://api.massive.com", "https://api.polygon.io"]


def components(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every component of a manifest, with where it stands."""
    if isinstance(part, list):
        for n, item in enumerate(part):
            yield from components(item, f"{path}[{n}]")
    elif isinstance(part, dict):
        if isinstance(part.get("type"), str) and part["type"][:1].isupper():
            yield path, part
        for key, value in part.items():
            if key not in ("schemas", "connection_specification", "schema"):
                yield from components(value, f"{path}.{key}")


def test_every_key_of_every_component_is_one_that_the_cdk_knows() -> None:
    """The CDK passes over unknown keys in silence: a typing error would go unnoticed."""
    schema_file = files("airbyte_cdk.sources.declarative") / "declarative_component_schema.yaml"
    schema = safe_load_yaml(schema_file.read_text())
    known = {**schema["definitions"], "DeclarativeSource": schema}
    # What a reference brings is checked where it is defined.
    for definition in known.values():
        definition.setdefault("properties", {})["$ref"] = {}
    # For our own messages; the CDK passes over it.
    known["ConditionalStreams"]["properties"]["needs"] = {}
    found = list(components(CLOUD))
    assert len(found) > 50
    unknown = [
        f"{path}: {key} of {component['type']}"
        for path, component in found
        for key in component
        if key not in known[component["type"]]["properties"]
    ]
    assert unknown == []
    assert [path for path, component in found if component["type"].startswith("Custom")] == []


def test_the_version_is_one_that_released_platforms_run() -> None:
    major, minor, _ = (int(part) for part in CLOUD["version"].split("."))
    assert major == 7
    # `request_url` in filters came with 7.37; each release is an image of the platform.
    assert minor == 37


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """The service behind the Connector Builder, called over HTTP, without custom code."""
    (port,) = free_ports(1)
    serve = ["-m", "uvicorn", "airbyte_cdk.manifest_server.app:app", "--port", str(port)]
    # Custom code is off whatever this process allows itself.
    command = ["env", "-u", "AIRBYTE_ENABLE_UNSAFE_CODE", sys.executable, *serve]
    url = f"http://127.0.0.1:{port}"

    def call(what: str, **body: Any) -> Any:
        answer = requests.post(f"{url}/v1/manifest/{what}", json=body, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    log = tmp_path_factory.mktemp("builder") / "log"
    with Server([*command, "--log-level", "warning"], log) as server:
        server.start(lambda: requests.get(f"{url}/health", timeout=5).ok)
        yield call


@pytest.fixture
def import_(sandbox: Sandbox) -> dict[str, Any]:
    """What the Builder has after an import and the testing values."""
    return {"manifest": manifest(sandbox), "config": Syncs(sandbox).config(**CONFIG)}


def test_the_builder_resolves_checks_and_discovers_it(
    builder: Callable[..., Any], import_: dict[str, Any]
) -> None:
    resolved = builder("resolve", manifest=import_["manifest"])["manifest"]
    assert names(resolved) == STREAMS == [stream for stream in KEYS if stream in STREAMS]
    assert builder("check", **import_) == {"success": True, "message": None}
    wrong = {**import_, "config": {**import_["config"], "api_key": "some-other-key-123"}}
    refused = builder("check", **wrong)
    assert refused["success"] is False
    assert "does not accept this API key: Unknown API Key" in refused["message"]
    assert "some-other-key-123" not in refused["message"]

    theirs = builder("discover", **import_)["catalog"]["streams"]
    ours = SourcePolygon(config=import_["config"]).discover(None, import_["config"]).streams  # type: ignore[arg-type]
    ours = [stream for stream in ours if stream.name in STREAMS]
    for cloud, docker in zip(theirs, ours, strict=True):
        assert cloud["name"] == docker.name
        assert cloud["json_schema"] == docker.json_schema
        assert cloud["source_defined_primary_key"] == docker.source_defined_primary_key
        assert cloud["default_cursor_field"] == docker.default_cursor_field
        assert cloud["source_defined_cursor"] == docker.source_defined_cursor
        assert cloud["supported_sync_modes"] == [m.value for m in docker.supported_sync_modes]


@pytest.mark.parametrize("stream", ONE_A_KIND.values())
def test_the_builder_reads_every_kind(
    builder: Callable[..., Any], import_: dict[str, Any], stream: str
) -> None:
    answer = builder("test_read", **import_, stream_name=stream, record_limit=50)
    records = [
        record for part in answer["slices"] for page in part["pages"] for record in page["records"]
    ]
    assert records
    assert all(record.get(field) is not None for record in records for field in KEYS[stream])
    assert [log["message"] for log in answer["logs"] if log["level"] == "ERROR"] == []


def compared(stream: str, table: dict[tuple[Any, ...], Row]) -> list[Row]:
    """Return the rows of a table, in order, without what differs by design."""
    dropped = DIFFERS.get(stream, set())
    rows = [{k: v for k, v in row.items() if k not in dropped} for row in table.values()]
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def test_both_editions_bring_the_same_tables_in_full_and_incrementally(sandbox: Sandbox) -> None:
    docker, cloud = Syncs(sandbox), CloudSyncs(sandbox)
    world = sandbox.world
    for change in (None, world):
        if change:
            ticker = world.bars("stocks", DAYS[-1])[3]["T"]
            world.correct("stocks", DAYS[-1], ticker)
            active = [row["ticker"] for row in world.tickers("stocks")]
            world.rename(active[5], "Renamed Corp.")
            world.delist(active[6])
        for edition in (docker, cloud):
            output = edition.read(*OF_THE_WORLD, **CONFIG)
            assert output.errors == []
        for stream in OF_THE_WORLD:
            ours, theirs = (compared(stream, e.tables[stream]) for e in (docker, cloud))
            assert ours
            assert theirs == ours, stream


def test_announced_events_come_at_once_in_both(sandbox: Sandbox) -> None:
    docker, cloud = Syncs(sandbox), CloudSyncs(sandbox)
    for edition in (docker, cloud):
        edition.read("splits", "dividends", start_date=CONFIG["start_date"])
    today = str(sandbox.world.today)
    for stream, date in (("splits", "execution_date"), ("dividends", "ex_dividend_date")):
        ours, theirs = (compared(stream, edition.tables[stream]) for edition in (docker, cloud))
        assert theirs == ours
        assert max(row[date] for row in theirs) > today


@pytest.mark.parametrize(
    "fault", [Fault.truncated_json, Fault.html, Fault.missing_status, Fault.error_status]
)
@pytest.mark.parametrize("stream", ["grouped_daily", "tickers", "exchanges"])
def test_a_broken_body_is_an_error_and_never_an_empty_page(
    sandbox: Sandbox, fault: Callable[..., Fault], stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    sandbox.faults.add(fault(times=None))
    cloud = CloudSyncs(sandbox)
    output = cloud.read(stream, expect_failure=True, **CONFIG)
    assert any("no usable answer" in error for error in output.errors), output.errors
    assert output.records(stream) == []
    sandbox.faults.clear()
    sandbox.faults.add(fault(times=1))
    assert CloudSyncs(sandbox).read(stream, **CONFIG).errors == []


@pytest.mark.parametrize("kind", ["dated", "dated_once", "snapshot", "full_list", "paged_list"])
def test_a_broken_body_is_one_in_every_kind(
    sandbox: Sandbox, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    sandbox.faults.add(Fault.truncated_json(times=None))
    name = ONE_A_KIND[kind]
    output = CloudSyncs(sandbox).read(name, expect_failure=True, **{**CONFIG, "num_workers": 1})
    assert any("no usable answer" in error for error in output.errors), output.errors
    assert output.records(name) == []
    assert output.status(name) == "INCOMPLETE"


def test_next_url_of_another_host_gets_no_request(sandbox: Sandbox) -> None:
    with Sandbox(World(stocks=5), plan=Plan.unlimited()) as elsewhere:
        sandbox.faults.add(Fault.foreign_next_url(elsewhere.url, path="tickers", times=None))
        CloudSyncs(sandbox).read("tickers", expect_failure=True, **CONFIG)
        assert elsewhere.requests == []


def test_refused_days_are_left_out_and_the_state_stays_before_them(sandbox: Sandbox) -> None:
    sandbox.plan = Plan.unlimited(history_start=DAYS[-4])
    output = CloudSyncs(sandbox).read("grouped_daily", **{**CONFIG, "markets": ["stocks"]})
    assert output.errors == []
    assert {row["date"] for row in output.records("grouped_daily")} == {
        str(day) for day in DAYS[-4:]
    }
    (state,) = output.states("grouped_daily")[-1]["states"]
    assert state["cursor"] == {"last_updated_utc": str(DAYS[-1])}


def test_a_first_day_that_fails_is_read_by_the_next_sync(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    first = CONFIG["start_date"]
    sandbox.faults.add(Fault.truncated_json(path=first, times=None))
    cloud, config = CloudSyncs(sandbox), {**CONFIG, "markets": ["stocks"]}
    output = cloud.read("grouped_daily", expect_failure=True, **config)
    assert output.status("grouped_daily") == "INCOMPLETE"
    sandbox.faults.clear()
    cloud.read("grouped_daily", **config)
    read = {row["date"] for row in cloud.tables["grouped_daily"].values()}
    assert read == {str(day) for day in DAYS[-8:]}
    assert min(read) == first


@pytest.mark.parametrize(
    ("stream", "path", "way_out"),
    [
        ("tickers", "/v3/reference/tickers", "Upgrade the plan, or take the market out of "),
        ("splits", "/stocks/v1/splits", "Upgrade the plan, or leave the stream out."),
        (
            "short_interest",
            "/stocks/v1/short-interest",
            "Needed: {plan}. Upgrade the plan, or leave the stream out.",
        ),
    ],
)
def test_a_plan_without_the_data_is_a_configuration_error_of_that_stream(
    sandbox: Sandbox, stream: str, path: str, way_out: str
) -> None:
    sandbox.faults.add(Fault.not_authorized_200(path=path, times=None))
    output = CloudSyncs(sandbox).read(stream, "exchanges", expect_failure=True, **CONFIG)
    (plan,) = [
        each["$parameters"]["plan"] for each in CLOUD["streams"] if each.get("name") == stream
    ]
    assert output.errors[0].startswith(
        f"Polygon.io refuses {sandbox.url}{path}: You are not entitled to this data. Please "
        f"upgrade your plan at https://polygon.io/pricing {way_out.format(plan=plan)}"
    )
    assert "config_error" in output.failure_types
    assert (output.status(stream), output.status("exchanges")) == ("INCOMPLETE", "COMPLETE")


def test_values_that_look_like_expressions_stay_what_they_are(sandbox: Sandbox) -> None:
    names = ["1E5", "None", "True", "{{ 1 }}", "0012"]
    for name in names:
        sandbox.world.list_symbol(name, name="[1, 2]")
    output = CloudSyncs(sandbox).read("tickers", **CONFIG)
    rows = {row["ticker"]: row["name"] for row in output.records("tickers")}
    assert {name: rows[name] for name in names} == dict.fromkeys(names, "[1, 2]")
