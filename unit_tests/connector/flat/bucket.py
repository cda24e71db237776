"""A bucket of flat files, what a table of them must have, and syncs that read them."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from polygon_sandbox import Fault
from polygon_sandbox.flat_files import FlatFiles

from unit_tests.connector.syncing import KEYS, Row, Syncs

NOW = "2026-11-20T22:30:00Z"
START = "2026-11-13"
STREAMS = {
    "flat_day_bars": "day_aggs_v1",
    "flat_minute_bars": "minute_aggs_v1",
    "flat_trades": "trades_v1",
    "flat_quotes": "quotes_v1",
}
CLASSES = {
    "stocks": "us_stocks_sip",
    "options": "us_options_opra",
    "indices": "us_indices",
    "crypto": "global_crypto",
    "fx": "global_forex",
    "futures_cme": "us_futures_cme",
}
each_stream = pytest.mark.parametrize("stream", ["flat_minute_bars", "flat_trades"])


class FlatSyncs(Syncs):
    """Syncs with `flat_files` filled in; `flat` is what differs."""

    def config(self, *, flat: Row | None = None, **overrides: Any) -> Row:
        chosen = {
            "access_key_id": self.sandbox.flat_files.access_key_id,
            "secret_access_key": self.sandbox.key,
            "endpoint": self.sandbox.url,
            **(flat or {}),
        }
        return super().config(**{"start_date": START, "flat_files": chosen, **overrides})


def key(day: str, stream: str = "flat_minute_bars", asset_class: str = "stocks") -> str:
    folder = f"{CLASSES[asset_class]}/{STREAMS[stream]}"
    return f"{folder}/{day[:4]}/{day[5:7]}/{day}.csv.gz"


def in_the_bucket(files: FlatFiles, stream: str, asset_class: str) -> list[str]:
    """Return what the table must have, read from the files by Python's own csv."""
    folder = f"{CLASSES[asset_class]}/{STREAMS.get(stream)}/"
    if asset_class.startswith("futures"):
        folder = folder.replace("day_aggs", "session_aggs")
    found = []
    for name in files.keys(folder):
        stored, day = files.get(name), name[-17:-7]
        assert stored is not None
        if day < START:
            continue
        text = io.StringIO(gzip.decompress(stored.body).decode())
        for number, row in enumerate(csv.DictReader(text), 1):
            shared = {"asset_class": asset_class, "file_date": day}
            shared["file_modified_utc"] = f"{stored.last_modified:%Y-%m-%dT%H:%M:%SZ}"
            place = {"file_row": number} if "file_row" in KEYS[stream] else {}
            found.append(told({**shared, **place, **{k: v for k, v in row.items() if v}}))
    return sorted(found)


def told(row: Row) -> str:
    """Return a row as text, numbers as they are written and the UTC time proven and left out."""
    row = dict(row)
    for name in ("window_start_utc", "timestamp_utc"):
        if name in row:
            times = ("window_start", "sip_timestamp", "participant_timestamp", "timestamp")
            nanoseconds = next(int(row[each]) for each in times if each in row)
            stamp = row.pop(name)
            seconds = date.fromisoformat(stamp[:10]).toordinal() - date(1970, 1, 1).toordinal()
            for part, of in zip(stamp[11:19].split(":"), (24, 60, 60), strict=True):
                seconds = seconds * of + int(part)
            assert f"{nanoseconds}" == f"{seconds}{stamp[20:29]}"
    for name in ("conditions", "indicators"):
        if isinstance(row.get(name), list):
            row[name] = ",".join(map(str, row[name]))
    return json.dumps({name: _number(value) for name, value in row.items()}, sort_keys=True)


def _number(value: Any) -> str:
    text = str(value)
    try:
        return f"{float(text):.12g}" if len(text) < 15 else text
    except ValueError:
        return text


def table(syncs: Syncs, stream: str) -> list[str]:
    return sorted(told(row) for row in syncs.tables[stream].values())


def newest(syncs: Syncs, stream: str) -> list[str]:
    """Return the rows of the newest version of each file: what the recipe of the docs keeps."""
    last: dict[tuple[str, str], str] = {}
    for row in syncs.tables[stream].values():
        of = (row["asset_class"], row["file_date"])
        last[of] = max(last.get(of, ""), row["file_modified_utc"])
    return sorted(
        told(row)
        for row in syncs.tables[stream].values()
        if row["file_modified_utc"] == last[row["asset_class"], row["file_date"]]
    )


def gets(syncs: Syncs) -> list[str]:
    return [
        request.path[-17:-7] for request in syncs.sandbox.requests if request.path[-3:] == ".gz"
    ]


def has(stream: str, asset_class: str) -> bool:
    without = {"flat_trades": ("fx", "indices"), "flat_quotes": ("crypto", "indices")}
    return asset_class not in without.get(stream, ())


def rewritten(change: Callable[[bytes], bytes], path: str) -> Fault:
    return Fault(
        "rewritten",
        lambda reply, _: replace(reply, body=gzip.compress(change(gzip.decompress(reply.body)))),
        path,
        times=None,
    )
