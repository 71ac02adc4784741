"""Rich's tables and text as strings: coloured on a terminal, plain and never cut when piped."""

import sys

from rich.console import Console, RenderableType

PIPED_WIDTH = 1000
"""Wide enough that nothing is wrapped where no terminal sets a width."""


def render(what: RenderableType) -> str:
    """`what` as it should stand on standard output."""
    terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout, highlight=False, markup=False, emoji=False, width=None if terminal else PIPED_WIDTH
    )
    with console.capture() as captured:
        console.print(what)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().removesuffix("\n").split("\n"))
