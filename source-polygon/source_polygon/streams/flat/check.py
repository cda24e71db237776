"""What the connection check finds out about flat files: which of them the key pair may read."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from source_polygon.errors import not_in_plan
from source_polygon.sessions import new_york_today
from source_polygon.streams.flat.access import access_of, datasets, refused
from source_polygon.vendor.flat_files import flat_files
from source_polygon.vendor.flat_refusals import FilesRefused, NoSuchFile

_STREAMS: Final = {
    "day_aggs": "flat_day_bars",
    "minute_aggs": "flat_minute_bars",
    "trades": "flat_trades",
    "quotes": "flat_quotes",
}

_DAYS: Final = timedelta(days=7)


def ask_for(asset_class: str, config: Mapping[str, Any]) -> None:
    """List the last days' files of an asset class, and ask for the first byte of a recent one.

    Raises:
        NotInPlan: some are refused to the key pair, which itself is good.
        AirbyteTracedException: no usable answer; a wrong pair or clock is said by name.
    """
    refusals: dict[str, FilesRefused] = {}
    nothing: list[str] = []
    files = flat_files(access_of(config))
    for kind, stream in _STREAMS.items():
        if asset_class not in datasets(kind):
            continue
        try:
            listed = files.listed(
                asset_class, datasets(kind)[asset_class], new_york_today() - _DAYS
            )
            if listed:
                # Not the very last: some plans get it later.
                files.probe(listed[-2:][0].key)
            else:
                nothing.append(stream)
        except FilesRefused as refusal:
            refusals[stream] = refusal
        except NoSuchFile:
            pass  # it was replaced at this moment
    if refusals:
        raise refused(", ".join(refusals), asset_class, next(iter(refusals.values())))
    if nothing:
        raise not_in_plan(
            f"The bucket lists no files of {asset_class} of the last {_DAYS.days} days for "
            f"{', '.join(nothing)}. Compare flat_files.endpoint and flat_files.bucket with the "
            f"dashboard, or take {asset_class} out of flat_files.asset_classes."
        )
