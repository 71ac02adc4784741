"""Numbers on the command line: what is none, or out of bounds, is a misuse and no traceback."""

import click
import pytest

from auditcast.console.amounts import DAY_S, SECONDS, Amount


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-inf", "0", "-1", "1e9", "", "x"])
def test_what_is_no_time_to_wait_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        SECONDS.convert(text, None, None)


def test_bounds_belong_to_the_range() -> None:
    assert SECONDS.convert("0.001", None, None) == 0.001
    assert SECONDS.convert(str(DAY_S), None, None) == DAY_S
    assert Amount(0.1, 5).convert("0.1", None, None) == 0.1
