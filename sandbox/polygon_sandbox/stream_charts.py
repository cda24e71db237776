"""The figures of the streaming demo's report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from polygon_sandbox.charts import Figure, clock, nice
from polygon_sandbox.stream_watch import Quantiles


class Outage(NamedTuple):
    """A stretch of time without a connection, in seconds since 1970 UTC."""

    since: float
    until: float

    def __str__(self) -> str:
        return f"no connection for {self.until - self.since:.1f} s"


class Second(NamedTuple):
    """Bars that end in one second of the market and pass the rules."""

    moment: int
    made: int
    streamed: int
    healed: int


class Candle(NamedTuple):
    """One candle of a symbol: prices in US dollars, volume in shares."""

    start: float
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Latency:
    """How old records are, since the socket, where they come to.

    Attributes:
        place: `raw`, `clean`, `table`.
        words: the same in words.
        all: of all records.
        by_second: by the second in which they were received.
    """

    place: str
    words: str
    all: Quantiles
    by_second: dict[int, Quantiles]


def throughput(seconds: Sequence[Second], outages: Sequence[Outage]) -> str:
    """Return bars by second: what was streamed, what was healed, what there had to be."""
    most = max(max(s.made, s.streamed + s.healed) for s in seconds)
    figure = Figure(
        seconds[0].moment - 1,
        seconds[-1].moment + 1,
        0,
        most * 1.18,
        "bars in the table, a second",
        described="Bars by the second of the market in which they ended",
    )
    for outage in outages:
        figure.shade(*outage, str(outage))
    for s in seconds:
        when = f"{clock(s.moment)}: {s.streamed:,} streamed, {s.healed:,} healed, {s.made:,} made"
        figure.bar("streamed", s.moment, 0.78, 0, s.streamed, when)
        if s.healed:
            figure.bar("healed", s.moment, 0.78, s.streamed, s.streamed + s.healed, when)
    figure.line("wanted", [(s.moment, s.made) for s in seconds], 1.5)
    return _key(
        ("streamed", "came by the stream"),
        ("healed", "missed by the stream, brought by heal"),
        ("wanted", "made by the market, passing the rules"),
    ) + figure.svg()  # fmt: skip


def latency(places: Sequence[Latency], outages: Sequence[Outage], first: int, last: int) -> str:
    """Return, second by second, how old records are where they come to."""
    every = [value for place in places for each in place.by_second.values() for value in each]
    figure = Figure(
        first - 1,
        last + 1,
        max(0.001, min(every) * 0.8),
        max(every) * 1.3,
        "since the socket",
        height=320,
        is_log=True,
        says=duration,
        described="Time since receipt at the socket, by the second of receipt",
    )
    for outage in outages:
        figure.shade(*outage, str(outage))
    for place in places:
        halves = [(second, found.p50) for second, found in place.by_second.items()]
        tails = [(second, found.p99) for second, found in place.by_second.items()]
        figure.line(f"{place.place} dashed", tails, 2.5)
        figure.line(place.place, halves, 2.5)
        figure.dots(
            place.place,
            [
                (second, found.p50, f"{clock(second)} {place.words}: median {duration(found.p50)}, "
                 f"99 in a hundred {duration(found.p99)}")
                for second, found in place.by_second.items()
            ],
        )  # fmt: skip
    return _key(*((place.place, place.words) for place in places)) + figure.svg()


def candles(
    found: Sequence[Candle], length: int, seconds: Sequence[Second], outages: Sequence[Outage]
) -> str:
    """Return candles of so many seconds, with their volume below."""
    missed = {(s.moment - 1) // length for s in seconds if s.healed and not s.streamed}
    low, high = min(c.low for c in found), max(c.high for c in found)
    room = (high - low or 1) * 0.08
    # The lowest fifth is for the volume.
    bottom = low - room - (high - low + 2 * room) * 0.25
    digits = 2 if nice((high - bottom) / 5) >= 0.01 else 3
    figure = Figure(
        found[0].start - length / 2,
        found[-1].start + length * 1.5,
        bottom,
        high + room,
        "price, volume below",
        height=340,
        says=lambda value: f"{value:,.{digits}f}",
        described="Candles of the top mover",
    )
    for outage in outages:
        figure.shade(*outage, str(outage))
    most = max(c.volume for c in found) or 1
    for c in found:
        healed = c.start // length in missed
        middle, kind = c.start + length / 2, "up" if c.close >= c.open else "down"
        top = bottom + (low - room - bottom) * 0.9 * c.volume / most
        figure.bar("volume", middle, length * 0.7, bottom, top, f"{c.volume:,.0f} shares")
        figure.stroke(f"wick {kind}", middle, c.low, c.high)
        says = (
            f"{clock(c.start)} open {c.open:.2f}, high {c.high:.2f}, low {c.low:.2f}, "
            f"close {c.close:.2f}, {c.volume:,.0f} shares{', healed' if healed else ''}"
        )
        marked = f"{kind} missed" if healed else kind
        figure.bar(marked, middle, length * 0.7, c.open, c.close, says)
    return _key(
        ("up", "closed higher"), ("down", "closed lower"), ("missed", "brought by heal")
    ) + figure.svg()  # fmt: skip


def duration(seconds: float) -> str:
    """Return a short time as a person reads it."""
    return f"{seconds * 1000:,.3g} ms" if seconds < 1 else f"{seconds:,.3g} s"


def _key(*kinds: tuple[str, str]) -> str:
    items = "".join(f'<li><i class="{kind}"></i>{words}' for kind, words in kinds)
    return f'<ul class="key">{items}</ul>'
