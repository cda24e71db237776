"""The assets: raw streams by trading session, and the tables modelled from them."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from polygon_orchestration.brought import Brought
from polygon_orchestration.column_lineage import column_lineage
from polygon_orchestration.ingestion import BARS, REFERENCE, Ingestion
from polygon_orchestration.pages import columns, described
from polygon_orchestration.views import SCRIPT, View
from polygon_orchestration.warehouse import QueryError, Warehouse

# Two syncs at once would go past the plan's pace, which the connector keeps for itself alone.
POOL = "polygon_api"
# Of a long backfill, what one run reads, and reads again if it is killed: on the free plan four
# minutes' worth of sessions.
SESSIONS_A_RUN = 20
# The longest closure is four days, Thursday's session to Monday's. The check `staleness` knows the
# calendar; this one also sees a scheduler that has stopped.
FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=6), warn_window=timedelta(days=5)
)
LANDED: Mapping[str, str] = {
    "grouped_daily": "Daily bars of every US stock, as they were traded: one row a session and "
    "symbol. A bar that the vendor corrects is replaced.",
    "tickers": "Every symbol of stocks and OTC with the company that has it, or had it: delisted "
    "ones, too.",
    "splits": "Splits, announced ones too, with the factor that makes earlier prices comparable. "
    "Replaced by each sync, for a new split changes the factors of older ones.",
    "dividends": "Dividends, announced ones too, with the factor that makes earlier prices a total "
    "return. Replaced by each sync, as splits are.",
}


@dataclass(frozen=True)
class House:
    """What all assets of a deployment have in common.

    Attributes:
        owner: an e-mail address, or `team:NAME`.
        warehouse: `duckdb` or `snowflake`.
    """

    owner: str
    warehouse: str

    def kinds(self, other: str) -> set[str]:
        """Return what Dagster shows a sign of: the warehouse, and another kind."""
        return {self.warehouse, other}


def tags(layer: str) -> dict[str, str]:
    """Return the tags of an asset; layers are `landing`, `market` and `stream`."""
    return {"vendor": "polygon", "asset-class": "stocks", "layer": layer}


def streamed(owner: str, table: str) -> dg.AssetSpec:
    """Return the streaming side's table, which nothing here fills."""
    return dg.AssetSpec(
        ["stream", table.rpartition(".")[2]],
        group_name="stream",
        owners=[owner],
        tags=tags("stream"),
        kinds={"clickhouse", "kafka"},
        description="Bars of seconds and minutes in ClickHouse, which polygon-stream fills. "
        "The check `stream_reconciliation` holds a day of it against the official bars.",
    )


def raw(
    house: House,
    ingestion: Ingestion,
    brought: Brought,
    partitions: dg.PartitionsDefinition[str],
    retry: dg.RetryPolicy,
) -> dg.AssetsDefinition:
    """Return the raw streams, as the connector lands them, one sync for all.

    A run that lacks bars of a session marks the others as materialized, and fails.
    """

    @dg.multi_asset(
        name="raw",
        specs=[
            dg.AssetSpec(
                ["landing", stream],
                group_name="landing",
                freshness_policy=FRESHNESS,
                description=LANDED[stream],
                owners=[house.owner],
                tags=tags("landing"),
                kinds=house.kinds("airbyte"),
            )
            for stream in (BARS, *REFERENCE)
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(SESSIONS_A_RUN),
        retry_policy=retry,
        can_subset=True,
        pool=POOL,
    )
    def materialize(context: dg.AssetExecutionContext) -> Iterator[Any]:
        keys = sorted(context.selected_asset_keys)
        streams = [key.path[-1] for key in keys]
        days = sorted(map(date.fromisoformat, context.partition_keys))
        span = days[0], days[-1]
        # A sync that goes on by its own state leaves earlier sessions as they are.
        before = brought.before(*span) if ingestion.rereads else {}
        metadata = ingestion.sync(streams, *span)
        if BARS in streams:
            there = [d for d, found in brought.landed(*span).items() if found != before.get(d)]
        else:
            there = brought.over(days)
        shown = {key: {**metadata, **_page(brought.warehouse, key)} for key in keys}
        if missing := [day for day in days if day not in there]:
            for key in keys:
                for day in sorted(set(days) & set(there)):
                    yield dg.AssetMaterialization(key, partition=str(day), metadata=shown[key])
            reasons = "; ".join(map(brought.why_not, missing))
            raise dg.Failure(f"Not read: {reasons}.", allow_retries=False)
        for key in keys:
            yield dg.MaterializeResult(asset_key=key, metadata=shown[key])

    return materialize


def modelled(house: House, view: View, warehouse: Warehouse) -> dg.AssetsDefinition:
    """Return the asset of a view."""
    with beta():
        sql = dg.LocalFileCodeReference(
            file_path=str(Path(str(SCRIPT)).resolve()), line_number=view.line, label="SQL"
        )
        references = dg.CodeReferencesMetadataValue(code_references=[sql])

    @dg.asset(
        key=view.key,
        deps=view.reads,
        group_name="market",
        freshness_policy=FRESHNESS,
        description=view.about,
        metadata={"dagster/code_references": references},
        owners=[house.owner],
        tags=tags("market"),
        kinds=house.kinds("table" if house.warehouse == "duckdb" else "view"),
    )
    def publish() -> dg.MaterializeResult[None]:
        warehouse.publish(view.statement)
        schemas = {
            key: [name for name, _ in columns(warehouse, key)] for key in (view.key, *view.reads)
        }
        return dg.MaterializeResult(
            metadata={
                **described(warehouse, view.key, view.columns),
                "dagster/column_lineage": column_lineage(view, schemas),
            }
        )

    return publish


@contextmanager
def beta() -> Iterator[None]:
    """Let Dagster's references to code pass without a word: they are all of its pages' links."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


def _page(warehouse: Warehouse, key: dg.AssetKey) -> Mapping[str, Any]:
    try:
        return described(warehouse, key, {})
    except QueryError as error:  # what was read is there all the same
        return {"table": f"not shown: {error}"}
