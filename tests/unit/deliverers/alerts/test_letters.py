"""Old dead letters: the newest record of a key counts, and memory stays bounded."""

from auditcast.deliverers.alerts.alert import Ageing
from auditcast.deliverers.alerts.letters import Ages
from auditcast.schemas.records import DeadLetter
from auditcast.schemas.wire import encode


def letter(destination: str | None = "dst_1") -> bytes:
    return encode(
        DeadLetter(topic="audit.batches", partition=0, offset=1, at=1, reason="x", detail="", destination=destination)
    )


def test_those_made_long_ago_and_still_owed_are_found() -> None:
    ages = Ages(before=100)
    for key, value, at in (
        (b"owed", letter(), 20),
        (b"older", letter(), 10),
        (b"resolved", letter(), 5),
        (b"young", letter(), 100),
        (b"again", letter(), 5),
        (b"other", letter("dst_2"), 30),
        (b"event", letter(None), 1),
        (b"junk", b"junk", 1),
        (b"resolved", None, 90),
        (b"again", letter(), 200),
    ):
        ages.note(key, value, at)
    assert ages.found() == {"dst_1": Ageing(2, 10), "dst_2": Ageing(1, 30)}


def test_beyond_the_bound_a_letter_counts_as_owed_rather_than_not() -> None:
    ages = Ages(before=100, kept=2)
    for number in range(5):
        ages.note(str(number).encode(), letter(), number)
    ages.note(b"0", None, 90)
    ages.note(b"4", None, 90)
    assert ages.found() == {"dst_1": Ageing(4, 1)}
