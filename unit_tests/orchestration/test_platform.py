"""The same assets with Airbyte's platform behind them: a look-alike of its API."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dagster as dg
import fakesnow
import pytest
import snowflake.connector
from aiohttp import web
from polygon_orchestration import assets
from polygon_orchestration.definitions import definitions
from polygon_orchestration.settings import Settings, SettingsError, load
from pydantic import SecretStr

CONNECTION, CLIENT = "connection-1", {"client_id": "client-1", "client_secret": "secret-4711"}


class Airbyte:
    """The routes that a sync needs. Jobs go through `statuses`, one at each look."""

    def __init__(self) -> None:
        self.statuses = ["pending", "running", "succeeded"]
        self.jobs: list[dict[str, Any]] = []
        self.started = 0
        self.url = ""

    async def token(self, request: web.Request) -> web.Response:
        if await request.json() != CLIENT:
            return web.json_response({"message": "Unauthorized"}, status=401)
        return web.json_response({"access_token": "token-1"})

    async def connection(self, request: web.Request) -> web.Response:
        assert await request.json() == {"connectionId": CONNECTION}
        return web.json_response({"connectionId": CONNECTION, "syncCatalog": {"streams": []}})

    async def list_jobs(self, request: web.Request) -> web.Response:
        assert request.query["connectionId"] == CONNECTION
        return web.json_response({"data": self.jobs})

    async def start(self, request: web.Request) -> web.Response:
        assert await request.json() == {"connectionId": CONNECTION, "jobType": "sync"}
        self.started += 1
        self.jobs = [{"jobId": 7, "status": "pending", "jobType": "sync"}]
        return web.json_response(self.jobs[0])

    async def job(self, request: web.Request) -> web.Response:
        assert request.match_info["id"] == "7"
        self.jobs[0]["status"] = self.statuses.pop(0)
        return web.json_response({**self.jobs[0], "rowsSynced": 12, "bytesSynced": 34})

    def __enter__(self) -> "Airbyte":
        app = web.Application()
        app.router.add_post("/v1/applications/token", self.token)
        app.router.add_post("/internal/connections/get", self.connection)
        app.router.add_get("/v1/jobs", self.list_jobs)
        app.router.add_post("/v1/jobs", self.start)
        app.router.add_get("/v1/jobs/{id}", self.job)
        self._loop, ready = asyncio.new_event_loop(), Event()
        self._thread = Thread(target=self._serve, args=(app, ready), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self, app: web.Application, ready: Event) -> None:
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()


@pytest.fixture
def airbyte() -> Iterator[Airbyte]:
    with Airbyte() as airbyte:
        yield airbyte


@pytest.fixture(autouse=True)
def warehouse() -> Iterator[Any]:
    """Snowflake, with the bars that the connection has landed."""
    with fakesnow.patch(), snowflake.connector.connect(database="POLYGON") as session:
        landed = session.cursor()
        landed.execute("CREATE SCHEMA landing")
        landed.execute(
            "CREATE TABLE landing.grouped_daily "
            "(market TEXT, date DATE, ticker TEXT, _airbyte_extracted_at TIMESTAMP_TZ)"
        )
        landed.execute(
            "INSERT INTO landing.grouped_daily VALUES "
            "('stocks', '2026-11-20', 'AAPL', '2026-11-20 22:00:00+00')"
        )
        yield landed


@pytest.fixture
def chosen(airbyte: Airbyte, tmp_path: Path) -> Settings:
    return Settings(
        backend="airbyte",
        warehouse="snowflake",
        airbyte_api_url=f"{airbyte.url}/v1",
        airbyte_configuration_api_url=f"{airbyte.url}/internal",
        airbyte_connection_id=CONNECTION,
        airbyte_workspace_id="workspace-1",
        airbyte_client_id=CLIENT["client_id"],
        airbyte_client_secret=SecretStr(CLIENT["client_secret"]),
        airbyte_poll_seconds=0.01,
        snowflake_account="acme",
        snowflake_username="POLYGON_AIRBYTE",
        snowflake_private_key_file=tmp_path / "rsa_key.p8",
        retries=0,
    )


def sync(chosen: Settings) -> dg.ExecuteInProcessResult:
    location = definitions(chosen)
    job = dg.define_asset_job("sync", dg.AssetSelection.groups("landing").without_checks())
    whole = dg.Definitions.merge(location, dg.Definitions(jobs=[job]))
    return whole.resolve_job_def("sync").execute_in_process(
        partition_key="2026-11-20", raise_on_error=False
    )


def test_one_sync_materializes_all_streams(airbyte: Airbyte, chosen: Settings) -> None:
    result = sync(chosen)
    assert result.success
    assert airbyte.started == 1
    events = result.get_asset_materialization_events()
    assert {e.asset_key.path[-1] for e in events if e.asset_key} == {
        *("grouped_daily", "tickers", "splits", "dividends")
    }
    told = events[0].step_materialization_data.materialization.metadata
    metadata = {name: value.value for name, value in told.items()}
    # The look-alike of Airbyte lands nothing, so there is no table to be shown.
    assert str(metadata.pop("table")).startswith("not shown: ")
    assert metadata == {"Airbyte job": "7", "records": 12, "bytes": 34}


def test_a_session_without_bars_is_not_materialized(
    airbyte: Airbyte, chosen: Settings, warehouse: Any
) -> None:
    warehouse.execute("DELETE FROM landing.grouped_daily")
    result = sync(chosen)
    assert not result.success
    assert result.get_asset_materialization_events() == []
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    told = str(failure.step_failure_data.error)
    assert "Not read: 2026-11-20 is over, and the vendor sent no bars." in told
    assert airbyte.started == 1


def test_a_sync_that_runs_already_is_waited_for(airbyte: Airbyte, chosen: Settings) -> None:
    airbyte.jobs = [{"jobId": 7, "status": "running", "jobType": "sync"}]
    assert sync(chosen).success
    assert airbyte.started == 0


def test_a_failed_sync_fails_the_run(airbyte: Airbyte, chosen: Settings) -> None:
    airbyte.statuses = ["running", "failed"]
    result = sync(chosen)
    assert not result.success
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    assert "Job failed: 7" in str(failure.step_failure_data.error)


def test_a_failed_sync_is_tried_again(airbyte: Airbyte, chosen: Settings) -> None:
    airbyte.statuses = ["failed", "succeeded"]

    result = sync(chosen.model_copy(update={"retries": 1, "retry_seconds": 0}))
    assert result.success
    assert airbyte.started == 2


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYGON_BACKEND", "airbyte")
    monkeypatch.setenv("POLYGON_WAREHOUSE", "snowflake")
    with pytest.raises(SettingsError) as error:
        load()
    for name in ("AIRBYTE_CONNECTION_ID", "AIRBYTE_CLIENT_SECRET", "SNOWFLAKE_ACCOUNT"):
        assert f"POLYGON_{name}" in str(error.value)


def test_two_syncs_never_run_at_once(airbyte: Airbyte, chosen: Settings) -> None:
    location = definitions(chosen)
    raw = location.resolve_assets_def(dg.AssetKey(["landing", "grouped_daily"]))
    assert raw.op.pool == assets.POOL
