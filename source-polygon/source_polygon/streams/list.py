"""Lists that come in one piece: exchanges, ticker types, market holidays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.declarative.requesters.requester import Requester
from airbyte_cdk.sources.declarative.retrievers.retriever import Retriever
from airbyte_cdk.sources.types import Record, StreamSlice
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.vendor.answers import rows
from source_polygon.vendor.ask import ask_for_rows


@dataclass
class ListRetriever(Retriever):
    """Reads a list of which the vendor always has rows.

    Attributes:
        requester: sends the one request.
        name: name of the stream.
        primary_key: fields that each row must have.
    """

    requester: Requester
    name: str
    primary_key: list[str]

    def read_records(
        self, records_schema: Mapping[str, Any], stream_slice: StreamSlice | None = None
    ) -> Iterable[Record]:
        """Return the rows as the vendor sends them.

        Raises:
            AirbyteTracedException: no usable answer, or a row without its key (system_error).
        """
        slice_ = stream_slice or StreamSlice(partition={}, cursor_slice={})
        response = ask_for_rows(self.requester, f"{self.name} has no rows", stream_slice=slice_)
        for row in rows(response):
            fault = self._fault(row)
            if fault:
                text = f"A row of {self.name} {fault}: {str(row)[:200]}. Nothing is left out."
                raise AirbyteTracedException(
                    message=text, internal_message=text, failure_type=FailureType.system_error
                )
            yield Record(data=row, stream_name=self.name, associated_slice=slice_)

    def _fault(self, row: Any) -> str:
        if not isinstance(row, dict):
            return "is not an object"
        missing = [field for field in self.primary_key if row.get(field) is None]
        return f"has no {' and no '.join(missing)}" if missing else ""
