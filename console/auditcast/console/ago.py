"""How long ago something was, in the fewest characters that say it."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def span(ms: int) -> str:
    """A duration, in its largest whole unit, as in `2m`; one that clocks at odds make negative is none."""
    seconds = max(0, ms) // 1000
    size, unit = next((entry for entry in _UNITS if seconds >= entry[0]), _UNITS[-1])
    return f"{seconds // size}{unit}"


def ago(then: int, now: int) -> str:
    """The time `then`, seen from `now`, as in `2m ago`; both in ms."""
    return f"{span(now - then)} ago"
