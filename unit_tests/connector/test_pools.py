"""Products of the vendor are read side by side: none waits for the budget of another."""

import time
from collections.abc import Callable
from threading import Event

import pytest
from pyrate_limiter import TimeClock
from source_polygon import SourcePolygon
from source_polygon.engine.pools import SideBySide

from unit_tests.connector.syncing import Syncs


def test_a_product_that_waits_for_its_budget_holds_up_no_other(
    syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    crypto_is_read, waited = Event(), [0.0]
    in_time: list[bool] = []
    crypto: list[str] = []

    def served(path: str, _: object) -> None:
        if "/crypto/" in path:
            crypto.append(path)
            if len(crypto) == 18:
                crypto_is_read.set()

    def wait(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        if seconds < 30:  # not for a budget
            sleep(seconds)
            return
        in_time.append(crypto_is_read.wait(60 if all(in_time) else 0))
        waited[0] += seconds

    syncs.sandbox.on_request(served)
    monkeypatch.setattr("time.sleep", wait)
    monkeypatch.setattr(TimeClock, "now", lambda _: int(1000 * (time.time() + waited[0])))
    syncs.read(
        "grouped_daily",
        markets=["stocks", "crypto"],
        requests_per_minute_by_product={"stocks": 1},
        num_workers=1,
    )
    assert in_time == [True] * 14  # the first of 15 sessions of stocks waits for nothing
    assert len(crypto) == 18


def test_the_cdk_keeps_the_manager_of_its_threads_where_ours_is_put() -> None:
    source = SourcePolygon(config={"api_key": "k-0123456789", "start_date": "2026-11-02"})
    assert isinstance(source.manifest._concurrent_source._threadpool, SideBySide)
