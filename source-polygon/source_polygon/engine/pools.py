"""The threads of a sync: products of the vendor are read side by side.

In the CDK's one queue, slices that wait for the budget of their product would hold up those of a
product that need not wait.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airbyte_cdk.sources.concurrent_source.thread_pool_manager import ThreadPoolManager
from airbyte_cdk.sources.streams.concurrent.partitions.partition import Partition


class SideBySide(ThreadPoolManager):
    """Runs each product's slices in threads of its own, first come, first served."""

    def __init__(
        self,
        generators: ThreadPoolExecutor,
        logger: logging.Logger,
        product: Callable[[Partition], str],
        at_once: int,
    ) -> None:
        """Make it.

        Args:
            generators: runs all else: what hands out the slices.
            logger: the CDK's.
            product: returns the product for which the requests of a slice count.
            at_once: how many slices of a product are read at the same time.
        """
        super().__init__(generators, logger)
        self._product = product
        self._at_once = at_once
        self._pools: dict[str, ThreadPoolExecutor] = {}

    def submit(self, function: Callable[..., Any], *args: Any) -> None:
        """Run `function`, in its turn, in a thread for its product."""
        pool = self._pool(args[0]) if isinstance(args[0], Partition) else self._threadpool
        self._futures.append(pool.submit(function, *args))

    def _pool(self, partition: Partition) -> ThreadPoolExecutor:
        product = self._product(partition)
        if product not in self._pools:
            self._pools[product] = ThreadPoolExecutor(self._at_once, f"read-{product}")
        return self._pools[product]

    def _shutdown(self) -> None:
        super()._shutdown()
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
