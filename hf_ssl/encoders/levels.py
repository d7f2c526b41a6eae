"""Feature maps by their number from the end."""

from collections.abc import Sequence


def checked_levels(levels: Sequence[int], widths: Sequence[int], kind: str) -> tuple[list[int], list[int]]:
    """
    Levels that there are, and how many channels they have.

    Args:
        levels (`list[int]`): -1 is the last one.
        widths (`list[int]`): channels of every stage or layer.
        kind (`str`): the architecture.

    Raises:
        ValueError: for a level that the encoder does not have, or one twice.
    """
    if not levels or len(set(levels)) < len(levels) or not all(-len(widths) <= level <= -1 for level in levels):
        raise ValueError(
            f"levels must be different numbers from {-len(widths)} to -1, the last stage or layer of this {kind}, got "
            f"{list(levels)}."
        )
    return list(levels), [widths[level] for level in levels]
