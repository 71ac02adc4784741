"""Dead letters that expire: noted first, then taken away, each once."""

import pytest
from msgspec.structs import replace

from auditcast.deliverers import expiring, retention
from auditcast.deliverers.expiring import Expired, Letters
from auditcast.deliverers.fate import Append
from auditcast.deliverers.giving_up import GivingUp
from auditcast.deliverers.metrics import Metrics
from auditcast.kafka.settings import Connection
from auditcast.schemas import controls
from auditcast.schemas.records import Batch, Control, DeadLetter, Note
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import decode_as, encode
from tests.unit.deliverers.parcels import batch

DAY_MS = 86_400_000
SEALER = Sealer([new_key()])
CONNECTION = Connection(bootstrap_servers="127.0.0.1:9")


def letter(owed: Batch, first: int = 0, last: int = 0) -> bytes:
    found = DeadLetter(
        topic="audit.batches", partition=0, offset=0, at=1, reason="status-503", detail="", value=encode(owed),
        destination=owed.destination, first_event=first, last_event=last,
    )  # fmt: skip
    return encode(found)


def test_only_old_letters_of_batches_that_are_owed_are_given_up() -> None:
    letters = Letters(before=100, now=500)
    whole = replace(batch(sequence=7), last_event=9, partition=3)
    letters.take(b"whole", letter(whole), 1)
    letters.take(b"part", letter(whole, 2, 4), 2)
    letters.take(b"settled", letter(batch()), 3)
    letters.take(b"replayed", letter(batch()), 4)
    letters.take(b"test", letter(batch(test=True)), 5)
    letters.take(b"manifest", letter(replace(batch(), sequence=0)), 6)
    event = DeadLetter(topic="audit.events", partition=0, offset=1, at=1, reason="invalid-event", detail="")
    letters.take(b"event", encode(event), 7)
    letters.take(b"too large", encode(replace(event, destination="dst_1", value=b"{}")), 8)
    letters.take(b"broken", b"no letter", 9)
    letters.take(b"settled", None, 98)
    letters.take(b"replayed", letter(batch()), 100)
    letters.take(b"young", letter(batch()), 101)
    assert [(each.key, each.partition, each.note.first_event, each.note.last_event) for each in letters.found] == [
        (b"whole", 3, 1, 9),
        (b"part", 3, 2, 4),
    ]
    assert {(each.note.kind, each.note.by, each.note.at, each.note.sequence) for each in letters.found} == {
        ("expired", "", 500, 7)
    }


@pytest.mark.parametrize(("retention_ms", "margin"), [(30 * DAY_MS, 7_200_000), (60_000, 2_000)])
def test_they_are_given_up_shortly_before_the_broker_may_remove_them(retention_ms: int, margin: int) -> None:
    assert expiring.given_up_before(retention_ms, 10**12) == 10**12 - retention_ms + margin


class Owner:
    """Owns partition 2 for so many more looks."""

    def __init__(self, looks: int) -> None:
        self.before: list[int] = []
        self._looks = looks

    def owned(self) -> list[int]:
        self._looks -= 1
        return [2] if self._looks >= 0 else []

    def expire(self, before: int) -> None:
        self.before.append(before)


@pytest.mark.parametrize(("looks", "given_up"), [(9, 2), (2, 1)])
async def test_each_is_noted_before_it_is_taken_away_as_long_as_the_partition_is_owned(
    monkeypatch: pytest.MonkeyPatch, looks: int, given_up: int
) -> None:
    notes = [
        expiring.note_of(replace(batch(sequence=number), last_event=3), 0, 0, "it was long", 5) for number in (1, 2)
    ]
    found = [Expired(f"key-{number}".encode(), 1, note) for number, note in enumerate(notes)]
    asked: list[tuple[int, int]] = []

    def old_letters(_connection: object, partition: int, before: int, now: int) -> list[Expired]:
        asked.append((partition, now - before))
        return found

    monkeypatch.setattr(expiring, "old_letters", old_letters)
    monkeypatch.setattr(retention, "kept", lambda *_: [None, 30 * DAY_MS])
    appended: list[Append] = []

    async def append(record: Append) -> None:
        appended.append(record)

    owner = Owner(looks)
    await GivingUp(CONNECTION, SEALER, append, Metrics()).round(owner)
    assert asked == [(2, 30 * DAY_MS - 7_200_000)]
    assert owner.before == []  # what is parked is kept for ever
    assert len(appended) == 2 * given_up
    for number in range(given_up):
        said, gone = appended[2 * number : 2 * number + 2]
        assert (said.topic, said.partition, gone.topic, gone.partition) == ("audit.events", 1, "audit.dead-letters", 2)
        control = decode_as(Control, said.value or b"")
        assert control.partition == 1
        assert controls.content(control, SEALER) == notes[number]
        assert (gone.key, gone.value, dict(gone.headers)["resolved-by"]) == (found[number].key, None, b"auditcast")
        assert isinstance(notes[number], Note)
