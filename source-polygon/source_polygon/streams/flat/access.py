"""What the configuration says of flat files, which there are, and what a refusal may mean."""

from collections.abc import Mapping
from typing import Any, Final

from source_polygon.errors import NotInPlan, not_in_plan
from source_polygon.vendor.flat_files import PREFIXES, Access
from source_polygon.vendor.flat_refusals import FilesRefused

_FUTURES: Final = [each for each in PREFIXES if each.startswith("futures")]
_STOCKS: Final = ["stocks", "options"]

_DATASETS: Final = {
    "day_aggs": {
        **dict.fromkeys([*_STOCKS, "indices", "fx", "crypto"], "day_aggs_v1"),
        **dict.fromkeys(_FUTURES, "session_aggs_v1"),
    },
    "minute_aggs": dict.fromkeys(PREFIXES, "minute_aggs_v1"),
    "trades": dict.fromkeys([*_STOCKS, "crypto", *_FUTURES], "trades_v1"),
    "quotes": dict.fromkeys([*_STOCKS, "fx", *_FUTURES], "quotes_v1"),
}


def datasets(kind: str) -> Mapping[str, str]:
    """Return where the vendor keeps a kind of file, by the asset classes that have it."""
    return _DATASETS[kind]


def access_of(config: Mapping[str, Any]) -> Access:
    """Return how the files are reached by a configuration that has `flat_files`."""
    chosen = config["flat_files"]
    return Access(
        chosen["access_key_id"],
        chosen["secret_access_key"],
        str(chosen["endpoint"]).rstrip("/"),
        chosen["bucket"],
    )


def refused(what: str, asset_class: str, refusal: FilesRefused) -> NotInPlan:
    """Return the error for files that a good key pair may not have.

    Args:
        what: the stream, or what else asked.
        asset_class: whose files.
        refusal: how they were refused.
    """
    if refusal.entitlement:
        why = f"The plan lacks {refusal.entitlement!r}. Upgrade it"
    else:
        why = (
            "The key pair itself is good. Either the market data agreement is not signed (look in "
            "the dashboard), or the plan does not cover them: S3 does not tell which. Mend that"
        )
    return not_in_plan(
        f"{what}: the flat files of {asset_class} are refused to this key pair: {refusal.words} "
        f"{why}, or take {asset_class} out of flat_files.asset_classes."
    )
