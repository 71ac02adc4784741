"""Source, type and time as text; the inverse of time is exact, and nothing but the one form is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditcast.schemas.attributes import ms_of, normal_time, permitted, source_of, time_text, type_of
from auditcast.schemas.errors import InvalidEvent


def test_the_product_s_own_example() -> None:
    assert source_of("https://atmos-pro.com", "ws_xyz") == "https://atmos-pro.com/workspaces/ws_xyz"
    assert type_of("pro.atmos", "workspace", "created") == "pro.atmos.workspace.created"
    assert time_text(1_736_937_000_000) == "2025-01-15T10:30:00.000Z"


def test_a_workspace_cannot_leave_its_place_in_the_url() -> None:
    assert source_of("https://a/", "../x?y#z é") == "https://a/workspaces/..%2Fx%3Fy%23z%20%C3%A9"


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_time_there_and_back(ms: int) -> None:
    text = time_text(ms)
    assert len(text) == 24
    assert ms_of(text) == ms
    assert normal_time(text) == text


@pytest.mark.parametrize("ms", [-62_135_596_800_001, 253_402_300_800_000, 2**63, -(2**63)])
def test_no_time_outside_four_digits_of_year(ms: int) -> None:
    with pytest.raises(InvalidEvent, match="outside the years 1 to 9999"):
        time_text(ms)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-01-15T10:30:00Z",
        "2025-01-15T10:30:00.000z",
        "2025-01-15t10:30:00.000Z",
        "2025-01-15 10:30:00.000Z",
        "2025-01-15T10:30:00.000ZZ",
        "2025-01-15T10:30:00.+12Z",
        "2025-01-15T10:30:00.٣٣٣Z",
        "٢٠٢٥-01-15T10:30:00.000Z",
        "2025-W03-3T10:30:00.000Z",
        "2025-02-29T10:30:00.000Z",
        "2025-01-15T24:00:00.000Z",
        "2025-01-15T23:59:60.000Z",
        "0000-01-15T10:30:00.000Z",
    ],
)
def test_any_other_form_is_no_time(text: str) -> None:
    with pytest.raises(InvalidEvent, match=r"2025-01-15T10:30:00\.000Z"):
        ms_of(text)


@pytest.mark.parametrize("text", ["a\x00", "\x1f", "\x7f", "\x80", "\x9f", "\ud800", "\ufdd0", "\uffff", "\U0010fffe"])
def test_what_cloudevents_forbids(text: str) -> None:
    assert not permitted(text)


@pytest.mark.parametrize("text", ["", " a~", "\xa0é", "\u2028", "\ufdcf\ufdf0\ufffd", "😀\U0010fffd"])
def test_what_cloudevents_permits(text: str) -> None:
    assert permitted(text)
