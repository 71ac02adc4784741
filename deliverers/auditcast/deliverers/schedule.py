"""Which retry topic a batch goes to, and when it is due. Pure; times in ms."""

from collections.abc import Sequence


def tier_after(delays_ms: Sequence[int], attempts: int, least_ms: float) -> int | None:
    """The tier, counted from 1, for a batch of which `attempts` failed; None if these were all.

    Never a shorter delay than that of its turn, and the first that has at least `least_ms`. The longest is the cap.
    """
    if attempts > len(delays_ms):
        return None
    turn = max(attempts, 1)
    return next((tier for tier, delay in enumerate(delays_ms, 1) if tier >= turn and delay >= least_ms), len(delays_ms))


def in_time(due: int, began: int, max_age_ms: int) -> bool:
    """Whether an attempt at `due` comes before a batch first tried at `began` is too old."""
    return due <= began + max_age_ms
