"""How a table stands to a day's file: in counts, row by row, and in a sentence."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """What table and file have of a symbol at a time.

    Attributes:
        symbol: as the stream writes it.
        at: start of the bar, or the minute of the trade, UTC.
        kind: missing (from the table), extra (not in the file) or other.
        identity: which of the minute's trades, by the table's column; 0 for bars.
        fields: those that differ, each with the file's value and the table's; None for none.
    """

    symbol: str
    at: str
    kind: str
    identity: int
    fields: dict[str, tuple[float | None, float | None]]


@dataclass(slots=True)
class Verdict:
    """How the table stands to a day's file.

    Attributes:
        dataset: whose, for people: `stocks bars`.
        market: of the rows.
        data: bars, trades or quotes.
        day: of the file.
        in_file: different keys in the file.
        equal: keys whose row in the table is as the file has it.
        other: keys whose row has another value.
        missing: keys that the table lacks.
        extra: keys that the file does not have.
        fields: how many rows differ in each field.
        symbols: of each symbol that differs how many are missing, extra, other; the worst first.
        findings: the first of what differs, row by row.
        mended: whether the file's rows are in the table now.
        unmended: why they are not, though it was wanted; empty otherwise.
        doubles: for people: rows of the file that have one key; empty if there are none.
        few: for people: that the file has far fewer rows than those of the days around it, as far
            as backfill has loaded them; empty otherwise.
        seconds: that it took.
    """

    dataset: str
    market: str
    data: str
    day: date
    in_file: int = 0
    equal: int = 0
    other: int = 0
    missing: int = 0
    extra: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    symbols: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    mended: bool = False
    unmended: str = ""
    doubles: str = ""
    few: str = ""
    seconds: float = 0.0

    @property
    def is_equal(self) -> bool:
        """Whether the table had what the file has, and nothing else."""
        return not (self.other or self.missing or self.extra)

    def figures(self) -> dict[str, Any]:
        """Return the counts for the log, whose line alerts can be made of."""
        counts = {name: getattr(self, name) for name in ("equal", "other", "missing", "extra")}
        return {
            "market": self.market,
            "data": self.data,
            "day": self.day.isoformat(),
            **counts,
            "mended": self.mended,
            "seconds": round(self.seconds, 1),
        }

    def __str__(self) -> str:
        """Return the verdict in a sentence."""
        share = self.equal / self.in_file if self.in_file else 1.0
        differing = [f"{n:,} in {name}" for name, n in self.fields.items()]
        other = f" ({', '.join(differing)})" if differing else ""
        end = f" In the file: {self.doubles}." if self.doubles else ""
        end += f" {self.few}." if self.few else ""
        end += " Mended." if self.mended and not self.is_equal else ""
        return (
            f"{self.day}  {self.dataset}: of {self.in_file:,} in the file {self.equal:,} are equal "
            f"({share:.4%}), {self.other:,} other{other}, {self.missing:,} missing; "
            f"{self.extra:,} extra.{end}"
        )


def finding(
    names: list[str],
    symbol: str,
    at: str,
    kind: str,
    identity: int,
    fields: list[str],
    filed: list[float],
    held: list[float],
) -> Finding:
    """Return a row of the table of differences; NaN stands for no value there.

    Args:
        names: of all values that are compared, in the order of `filed` and `held`.
        symbol, at, kind, identity: see `Finding`.
        fields: those that differ, if both have the row.
        filed: the file's values.
        held: the table's.
    """
    shown = names if kind != "other" else fields
    values = dict(zip(names, zip(filed, held, strict=True), strict=True))
    told = {}
    for name in shown:
        in_file, in_table = (None if value != value else value for value in values[name])
        told[name] = (
            None if kind == "extra" else in_file,
            None if kind == "missing" else in_table,
        )
    return Finding(symbol, at, kind, identity, told)


def exit_status(verdicts: list[Verdict]) -> int:
    """Return the exit status: 0 if all is equal, or mended, else 3."""
    return 0 if all(verdict.is_equal or verdict.mended for verdict in verdicts) else 3
