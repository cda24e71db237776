"""How many requests a minute are sent, for each product of the vendor on its own.

Should the vendor count all products of a key together, it answers 429 although each product keeps
its pace. From then on those without a number of their own share one, so that such a sync is slower
but does not starve: two products at their own pace would take turns at being refused.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any, Final

import requests
from airbyte_cdk.sources.streams.call_rate import (
    AbstractAPIBudget,
    CallRateLimitHit,
    MovingWindowCallRatePolicy,
    Rate,
)

from source_polygon.vendor.products import product_of
from source_polygon.vendor.tally import TALLY

LOGGER = logging.getLogger("airbyte")

WINDOW: Final = timedelta(seconds=62)
"""Five a minute still tripped the vendor's limit when paced exactly, so our minute is longer."""


@dataclass(frozen=True)
class Pace:
    """One limit.

    Attributes:
        policy: counts the requests of the last window.
        turn: held by the one who waits for the window, so that nobody overtakes him.
    """

    policy: MovingWindowCallRatePolicy
    turn: Lock = field(default_factory=Lock)


class Budget(AbstractAPIBudget):
    """The pace of all streams and workers of a process, retries included."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Make it from the configuration; see `pace_of`."""
        self._config = config
        self._lock = Lock()
        self._paces: dict[str, Pace] = {}
        self._shared: Pace | None = None

    def acquire_call(
        self, request: requests.PreparedRequest, block: bool = True, timeout: float | None = None
    ) -> None:
        """Wait until `request` may be sent. The CDK never asks for another way to wait."""
        product = product_of(request.url or "")
        sent = False
        while not sent:
            pace = self._pace(product)
            with pace.turn:
                if pace is self._pace(product):
                    sent = _may_go(product, pace.policy)
        TALLY.sends(product)

    def get_matching_policy(self, request: requests.PreparedRequest) -> MovingWindowCallRatePolicy:
        """Return what limits `request`."""
        return self._pace(product_of(request.url or "")).policy

    def update_from_response(
        self, request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """On 429 let nothing more pass in this window."""
        if response.status_code != 429:
            return
        product = product_of(request.url or "")
        if product not in own_numbers(self._config):
            self._share(product)
        self._pace(product).policy.update(available_calls=0, call_reset_ts=None)

    def _pace(self, product: str) -> Pace:
        with self._lock:
            if self._shared and product not in own_numbers(self._config):
                return self._shared
            if product not in self._paces:
                self._paces[product] = self._new(pace_of(self._config, product))
            return self._paces[product]

    def _new(self, limit: int) -> Pace:
        return Pace(MovingWindowCallRatePolicy([Rate(limit, WINDOW)], matchers=[]))

    def _share(self, product: str) -> None:
        with self._lock:
            used = self._paces.keys() - own_numbers(self._config)
            if self._shared or len(used) < 2:
                return
            limit = self._config["requests_per_minute"]
            self._shared = self._new(limit)
        LOGGER.warning(
            "The vendor answers 429 for %s, though no more than %d requests a minute are sent for "
            "it. It may count all products of the key together: from here on those without a "
            "number of their own share %d requests a minute.",
            *(product, limit, limit),
        )


def own_numbers(config: Mapping[str, Any]) -> Mapping[str, int]:
    """Return the requests a minute of the products to which the configuration gives a number."""
    return config.get("requests_per_minute_by_product") or {}


def pace_of(config: Mapping[str, Any], product: str) -> int:
    """Return the requests a minute of a product: its own number, or that of all."""
    return int(own_numbers(config).get(product) or config["requests_per_minute"])


def _may_go(product: str, policy: MovingWindowCallRatePolicy) -> bool:
    """Return True for a request that fits in the window; else wait for it and return False."""
    try:
        policy.try_acquire(product, weight=1)
    except CallRateLimitHit as full:
        with TALLY.waiting(product):
            time.sleep(max(0.0, full.time_to_wait.total_seconds()))
        return False
    return True
