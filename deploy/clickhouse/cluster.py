"""The migrations for a cluster: each table becomes a replicated one and one that distributes.

    stock_aggregates        Distributed: what everyone reads and writes
    stock_aggregates_local  ReplicatedReplacingMergeTree: a shard's rows, on each of its replicas

A symbol lives on one shard, so that a bar that comes again meets the one it replaces. Materialized
views stay on their shard. The servers need the macros `shard` and `replica`. ClickHouse Cloud needs
none of this: it replicates the plain engines by itself.
"""

import re
from collections.abc import Iterator
from typing import Final

# What decides on the shard of a row.
_SHARDED_BY: Final = {
    "stock_aggregates": "cityHash64(symbol)",
    "minute_bars": "cityHash64(symbol)",
    "hour_bars": "cityHash64(symbol)",
    "latest_prices": "cityHash64(symbol)",
    "trades": "cityHash64(symbol)",
    "quotes": "cityHash64(symbol)",
    "latest_quotes": "cityHash64(symbol)",
    "trade_conditions": "cityHash64(market, id)",
    "gaps": "cityHash64(market)",
    "flat_files": "cityHash64(market, day)",
    "dead_letters": "cityHash64(topic, partition, offset)",
}
_REPLICA: Final = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
_TABLE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \(")
_ENGINE: Final = re.compile(r"^ENGINE = (\w+MergeTree)\((.*)\)$", re.MULTILINE)
_ALTER: Final = re.compile(r"^ALTER TABLE (\w+)\b")
_VIEW: Final = re.compile(r"^(CREATE (?:MATERIALIZED )?VIEW IF NOT EXISTS \w+)")
_NAMED: Final = re.compile(rf"\b(FROM|TO|JOIN) ({'|'.join(_SHARDED_BY)})\b")


def for_cluster(statement: str, cluster: str) -> Iterator[str]:
    """Return what a statement of the migrations becomes on a cluster.

    Raises:
        ValueError: it is a kind of statement that no migration has had so far.
    """
    on = f"ON CLUSTER '{cluster}'"
    if table := _TABLE.match(statement):
        yield from _table(statement, table[1], on, cluster)
    elif altered := _ALTER.match(statement):
        if altered[1] in _SHARDED_BY:
            yield _ALTER.sub(rf"ALTER TABLE \1_local {on}", statement)
        else:  # a materialized view
            yield _ALTER.sub(rf"ALTER TABLE \1 {on}", _NAMED.sub(r"\1 \2_local", statement))
    elif view := _VIEW.match(statement):
        if "MATERIALIZED" in view[1]:
            statement = _NAMED.sub(r"\1 \2_local", statement)
        yield _VIEW.sub(rf"\1 {on}", statement)
    else:
        raise ValueError(f"no form for a cluster: {statement[:60]!r}")


def _table(statement: str, name: str, on: str, cluster: str) -> Iterator[str]:
    created = f"CREATE TABLE IF NOT EXISTS {name}"
    local = statement.replace(created, f"{created}_local {on}", 1)
    yield _ENGINE.sub(_replicated, local)
    yield (
        f"{created} {on} AS {name}_local\n"
        f"ENGINE = Distributed('{cluster}', currentDatabase(), {name}_local, {_SHARDED_BY[name]})"
    )


def _replicated(engine: re.Match[str]) -> str:
    arguments = f"{_REPLICA}, {engine[2]}" if engine[2] else _REPLICA
    return f"ENGINE = Replicated{engine[1]}({arguments})"
