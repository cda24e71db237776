"""The demo's books: where every bar, trade and quote of the market went.

Numbers that should agree come from different places: the market counts what it makes and sends; the
raw topic is read here, event by event, and judged by the rules once more; feed, heal, filter and
sink give their own figures, the last two of all kinds together; the tables are compared with the
market by value. `faults` names those that do not agree.
"""

from dataclasses import dataclass

from polygon_sandbox.stream_raw import RawTopic
from polygon_sandbox.stream_rules import CHANNELS, RULES_OF


@dataclass(frozen=True, slots=True)
class Tally:
    """What the stages, the market and a table say of one kind: bars, trades or quotes.

    Attributes:
        symbols: how many stocks had it.
        made: by the market.
        sent: over the WebSocket; what was made while nobody was connected was not.
        received: what the feed counted.
        table: rows of the table, a repeated one once.
        missing: what the market made, passes the rules and is not in the table.
        different: what the table has with other values than the market, or the market not at all.
    """

    symbols: int
    made: int
    sent: int
    received: int
    table: int
    missing: int
    different: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of one run.

    Attributes:
        seconds: how long the market spoke.
        tallies: by kind.
        healed: what heal said that it brought: bars, and trades and quotes together.
        gaps: how many are on record, the likely ones too.
        outcomes: records of the filter, by outcome.
        inserted: rows of the sink.
    """

    seconds: int
    tallies: dict[str, Tally]
    healed: tuple[int, int]
    gaps: int
    outcomes: dict[str, int]
    inserted: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the books: what it says, its number, and whether it is a sum of those before."""

    text: str
    number: int
    is_sum: bool = False


def lines(kind: str, raw: RawTopic, figures: Figures) -> list[Line]:
    """Return the way of one kind; each sum is that of the lines since the sum before, and it."""
    tally, counts = figures.tallies[kind], raw.counts[kind]
    in_raw = counts["streamed"] + counts["healed"]
    made = f"made by the market: {tally.symbols:,} stocks x {figures.seconds} s"
    return [
        Line(made, tally.made, True),
        Line("not sent: nobody was connected", tally.sent - tally.made),
        Line("sent over the WebSocket", tally.sent, True),
        Line("lost in the cut, on their way", counts["streamed"] - tally.sent),
        Line("received by the feed", counts["streamed"], True),
        Line(f"brought by heal for {_gaps(figures.gaps)}, from 5 s before on", counts["healed"]),
        Line("in the raw topic, read by the filter", in_raw, True),
        *(Line(f"dropped by the rule {rule}", -counts[rule]) for rule in RULES_OF[kind]),
        Line("kept by the filter, inserted by the sink", counts["kept"], True),
        Line("the same again, by stream and by heal", -counts["again"]),
        Line(f"{kind} in the table", tally.table, True),
    ]


def _gaps(number: int) -> str:
    return "1 gap" if number == 1 else f"{number:,} gaps"


def faults(raw: RawTopic, figures: Figures) -> list[str]:
    """Return what does not add up; nothing if all is accounted for."""
    of = raw.counts
    kept = sum(counts["kept"] for counts in of.values())
    dropped = sum(of[kind][rule] for kind, rules in RULES_OF.items() for rule in rules)
    ticks = of["trades"]["healed"] + of["quotes"]["healed"]
    outcomes = figures.outcomes
    agree = [
        ("bars healed", "heal", figures.healed[0], "the raw topic", of["bars"]["healed"]),
        ("trades and quotes healed", "heal", figures.healed[1], "the raw topic", ticks),
        ("dropped", "the filter", outcomes["dropped"], "its rules", dropped),
        ("kept", "the filter", outcomes["kept"], "its rules", kept),
        ("dead-lettered", "the filter", outcomes["dead_lettered"], "the demo", 0),
        ("inserted", "the sink", figures.inserted, "the filter", outcomes["kept"]),
    ]
    for kind, tally in figures.tallies.items():
        counts, differs = of[kind], of[kind]["differs"]
        once = counts["kept"] - counts["again"]
        agree += [
            (f"{kind} received", "the feed", tally.received, "the raw topic", counts["streamed"]),
            (f"{kind} repeated with other values", "the raw topic", differs, "the demo", 0),
            (f"{kind} in the table", "it", tally.table, "what was kept", once),
            (f"{kind} missing from the table", "it", tally.missing, "the market", 0),
            (f"{kind} different in the table", "it", tally.different, "the market", 0),
        ]  # fmt: skip
    found = [
        f"{what}: {one} says {number:,}, {other} {wanted:,}"
        for what, one, number, other, wanted in agree
        if number != wanted
    ]
    for kind in CHANNELS:
        total = None
        for line in lines(kind, raw, figures):
            if line.is_sum and total not in (None, line.number):
                said = f"{line.number:,}, the lines before it give {total:,}"
                found.append(f"{kind}, {line.text}: {said}")
            total = line.number if line.is_sum else (total or 0) + line.number
    return found
