"""Rows of a response, for streams whose list comes in one piece."""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

import requests
from airbyte_cdk.sources.declarative.extractors.record_extractor import RecordExtractor

from source_polygon.vendor.answers import payload


@dataclass
class ResultsExtractor(RecordExtractor):
    """Returns `results`, or the body itself where it is a bare list.

    The error handler has judged the body before; nothing broken gets here as zero rows.
    """

    def extract_records(self, response: requests.Response) -> Iterable[MutableMapping[str, Any]]:
        """Return the rows of `response`."""
        body = payload(response)
        return body if isinstance(body, list) else body.get("results") or []
