"""The connection check: one request per chosen market, each kind of failure told apart."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.types import StreamSlice
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.sessions import BAR_MARKETS, last_finished, sessions
from source_polygon.vendor.answers import Reason, Refused
from source_polygon.vendor.questions import Vendor


def failures(config: Mapping[str, Any], bars: Vendor, tickers: Vendor) -> list[str]:
    """Return one sentence for each market that cannot be read, or for what concerns them all.

    Args:
        config: a valid configuration.
        bars: the vendor, asked for grouped daily bars.
        tickers: the vendor, asked for the tickers of markets that have no daily bars.
    """
    found: list[str] = []
    for market in config["markets"]:
        try:
            if market in BAR_MARKETS:
                sentence = _bars_failure(bars, market)
            else:
                sentence = None
                tickers.ask(request_params={"market": market, "limit": 1})
        except AirbyteTracedException as error:
            sentence = error.message or "The check failed."
            if error.failure_type is FailureType.transient_error:
                # No answer for one market, no answer for any; each attempt takes half a minute.
                return [*found, sentence]
        if sentence and sentence not in found:
            found.append(sentence)
    return found


def _bars_failure(bars: Vendor, market: str) -> str | None:
    # Not the very last session: some plans get it hours after the close, which is no failure.
    last = last_finished(market)
    day = sessions(market, last - timedelta(days=10), last)[-2]
    session = StreamSlice(partition={"market": market}, cursor_slice={"date": day.isoformat()})
    of_a_day = (Reason.NOT_YET, Reason.OUTSIDE_HISTORY)
    answer = bars.ask_or_be_refused(of_a_day, stream_slice=session)
    if not isinstance(answer, Refused) or answer.reason is Reason.NOT_YET:
        return None
    return (
        f"Polygon.io serves no {market} bars of {day}, a recent session: {answer.words} "
        f"Take {market} out of `markets`, or upgrade the plan; and compare this machine's clock."
    )
