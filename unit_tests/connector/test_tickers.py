"""Tickers against the sandbox: after any history, the keyed table equals the vendor's own list."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from polygon_sandbox import Plan, Sandbox, World
from source_polygon import SourcePolygon
from source_polygon.stamps import sortable
from source_polygon.streams.tickers import TickersCursor, TickersRetriever

from unit_tests.connector.syncing import Row, Syncs

Clock = Callable[[str], None]
NOW = "2026-11-20T22:30:00Z"


def normal(row: Row) -> Row:
    """Return a row of the API as the connector emits it, but for `listing_end`."""
    if "last_updated_utc" in row:
        return {**row, "last_updated_utc": sortable(row["last_updated_utc"])}
    return row


def truth(world: World, market: str = "stocks", *, delisted: bool = True) -> list[Row]:
    """Return the vendor's own list, with rows that differ only in their stamp as one."""
    newest: dict[tuple[Any, ...], Row] = {}
    for active in (True, False) if delisted else (True,):
        for row in map(normal, world.tickers(market, active=active)):
            key = (row["ticker"], row["active"], row.get("delisted_utc"))
            known = newest.get(key)
            if known is None or known.get("last_updated_utc", "") < row.get("last_updated_utc", ""):
                newest[key] = row
    return in_order(newest.values())


def in_order(rows: Any) -> list[Row]:
    plain = ({name: v for name, v in row.items() if name != "listing_end"} for row in rows)
    return sorted(
        plain, key=lambda row: (row["ticker"], row.get("delisted_utc", ""), row["active"])
    )


def stamped(world: World, *, active: bool) -> list[Row]:
    return [row for row in world.tickers("stocks", active=active) if "last_updated_utc" in row]


def table(syncs: Syncs) -> list[Row]:
    return in_order(syncs.tables["tickers"].values())


@pytest.mark.parametrize("market", ["stocks", "otc", "crypto", "fx", "indices"])
def test_the_first_sync_reads_everything(syncs: Syncs, world: World, market: str) -> None:
    syncs.read("tickers", markets=[market])
    assert table(syncs) == truth(world, market)
    assert len(table(syncs)) > 3


def test_delisted_tickers_can_be_left_out_and_switched_on_later(syncs: Syncs, world: World) -> None:
    syncs.read("tickers", include_delisted=False)
    assert table(syncs) == truth(world, delisted=False)
    gone = world.tickers("stocks", active=True)[3]["ticker"]
    world.delist(gone, on=date(2026, 11, 20))
    syncs.read("tickers")
    assert table(syncs) == truth(world)


def test_many_pages_are_read_in_as_few_requests_as_there_are_pages(large: Syncs) -> None:
    large.read("tickers")
    assert len(large.sandbox.requests) == 7  # newest page + 2 by ticker; newest page + 3
    large.sandbox.clear_requests()
    output = large.read("tickers")
    assert len(large.sandbox.requests) <= 4
    assert len(output.records("tickers")) < 40


def test_fifty_changes_cost_two_requests_a_list(large: Syncs) -> None:
    world = large.sandbox.world
    large.read("tickers")
    for row in stamped(world, active=True)[100:125]:
        world.rename(row["ticker"], f"{row['name']} renamed")
    for row in stamped(world, active=False)[100:125]:
        world.edit_delisted(row["ticker"], name="edited")
    large.sandbox.clear_requests()
    output = large.read("tickers")
    assert len(large.sandbox.requests) <= 4
    assert 50 <= len(output.records("tickers")) < 90
    assert table(large) == truth(world)


def test_after_the_nightly_stamp_only_the_active_list_is_read_in_full(large: Syncs) -> None:
    large.read("tickers")
    large.sandbox.world.advance(to="2026-11-21T12:00:00Z")
    large.sandbox.clear_requests()
    large.read("tickers")
    asked = [request.query.get("active") for request in large.sandbox.requests]
    assert asked.count("false") <= 2
    assert table(large) == truth(large.sandbox.world)


@pytest.mark.parametrize("keep_identifiers", [True, False])
def test_a_symbol_that_is_delisted_does_not_stay_active(
    syncs: Syncs, world: World, keep_identifiers: bool
) -> None:
    syncs.read("tickers")
    gone = [row["ticker"] for row in world.tickers("stocks", active=True)[5:8]]
    for ticker in gone:
        world.delist(ticker, on=date(2026, 11, 20), keep_identifiers=keep_identifiers)
    syncs.read("tickers")
    assert table(syncs) == truth(world)
    assert not [row for row in table(syncs) if row["ticker"] in gone and row["active"]]


def test_rows_that_move_while_pages_are_read_are_not_lost(large: Syncs) -> None:
    """The nightly stamp falls between two pages, under keyset and under offset paging."""
    world, sandbox = large.sandbox.world, large.sandbox
    large.read("tickers")
    world.restamp()
    seen = 0

    def restamp_once(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            world.rename(world.tickers("stocks", active=True)[7]["ticker"], "Moved Corp.")
            world.restamp()

    sandbox.on_request(restamp_once)
    large.read("tickers")
    sandbox.on_request(None)
    large.read("tickers")
    assert seen > 2
    assert table(large) == truth(world)


def test_the_state_is_small_and_says_what_it_means(syncs: Syncs, world: World) -> None:
    output = syncs.read("tickers", markets=["stocks", "crypto"])
    state = output.states("tickers")[-1]
    assert [lane["partition"] for lane in state["states"]] == [
        {"market": "stocks"},
        {"market": "crypto"},
    ]
    newest = max(
        sortable(r["last_updated_utc"]) for r in world.tickers("stocks") if "last_updated_utc" in r
    )
    assert state["states"][0]["cursor"]["last_updated_utc"] == newest
    assert len(str(state)) < 2000


def test_a_state_that_cannot_be_read_is_an_error(syncs: Syncs) -> None:
    syncs.set_state("tickers", {"last_updated_utc": "last week"})
    output = syncs.read("tickers", expect_failure=True)
    assert any("saved state of tickers cannot be read" in error for error in output.errors)


def test_a_state_from_the_future_reads_nothing(large: Syncs) -> None:
    large.set_state("tickers", {"last_updated_utc": "2999-01-01T00:00:00Z"})
    undated = len([r for r in large.sandbox.world.tickers("stocks") if "last_updated_utc" not in r])
    assert len(large.read("tickers").records("tickers")) <= undated + 40


class Connection:
    """A connection reduced to the tickers of one market, fast enough for thousands of syncs."""

    def __init__(self, sandbox: Sandbox) -> None:
        config = {
            "api_key": sandbox.key,
            "start_date": "2026-11-02",
            "base_url": sandbox.url,
            "requests_per_minute": 6000,
        }
        manifest = SourcePolygon(config=config).manifest
        self._config = manifest.usable_config
        self._requester = manifest.requester("tickers")
        self.cursor: Mapping[str, Any] = {}
        self.table: dict[tuple[str, str], Row] = {}

    def sync(self, interrupt_after: int | None = None) -> None:
        """Read; where interrupted, keep the records and lose the state."""
        cursor = TickersCursor(config=self._config, cursor_field="last_updated_utc")
        (lane_slice,) = cursor.slices(cursor.lane({"market": "stocks"}, self.cursor))
        retriever = TickersRetriever(
            self._config, self._requester, "tickers", cursor_field="last_updated_utc"
        )
        for n, record in enumerate(retriever.read_records({}, lane_slice)):
            if n == interrupt_after:
                return
            self.table[record["ticker"], record["listing_end"]] = dict(record.data)
        assert lane_slice.checkpoint is not None
        self.cursor = lane_slice.checkpoint


CHANGES = st.one_of(
    # Delisted today, or with a date that lies days or years back.
    st.tuples(st.just("delist"), st.integers(0, 30), st.booleans(), st.sampled_from([0, 9, 700])),
    st.tuples(st.just("reuse"), st.integers(0, 30)),
    st.tuples(st.just("list"), st.integers(0, 5)),
    st.tuples(st.just("rename"), st.integers(0, 30)),
    st.tuples(st.just("edit"), st.integers(0, 30)),
    st.tuples(st.just("night")),
)
SYNCS = st.one_of(
    st.tuples(st.just("sync"), st.none() | st.integers(0, 120)),
    # A sync during which, at one of its requests, something changes.
    st.tuples(st.just("sync while"), st.integers(1, 5), CHANGES),
)
EVENTS = st.lists(st.one_of(SYNCS, CHANGES), max_size=16)


def apply(world: World, event: tuple[Any, ...]) -> None:
    active = world.tickers("stocks", active=True)
    delisted = world.tickers("stocks", active=False)
    match event:
        case ("delist", n, keep, days_ago):
            on = world.now.date() - timedelta(days=days_ago)
            world.delist(active[n % len(active)]["ticker"], on=on, keep_identifiers=keep)
        case ("reuse", n):
            open_now = {row["ticker"] for row in active}
            # The latest endings first, so that symbols are used again soon, too.
            free = [r["ticker"] for r in reversed(delisted) if r["ticker"] not in open_now]
            world.list_symbol(free[n % len(free)], name=f"Second {n} Inc.")
        case ("list", n):
            taken = {row["ticker"] for row in [*active, *delisted]}
            if f"NEW{n}" not in taken:
                world.list_symbol(f"NEW{n}", name=f"New {n} Inc.")
        case ("rename", n):
            world.rename(active[n % len(active)]["ticker"], f"Renamed {n}")
        case ("edit", n):
            world.edit_delisted(delisted[n % len(delisted)]["ticker"], name=f"Edited {n}")
        case ("night",):
            world.advance(to=(world.now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"))


def run(connection: Connection, sandbox: Sandbox, event: tuple[Any, ...]) -> None:
    match event:
        case ("sync", interrupt_after):
            connection.sync(interrupt_after)
        case ("sync while", request, change):
            countdown = iter(range(request - 1, -1, -1))

            def strike(*_: Any) -> None:
                if next(countdown, None) == 0:
                    apply(sandbox.world, change)

            sandbox.on_request(strike)
            connection.sync()
            sandbox.on_request(None)
        case _:
            apply(sandbox.world, event)


@pytest.fixture(scope="module", params=["lowest", "first", "last"])
def undated(request: pytest.FixtureRequest) -> Any:
    return request.param


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, started=st.booleans())
def test_after_any_history_the_table_is_the_vendors_list(
    undated: Any, clock: Callable[[str], None], events: list[Any], started: bool
) -> None:
    world = World(
        seed=3, stocks=40, delisted=60, otc=0, crypto=0, fx=0, indices=0, now=NOW, undated=undated
    )
    with Sandbox(world, plan=Plan.unlimited()) as sandbox:
        connection = Connection(sandbox)
        if started:
            connection.sync()
        for event in events:
            # What a first sync emitted before it died is not known to the next one.
            assume(connection.cursor or not connection.table or "700" not in repr(event))
            clock(world.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
            run(connection, sandbox, event)
        clock(world.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        connection.sync()
        assert in_order(connection.table.values()) == truth(world)
