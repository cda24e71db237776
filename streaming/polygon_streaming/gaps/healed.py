"""What a run of `heal` has done."""

from dataclasses import dataclass

from polygon_streaming.counted import counted


@dataclass(slots=True)
class Healed:
    """What a run has done.

    Attributes:
        gaps: gaps healed, as far as they can be.
        bars: bars produced.
        ticks: trades and quotes produced.
        left_out: subscriptions that cannot be healed: what the API does not know, or has not.
        skipped: records on the topic that are not gaps, or absurd ones.
        kept: gaps that the next run has to heal: the plan refused, or the answers were broken.
    """

    gaps: int = 0
    bars: int = 0
    ticks: int = 0
    left_out: int = 0
    skipped: int = 0
    kept: int = 0

    @property
    def all_well(self) -> bool:
        """Whether everything that was missing is there now."""
        return not (self.left_out or self.skipped or self.kept)

    def __str__(self) -> str:
        """Return the run in a sentence."""
        ticks = f" and {self.ticks:,} trades and quotes" if self.ticks else ""
        return (
            f"{counted(self.gaps, 'gap')} healed with {counted(self.bars, 'bar')}{ticks}; "
            f"{counted(self.left_out, 'subscription')} left out, "
            f"{counted(self.skipped, 'gap record')} skipped, "
            f"{counted(self.kept, 'gap')} kept for the next run."
        )
