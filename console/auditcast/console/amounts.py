"""Numbers that a person gives on the command line, each within bounds."""

import math
from typing import Any

import click

DAY_S = 86_400.0


class Amount(click.FloatRange):
    """A number from `least` to `most`, or only above `least` if that is 0. `nan` lies in every range of click's."""

    def __init__(self, least: float, most: float) -> None:
        super().__init__(least, most, min_open=least == 0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a misuse of the command if it is none, or out of bounds."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


SECONDS = Amount(0, DAY_S)
"""A time to wait."""
