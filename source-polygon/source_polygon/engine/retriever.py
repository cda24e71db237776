"""What every kind does with a slice: wait for its turn, read, emit, say what it reaches."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic

from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.sources.declarative.retrievers.retriever import Retriever
from airbyte_cdk.sources.types import Config, Record, StreamSlice

from source_polygon.engine.lanes import L, LaneEnds, LaneSlice, T
from source_polygon.engine.output import Leaving, Output, one_by_one
from source_polygon.vendor.products import product_of
from source_polygon.vendor.questions import Vendor


@dataclass
class PolygonRetriever(Retriever):
    """What the retrievers of all kinds have.

    Attributes:
        config: the connector's configuration.
        requester: sends the requests of the stream.
        name: name of the stream.
        plan: the vendor's plan that it needs, in the words of its file.
        output: how records leave, see `engine.output`; `engine.cdk` sets it.
        unit: what a slice of the stream is called, for the estimate of a sync.
        one_page: whether a slice takes one request. Of the others only the least is known.
    """

    unit: ClassVar[str] = "window"
    one_page: ClassVar[bool] = False

    config: Config
    requester: Requester
    name: str
    plan: str = field(default="", kw_only=True)
    output: Output = field(init=False, default=staticmethod(one_by_one))
    _products: dict[tuple[str, ...], str] = field(init=False, default_factory=dict)

    def product(self, stream_slice: StreamSlice) -> str:
        """Return the product for which the requests of a slice count, by its address or symbol.

        It is the same for all slices of a lane.
        """
        lane = tuple(map(str, stream_slice.partition.values()))
        if lane not in self._products:
            url = self.requester.get_url(
                stream_state=None, stream_slice=stream_slice, next_page_token=None
            )
            self._products[lane] = product_of(url, *lane)
        return self._products[lane]

    @property
    def least_requests(self) -> int:
        """The requests that a slice takes at least."""
        return 1

    def planned(self) -> Iterator[StreamSlice]:
        """Return the slices of a stream that keeps no state; one, where it is read whole."""
        yield StreamSlice(partition={}, cursor_slice={})

    @property
    def vendor(self) -> Vendor:
        """The vendor, to be asked for this stream."""
        return Vendor(self.requester, self.config["base_url"], plan=self.plan)

    @property
    def vendor_as_written(self) -> Vendor:
        """The same, for rows that leave as the vendor wrote them."""
        return replace(self.vendor, as_written=True)


@dataclass
class LaneRetriever(PolygonRetriever, Generic[L, T]):
    """Reads one slice of a lane.

    A failure stops the lane: reading on past a hole would only have to be repeated.
    """

    @abstractmethod
    def rows(self, lane: L, task: T) -> Iterator[Leaving]:
        """Return the records of a slice, one by one or a page at a time.

        Raises:
            LaneEnds: it is not to be read in this sync; before the first record.
            AirbyteTracedException: the vendor's answer was broken, or refused for good.
        """

    @abstractmethod
    def checkpoint(self, lane: L, task: T) -> Mapping[str, Any] | None:
        """Return the checkpoint that a slice reaches once `rows` has ended; None for no new one."""

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return the records of `stream_slice`, a `LaneSlice`."""
        if not isinstance(stream_slice, LaneSlice):
            raise TypeError(f"{self.name} is read by the slices of its own cursor")
        lane, task = stream_slice.lane, stream_slice.task
        if not lane.enter(stream_slice.position):
            return
        try:
            yield from self.output(self.name, self.rows(lane, task), stream_slice)
            stream_slice.checkpoint = self.checkpoint(lane, task)
        except LaneEnds:
            lane.stop()
            return
        except Exception:
            lane.stop()
            raise
        stream_slice.complete = True
