"""The connection check: what the key covers, found out by few small requests.

One for each chosen market and for each product that only `symbols` names; then one for each plan
that streams need, as far as the pace lets them be sent without waiting. On the free plan that is
five requests, whatever the number of streams. Of flat files the list and a byte of each dataset.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from airbyte_cdk.models import AirbyteConnectionStatus, FailureType, Status
from airbyte_cdk.sources.types import StreamSlice
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_polygon.errors import NotInPlan, not_in_plan
from source_polygon.sessions import BAR_MARKETS, last_finished, sessions
from source_polygon.streams.flat import check as flat_check
from source_polygon.vendor.answers import Reason, Refused
from source_polygon.vendor.budget import pace_of
from source_polygon.vendor.flat_files import PRODUCT as FLAT_FILES
from source_polygon.vendor.products import product_of, product_of_symbol
from source_polygon.vendor.questions import Vendor, needed

_OF_THE_PLAN: Final = (Reason.NOT_YET, Reason.OUTSIDE_HISTORY, Reason.NOT_ENTITLED)


@dataclass
class Found:
    """What has been found out.

    Attributes:
        readable: how many questions were answered with data.
        refused: a sentence for each that the plan does not cover.
        asked: requests by product.
    """

    readable: int = 0
    refused: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    def ask(self, product: str, question: Callable[[], object]) -> None:
        """Put a question and note the answer.

        Raises:
            AirbyteTracedException: it was not answered, for another reason than the plan.
        """
        self.asked[product] += 1
        try:
            question()
        except NotInPlan as refusal:
            if refusal.message not in self.refused:
                self.refused.append(refusal.message or "")
        else:
            self.readable += 1


def status(
    config: Mapping[str, Any],
    streams: Mapping[str, Mapping[str, Any]],
    vendor: Callable[[str], Vendor],
) -> AirbyteConnectionStatus:
    """Return whether anything can be read with the key, and all that is known not to be covered.

    Args:
        config: a valid configuration.
        streams: what the manifest says of the streams that are read whole, by name.
        vendor: returns the vendor, to be asked for the path of a stream.
    """
    found = Found()
    try:
        for product, question in _chosen(config, vendor):
            found.ask(product, question)
        for asset_class in config.get("flat_files", {}).get("asset_classes", ()):
            found.ask(FLAT_FILES, partial(flat_check.ask_for, asset_class, config))
    except AirbyteTracedException as error:
        # The key, the address or the network: no answer for one, none for any.
        sentences = [*found.refused, error.message or "The check failed."]
        return AirbyteConnectionStatus(status=Status.FAILED, message=" ".join(sentences))
    more = list(_ask_for_plans(config, streams, vendor, found))
    text = " ".join([*found.refused, *more])
    succeeded = Status.SUCCEEDED if found.readable else Status.FAILED
    return AirbyteConnectionStatus(status=succeeded, message=text or None)


def _chosen(
    config: Mapping[str, Any], vendor: Callable[[str], Vendor]
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Return a product and a question for it, for all that the configuration names."""
    products = set()
    for market in config["markets"]:
        if market in BAR_MARKETS:
            products.add(market)
            yield market, partial(_bars, vendor("grouped_daily"), market)
        else:
            params = {"market": market, "limit": 1}
            yield "stocks", partial(vendor("tickers").ask, request_params=params)
    for symbol in config["symbols"]:
        product = product_of_symbol(symbol)
        if "*" not in symbol and product not in products:
            products.add(product)
            yield product, partial(_bars_of_a_symbol, vendor("tickers"), symbol)


def _bars(bars: Vendor, market: str) -> None:
    # Not the very last session: some plans get it hours after the close, which is not a failure.
    last = last_finished(market)
    day = sessions(market, last - timedelta(days=10), last)[-2]
    session = StreamSlice(partition={"market": market}, cursor_slice={"date": day.isoformat()})
    of_a_day = (Reason.NOT_YET, Reason.OUTSIDE_HISTORY)
    answer = bars.ask_or_be_refused(of_a_day, stream_slice=session)
    if isinstance(answer, Refused) and answer.reason is not Reason.NOT_YET:
        raise not_in_plan(
            f"Polygon.io serves no {market} bars of {day}, a recent session: {answer.words} Take "
            f"{market} out of `markets`, or upgrade the plan; and compare this machine's clock."
        )


def _bars_of_a_symbol(vendor: Vendor, symbol: str) -> None:
    """Ask for the bars of the week before last, which every plan for the product has."""
    end = last_finished("stocks") - timedelta(days=7)
    days = f"{end - timedelta(days=7)}/{end}"
    path = f"/v2/aggs/ticker/{quote(symbol, safe='')}/range/1/day/{days}"
    vendor.ask(path=vendor.base_url + path, request_params={"limit": 1})


def _ask_for_plans(
    config: Mapping[str, Any],
    streams: Mapping[str, Mapping[str, Any]],
    vendor: Callable[[str], Vendor],
    found: Found,
) -> Iterator[str]:
    """Ask for a stream of each plan that not everybody has; return what else there is to say."""
    plans: dict[str, list[str]] = {}
    for name, stream in streams.items():
        plan = stream["retriever"]["plan"]
        if needed(plan) and "requester" in stream["retriever"]:
            plans.setdefault(plan, []).append(name)
    unasked: list[str] = []
    reachable = True
    for plan, names in plans.items():
        retriever = streams[names[0]]["retriever"]
        product = product_of(retriever["requester"]["url"])
        if not reachable or found.asked[product] >= pace_of(config, product):
            unasked += names
            continue
        params = {"limit": 1} if "page_size" in retriever else {}
        question = partial(_of_a_plan, vendor(names[0]), names, plan, params)
        try:
            found.ask(product, question)
        except AirbyteTracedException as error:
            reachable = error.failure_type is not FailureType.transient_error
            yield f"Whether the key covers {', '.join(names)} is not known: {error.message}"
    if unasked:
        yield (
            f"Not asked{', to stay within the pace' if reachable else ''}: {', '.join(unasked)}. "
            "The first sync shows whether the key covers them."
        )


def _of_a_plan(vendor: Vendor, names: list[str], plan: str, params: Mapping[str, Any]) -> None:
    """Ask for the first of some streams that need the same plan."""
    answer = vendor.ask_or_be_refused(_OF_THE_PLAN, request_params=params)
    if isinstance(answer, Refused):
        words = answer.words or "No reason given."
        others = f" Most likely it lacks {', '.join(names[1:])} too." if names[1:] else ""
        raise not_in_plan(
            f"The plan of this API key does not cover {names[0]}: {words} {needed(plan)}"
            f"Upgrade the plan, or leave the stream out.{others}"
        )
