import re
from pathlib import Path
from typing import Any

import pytest
from polygon_streaming import clickhouse

from deploy.clickhouse.cluster import for_cluster
from deploy.clickhouse.migrate import MigrationError, migrate, statements
from deploy.clickhouse.statements import MIGRATIONS, Migration, migrations

OPTIONAL = MIGRATIONS.parent / "optional"


def names(client: Any, table: str) -> list[str]:
    return [row[0] for row in client.query(f"DESCRIBE TABLE {table}").result_rows]


def test_numbers_count_up_from_one() -> None:
    numbers = [int(migration.name[:3]) for migration in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("kind", "table"),
    [("bars", "stock_aggregates"), *((name, name) for name in ("trades", "quotes", "flat_files"))],
)
def test_the_tables_of_the_commands_are_those_of_the_migrations(kind: str, table: str) -> None:
    (migration,) = [m for m in migrations() if m.name[4:] == table]
    wanted = clickhouse.table_statement(table, kind)
    statement = wanted[wanted.index("CREATE") :].strip().removesuffix(";")
    assert migration.statements[0] == statement


def test_trades_and_quotes_may_be_cut_by_days(database: Any) -> None:
    migrate(database, migrations(daily_ticks=True), None, lambda _: None)
    for table in ("trades", "quotes"):
        created = database.command(f"SHOW CREATE TABLE {table}")
        assert "PARTITION BY toYYYYMMDD(timestamp)" in created
    with pytest.raises(MigrationError, match="006_trades has changed"):
        migrate(database, migrations(), None, lambda _: None)


def test_each_is_applied_once(database: Any) -> None:
    said: list[str] = []
    wanted = migrations()
    assert migrate(database, wanted, None, said.append) == len(wanted)
    assert said == [f"+ {migration.name}" for migration in wanted]
    said.clear()
    assert migrate(database, wanted, None, said.append) == 0
    assert said == [f"= {migration.name}" for migration in wanted]
    assert names(database, "stock_aggregates")[:4] == [
        "event_type", "market", "symbol", "window_start",
    ]  # fmt: skip


def test_a_changed_migration_is_refused_with_the_fix(migrated: Any) -> None:
    changed = Migration(migrations()[0].name, ("SELECT 1",))
    with pytest.raises(MigrationError, match=r"001_stock_aggregates has changed.*next number"):
        migrate(migrated, [changed], None, lambda _: None)


def test_one_that_failed_half_way_is_repeated(database: Any) -> None:
    good = "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = MergeTree ORDER BY x"
    with pytest.raises(MigrationError, match="001_a: CREATE NONSENSE"):
        migrate(database, [Migration("001_a", (good, "CREATE NONSENSE"))], None, lambda _: None)
    assert migrate(database, [Migration("001_a", (good,))], None, lambda _: None) == 1


def test_statements_can_be_repeated(migrated: Any) -> None:
    for migration in migrations():
        for statement in migration.statements:
            migrated.command(statement)


@pytest.mark.parametrize("script", sorted(OPTIONAL.glob("*.sql")), ids=lambda path: path.stem)
def test_optional_scripts_run_twice(migrated: Any, script: Path) -> None:
    for _ in range(2):
        for statement in script.read_text().split(";\n"):
            if statement.strip():
                migrated.command(statement)
    created = migrated.command("SHOW CREATE TABLE stock_aggregates")
    assert "TTL toDateTime(window_start) + toIntervalMonth(13)" in created


def test_every_statement_for_a_cluster_is_read_by_the_parser(database: Any) -> None:
    every = [s for migration in migrations() for s in statements(migration, "market")]
    assert all("ON CLUSTER 'market'" in statement for statement in every)
    for statement in every:
        formatted = database.query(
            "SELECT formatQuery({statement:String})", parameters={"statement": statement}
        )
        assert formatted.result_rows[0][0].startswith(statement.split(" ", 1)[0])


def test_a_shard_has_the_tables_of_the_single_server(migrated: Any) -> None:
    """Without Keeper and a cluster, which chDB has not: replication and distribution left out."""
    for migration in migrations():
        for statement in statements(migration, "market"):
            if "ENGINE = Distributed" in statement or statement.startswith("CREATE VIEW"):
                continue
            plain = statement.replace("ON CLUSTER 'market'", "")
            plain = re.sub(r"Replicated(\w+)\('[^']+', '[^']+'(?:, )?", r"\1(", plain)
            plain = re.sub(r"(VIEW IF NOT EXISTS) (\w+)", r"\1 \2_on_shard", plain)
            migrated.command(plain)
    for table in ("stock_aggregates", "minute_bars", "hour_bars", "gaps", "dead_letters"):
        single, shard = (
            migrated.command(f"SHOW CREATE TABLE {name}").partition("(")[2]
            for name in (table, f"{table}_local")
        )
        assert "ENGINE = ReplacingMergeTree" in single
        assert shard == single


def test_a_symbol_stays_on_one_shard() -> None:
    first = migrations()[0].statements[0]
    local, distributed = for_cluster(first, "market")
    assert "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}" in local
    assert distributed.endswith(
        "Distributed('market', currentDatabase(), stock_aggregates_local, cityHash64(symbol))"
    )


def test_an_unknown_statement_is_not_passed_on_to_a_cluster() -> None:
    with pytest.raises(ValueError, match="no form for a cluster: 'DROP TABLE a'"):
        list(for_cluster("DROP TABLE a", "market"))
