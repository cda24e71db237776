"""The assets: raw streams by trading session, and the tables modelled from them."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from polygon_orchestration.brought import Brought
from polygon_orchestration.ingestion import BARS, REFERENCE, Ingestion
from polygon_orchestration.views import View
from polygon_orchestration.warehouse import Warehouse

# Two syncs at once would go past the plan's pace, which the connector keeps for itself alone.
POOL = "polygon_api"
# Of a long backfill, what one run reads, and reads again if it is killed: on the free plan four
# minutes' worth of sessions.
SESSIONS_A_RUN = 20
# The longest closure is four days, Thursday's session to Monday's. The check `staleness` knows the
# calendar; this one also sees a scheduler that has stopped.
FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=5), warn_window=timedelta(days=4, hours=12)
)


def raw(
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
                kinds={"airbyte"},
                freshness_policy=FRESHNESS,
                description=f"Stream `{stream}` of the connector, deduplicated.",
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
        if missing := [day for day in days if day not in there]:
            for key in keys:
                for day in sorted(set(days) & set(there)):
                    yield dg.AssetMaterialization(key, partition=str(day), metadata=metadata)
            reasons = "; ".join(map(brought.why_not, missing))
            raise dg.Failure(f"Not read: {reasons}.", allow_retries=False)
        for key in keys:
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return materialize


def modelled(view: View, warehouse: Warehouse) -> dg.AssetsDefinition:
    """Return the asset of a view."""

    @dg.asset(
        key=view.key,
        deps=view.reads,
        group_name="market",
        kinds={"sql"},
        freshness_policy=FRESHNESS,
        description=f"```sql\n{view.statement.sql('snowflake', pretty=True)}\n```",
    )
    def publish() -> dg.MaterializeResult[None]:
        warehouse.publish(view.statement)
        ((count,),) = (
            row.values()
            for row in warehouse.rows(f"SELECT COUNT(*) FROM {'.'.join(view.key.path)}")  # noqa: S608 - our own names
        )
        return dg.MaterializeResult(metadata={"dagster/row_count": int(count)})

    return publish
