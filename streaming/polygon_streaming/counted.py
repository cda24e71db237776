"""A number and what it counts, as a sentence has them."""


def counted(number: int, noun: str) -> str:
    """Return `1 gap` or `2,000 gaps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
