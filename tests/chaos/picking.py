"""Choosing by a number that was drawn beforehand."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def chosen(among: Sequence[T], pick: float) -> T | None:
    """The one that `pick` from [0, 1) points at; None if there is none."""
    return among[int(pick * len(among))] if among else None
