"""The rotation of a secret: one at a time, ended by time or by a person, and never a moment without a secret."""

import pytest
from msgspec.structs import replace

from auditcast.console import telling
from auditcast.console.cards import card
from auditcast.console.moments import NoMoment, duration
from auditcast.console.overlap import UnderWay, begun, cancelled, finished, under_way
from auditcast.console.revisions import Gone, deleted
from auditcast.console.showing import destination_shape
from auditcast.console.statuses import LeftOut
from auditcast.console.tables import render
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer, new_key

NOW, DAY = 1_800_000_000_000, 86_400_000
SEALER = Sealer([new_key()])
BEFORE = Revision(
    destination="dst_1", number=1, nonce="a", state="active", changed_at=NOW, epoch="00", workspace="ws_1",
    url="https://siem.example.com/", secret=SEALER.seal("dst_1/secret", "whsec_1"),
)  # fmt: skip


def secrets(revision: Revision) -> tuple[str, str]:
    """The secret and the next one, opened."""
    following = revision.next_secret and SEALER.open("dst_1/next-secret", revision.next_secret)
    return SEALER.open("dst_1/secret", revision.secret), following or ""


def rotated(revision: Revision, new: str = "whsec_2", now: int = NOW) -> Revision:
    return begun(revision, new, now=now, overlap=DAY, sealer=SEALER)


def test_a_rotation_puts_the_new_secret_beside_the_old_one() -> None:
    after = rotated(BEFORE)
    assert secrets(after) == ("whsec_1", "whsec_2")
    assert after.rotation_ends == NOW + DAY
    assert after.secret == BEFORE.secret


def test_one_rotation_at_a_time() -> None:
    with pytest.raises(UnderWay, match=r"ends at 2027-01-16 08:00:00Z: .*rotate-secret dst_1 --finish"):
        rotated(rotated(BEFORE), "whsec_3", NOW + DAY - 1)


def test_one_that_has_ended_by_its_time_is_where_the_next_begins() -> None:
    after = rotated(rotated(BEFORE), "whsec_3", NOW + DAY)
    assert secrets(after) == ("whsec_2", "whsec_3")
    assert after.rotation_ends == NOW + 2 * DAY


def test_a_person_ends_it_either_way_and_ending_it_twice_changes_nothing() -> None:
    after = finished(rotated(BEFORE), SEALER)
    assert (secrets(after), after.rotation_ends) == (("whsec_2", ""), 0)
    assert finished(after, SEALER) is after
    back = cancelled(rotated(BEFORE), NOW + DAY - 1, SEALER)
    assert back == BEFORE
    assert cancelled(back, NOW, SEALER) is back


def test_the_old_secret_does_not_come_back_once_it_counts_no_longer() -> None:
    assert secrets(cancelled(rotated(BEFORE), NOW + DAY, SEALER)) == ("whsec_2", "")


def test_nothing_of_it_for_what_is_deleted() -> None:
    gone = deleted(rotated(BEFORE))
    with pytest.raises(Gone):
        rotated(gone)
    with pytest.raises(Gone):
        finished(gone, SEALER)
    with pytest.raises(Gone):
        cancelled(gone, NOW, SEALER)


def test_what_is_shown_tells_how_far_it_is_and_nothing_secret() -> None:
    after = replace(rotated(BEFORE), changed_at=NOW)
    told = telling.rotating(after, "whsec_2")
    assert "Until 2027-01-16 08:00:00Z both count" in told
    assert "X-Webhook-Signature-Next with the new one" in told
    shown = render(card(after, None, LeftOut(), NOW + DAY // 2))
    assert "ends at 2027-01-16 08:00:00Z (in 12h): both secrets count" in shown
    assert "only the new secret counts" in render(card(after, None, LeftOut(), NOW + DAY))
    assert destination_shape(after)["rotation_ends"] == "2027-01-16T08:00:00.000Z"
    assert destination_shape(BEFORE)["rotation_ends"] is None
    at_once = begun(BEFORE, "whsec_2", now=NOW, overlap=0, sealer=SEALER)
    assert not under_way(at_once, NOW)
    assert "It alone signs from now on" in telling.rotating(at_once, "whsec_2")


def test_a_length_of_time_is_a_number_with_its_unit() -> None:
    assert [duration(text) for text in ("0s", "90m", "24h", "7d")] == [0, 5_400_000, DAY, 7 * DAY]
    for wrong in ("", "24", "-1h", "1w", "2026-01-01"):
        with pytest.raises(NoMoment, match="write it as 30m, 12h or 7d"):
            duration(wrong)
