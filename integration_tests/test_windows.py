"""Windows of times: no row is lost between two of them, or read in both; in both editions."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from polygon_sandbox import DatasetSize, Plan, Sandbox, World

from unit_tests.connector.cloud_syncing import CloudSyncs
from unit_tests.connector.syncing import Row, Syncs

NOW, START = "2026-11-20T22:30:00Z", "2026-11-02"
NEWS, GUIDANCE = "/v2/reference/news", "/benzinga/v1/guidance"

both_editions = pytest.mark.parametrize("edition", [Syncs, CloudSyncs])


@pytest.fixture
def world() -> World:
    size = DatasetSize(days=14, rows_a_day=1)
    return World(
        seed=7, stocks=3, delisted=0, otc=0, crypto=0, fx=0, indices=0, now=NOW, datasets=size
    )


@pytest.fixture
def sandbox(world: World, clock: Callable[[str], None]) -> Iterator[Sandbox]:
    clock(NOW)
    with Sandbox(world, Plan.unlimited()) as running:
        yield running


def days_of(rows: list[Row], field: str) -> Counter[str]:
    return Counter(row[field] for row in rows)


@both_editions
def test_rows_at_the_edges_come_once(sandbox: Sandbox, edition: type[Syncs]) -> None:
    # Windows of news are weeks, of guidance, whose filter compares texts, 30 days.
    edges = ["2026-11-02T00:00:00Z", "2026-11-08T23:59:59Z", "2026-11-08T23:59:59.999999999Z"]
    edges += ["2026-11-09T00:00:00Z", "2026-11-15T23:59:59.5Z", "2026-11-16T00:00:00Z"]
    for edge in [*edges, "2026-11-01T23:59:59Z"]:
        sandbox.world.dataset(NEWS).insert(published_utc=edge)
        sandbox.world.dataset(GUIDANCE).insert(last_updated=edge)
    output = edition(sandbox).read("news", "benzinga_guidance", start_date=START)
    assert output.errors == []
    for stream, field in (("news", "published_utc"), ("benzinga_guidance", "last_updated")):
        came = days_of(output.records(stream), field)
        assert [came[edge] for edge in edges] == [1] * len(edges), stream
        assert came["2026-11-01T23:59:59Z"] == 0


@both_editions
def test_an_evening_in_new_york_is_read_before_it_is_over(
    sandbox: Sandbox, clock: Callable[[str], None], edition: type[Syncs]
) -> None:
    now = "2026-11-21T02:30:00Z"  # still the 20th in New York
    clock(now)
    sandbox.world.advance(to=now)
    sandbox.world.dataset(NEWS).insert(id="late", published_utc="2026-11-21T02:00:00Z")
    syncs = edition(sandbox)
    output = syncs.read("news", start_date=START)
    assert "late" in {row["id"] for row in output.records("news")}
    # The state stays where the next sync finds what comes after.
    sandbox.world.dataset(NEWS).insert(id="later", published_utc="2026-11-21T03:00:00Z")
    output = syncs.read("news", start_date=START)
    assert "later" in {row["id"] for row in output.records("news")}


@both_editions
def test_a_changed_row_comes_again_by_its_stamp_and_not_by_its_date(
    sandbox: Sandbox, world: World, clock: Callable[[str], None], edition: type[Syncs]
) -> None:
    rows = world.dataset(GUIDANCE)
    old = {"benzinga_id": "old", "date": "2026-11-03", "last_updated": "2026-11-03T10:00:00Z"}
    rows.insert(**old, notes="first")
    syncs = edition(sandbox)
    syncs.read("benzinga_guidance", start_date=START)
    later = "2026-12-18T22:30:00Z"
    world.advance(to=later)
    clock(later)
    rows.change({"benzinga_id": "old"}, notes="mended", last_updated="2026-12-17T10:00:00Z")
    syncs.sandbox.clear_requests()
    syncs.read("benzinga_guidance", start_date=START)
    assert syncs.tables["benzinga_guidance"]["old",]["notes"] == "mended"
    first = min(request.query["last_updated.gte"] for request in sandbox.requests)
    assert "2026-11-12" <= first <= "2026-11-13"  # a week back from the last sync


@both_editions
def test_a_day_that_is_read_once_is_read_when_it_is_complete(
    sandbox: Sandbox, world: World, clock: Callable[[str], None], edition: type[Syncs]
) -> None:
    rows = world.dataset("/stocks/filings/vX/13-F")
    syncs, days = edition(sandbox), Counter[str]()
    for now in (NOW, "2026-11-21T22:30:00Z", "2026-11-21T23:30:00Z", "2026-11-25T22:30:00Z"):
        clock(now)
        world.advance(to=now)
        rows.insert(filing_date=now[:10], cusip=f"at {now}")
        output = syncs.read("holdings_13f", start_date=START)
        days += days_of(output.records("holdings_13f"), "filing_date")
        until = {"20": "2026-11-17", "21": "2026-11-18", "25": "2026-11-22"}[now[8:10]]
        assert max([*days, "2026-11-17"]) <= until
    due = Counter(row["filing_date"] for row in rows.rows() if row["filing_date"] <= "2026-11-22")
    assert days == due
    assert due["2026-11-21"] == 3


@pytest.mark.parametrize("stream", ["news", "futures_schedules", "holdings_13f", "float"])
def test_the_cloud_edition_resumes_from_each_state(sandbox: Sandbox, stream: str) -> None:
    whole = CloudSyncs(sandbox)
    messages = whole.read(stream, start_date=START, num_workers=4).messages
    due = {str(row) for row in whole.tables[stream].values()}
    assert due
    cuts = [n for n, message in enumerate(messages, 1) if message["type"] == "STATE"]
    for cut in {cuts[0], cuts[len(cuts) // 2], cuts[-1]}:
        resumed = CloudSyncs(sandbox)
        resumed.load(messages[:cut])
        resumed.read(stream, start_date=START)
        rows = [str(row) for row in resumed.tables[stream].values()]
        assert set(rows) == due
        # Without a key, what other workers were at comes twice.
        assert len(rows) <= len(due) + (8 if stream == "holdings_13f" else 0)
