"""Times as people write them."""

import pytest

from auditcast.console.moments import NoMoment, moment, second_text

NOW = 1_736_937_000_000
"""2025-01-15T10:30:00Z."""


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2025-01-15T10:30:00Z", NOW),
        ("2025-01-15 11:30:00.250+01:00", NOW + 250),
        ("2025-01-15T10:30", NOW),
        ("2025-01-15", NOW - 37_800_000),
        ("90s", NOW - 90_000),
        (" 30 m ", NOW - 1_800_000),
        ("12h", NOW - 43_200_000),
        ("7d", NOW - 604_800_000),
        ("999999d", 0),
    ],
)
def test_a_time_is_read(text: str, ms: int) -> None:
    assert moment(text, NOW) == ms


@pytest.mark.parametrize("text", ["", "soon", "7", "7w", "-1d", "2025-13-01"])
def test_what_is_no_time_gets_a_sentence(text: str) -> None:
    with pytest.raises(NoMoment, match="says no time: write it as 2025-01-15T10:30:00Z"):
        moment(text, NOW)


def test_a_time_is_written() -> None:
    assert second_text(NOW + 999) == "2025-01-15 10:30:00Z"
