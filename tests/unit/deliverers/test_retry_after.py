"""`Retry-After` as receivers really write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditcast.deliverers.retry_after import seconds

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("12.5", 12.5),
        ("9" * 60, 1e60),
        ("Tue, 14 Nov 2023 22:15:20 GMT", 120),
        ("Tuesday, 14-Nov-23 22:15:20 GMT", 120),
        ("Tue Nov 14 22:15:20 2023", 120),
        ("Tue, 14 Nov 2023 23:15:20 +0100", 120),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
    ],
)
def test_seconds_and_dates(value: str, wait: float) -> None:
    assert seconds(value, NOW) == wait


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "-5", "+5", "1e9", "inf", "nan", "0x10", "१२", "12, 13", "soon", "2023-11-14T22:15:20Z", "9" * 65),
        "Tue, 32 Nov 2023 22:15:20 GMT",
        "Tue, 14 Nov 99999 22:15:20 GMT",
        "Tue, 14 Nov 2023 22:15:20 +9999999999",
    ],
)
def test_what_asks_for_nothing(value: str | None) -> None:
    assert seconds(value, NOW) is None


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=80))
def test_nothing_that_a_receiver_writes_is_a_fault_of_ours(value: str) -> None:
    wait = seconds(value, NOW)
    assert wait is None or wait >= 0
