"""The rules of the core, one by one; that they hold whatever happens is tests/properties/test_processor.py."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from auditcast.kafka.partitioner import partition_of
from auditcast.processors import moves, state
from auditcast.processors.effects import Bury, Effect, Move, PutBatch, PutManifest, PutState
from auditcast.processors.errors import AlienState, MissingLink, MissingState, TooNew
from auditcast.processors.keys import Keys
from auditcast.processors.owned import take_over
from auditcast.processors.partition import BEGINNING, Partition, Place
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas import controls
from auditcast.schemas.errors import WrongSealingKey
from auditcast.schemas.events import MAX_EVENT_BYTES
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.manifests import HOUR_MS
from auditcast.schemas.records import AuditEvent, Batch, Note, Option, Revision, RevisionInForce, Skipped
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.signing_keys import Signer, new_signing_key
from auditcast.schemas.wire import encode

SEALER = Sealer([new_key()])
SIGNER = Signer([new_signing_key()])
PARTITIONS = 4
HOME = partition_of("ws_1", PARTITIONS)
T0 = 1_700_000_000_000


@dataclass
class Record:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Log:
    """A partition and the effects that its records have had."""

    def __init__(self, partition: int = HOME) -> None:
        self.core = Partition(Place("audit.events", partition, PARTITIONS), 0, state.State(), Keys(SEALER, SIGNER))
        self.partition = partition
        self.offset = -1
        self.now = T0

    def put(self, value: bytes | None, after: int = 0, **record: Any) -> list[Effect]:
        """Append a record stamped `after` ms after the one before it."""
        self.now += after
        self.offset += 1
        return self.core.step(Record(self.offset, self.now, record.get("key"), value, record.get("headers", ()))) or []

    def obey(self, after: int = 0, **changes: Any) -> list[Effect]:
        """Append a revision."""
        return self.put(controls.control(revision(**changes), self.partition, SEALER), after)


def revision(**changes: Any) -> Revision:
    fields: dict[str, Any] = {"number": 1, "nonce": "a", "state": "active", "workspace": "ws_1"} | changes
    return Revision(destination="dst_1", changed_at=0, epoch="e", **fields)


def event(workspace: str = "ws_1", **more: Any) -> bytes:
    with MemoryAuditLog() as log:
        log.emit(workspace=workspace, category="lock", action="created", actor={"id": "usr_1", "type": "user"}, **more)
        return log.values[0]


def batches(effects: list[Effect]) -> list[Batch]:
    return [effect.batch for effect in effects if isinstance(effect, PutBatch)]


def letters(effects: list[Effect]) -> list[Bury]:
    return [effect for effect in effects if isinstance(effect, Bury)]


def test_a_window_closes_at_its_hundredth_event() -> None:
    log = Log()
    log.obey()
    closed = [log.put(event()) for _ in range(100)]
    assert not any(closed[:-1])
    (batch,) = batches(closed[-1])
    assert (batch.sequence, batch.first_event, batch.last_event, batch.opened) == (1, 1, 100, T0)
    assert [one["sequence"] for one in msgspec.json.decode(batch.body)] == [f"{n:020}" for n in range(1, 101)]


@pytest.mark.parametrize("closer", [b"", b"no event", event(), event(workspace="ws_elsewhere")])
def test_a_window_closes_at_any_record_stamped_30_s_after_its_first_event(closer: bytes) -> None:
    log = Log()
    log.obey()
    log.put(event())
    assert not batches(log.put(b"", after=29_999))
    assert len(batches(log.put(closer, after=1))) == 1


def test_a_window_closes_before_the_event_that_would_pass_the_byte_limit() -> None:
    log = Log()
    large = event(metadata={"text": "x" * 1000})
    log.obey(max_body_bytes=2 * len(large) + 200)
    assert not log.put(large)
    assert not log.put(large)
    (batch,) = batches(log.put(large))
    assert batch.last_event == 2
    assert len(batch.body) <= 2 * len(large) + 200


def test_an_event_over_the_byte_limit_is_a_dead_letter_of_that_destination_alone() -> None:
    log = Log()
    log.obey(max_body_bytes=700)
    (letter,) = letters(log.put(event(metadata={"text": "x" * 1000})))
    assert letter.letter.destination == "dst_1"
    assert letter.key == f"audit.events/{HOME}@1/dst_1"
    assert not log.put(event())


def test_disabling_tells_the_gap_in_the_next_batch_and_in_no_other() -> None:
    log = Log()
    log.obey(window_events=1)
    assert batches(log.put(event()))[0].gap == "-"
    log.obey(number=2, state="disabled", window_events=1, after=1_000)
    assert not log.put(event())
    log.obey(number=3, window_events=1, after=5_000)
    log.obey(number=4, state="disabled", window_events=1, after=1_000)
    log.obey(number=5, window_events=1, after=1_000)
    assert [batches(log.put(event()))[0].gap for _ in range(2)] == [f"{T0 + 1_000}-{T0 + 8_000}", "-"]


def test_a_downgrade_stops_collecting_at_its_place_in_the_log_and_an_upgrade_resumes_it() -> None:
    log = Log()
    log.obey(window_events=2)
    assert not log.put(event())
    (last,) = batches(log.obey(number=2, window_events=2, entitled=False, after=1_000))
    assert (last.first_event, last.last_event, last.gap) == (1, 1, "-"), "what came before it is still batched"
    for _ in range(3):
        assert not log.put(event())
    (counted,) = log.core.skips.save()
    assert isinstance(counted.record, Skipped)
    assert (counted.record.events, counted.record.since) == (3, T0 + 1_000)
    # While it is not entitled, disabling and enabling it collects nothing, and makes no second gap.
    log.obey(number=3, window_events=2, entitled=False, state="disabled", after=1_000)
    log.obey(number=4, window_events=2, entitled=False, after=1_000)
    assert not log.put(event())
    log.obey(number=5, window_events=2, after=4_000)
    assert not log.put(event())
    (resumed,) = batches(log.put(event()))
    assert (resumed.sequence, resumed.first_event, resumed.last_event) == (2, 2, 3)
    assert resumed.gap == f"{T0 + 1_000}-{T0 + 7_000}"
    assert resumed.previous_digest == last.digest


def test_what_is_not_collected_while_disabled_is_counted_in_whatever_form_it_comes() -> None:
    log = Log()
    log.obey(state="disabled")
    log.put(b"", after=5_000)
    log.put(event(metadata={"text": "x" * 200_000}), key=b"ws_1")
    log.put(event(workspace="ws_elsewhere"))
    fields: dict[str, Any] = {"category": "lock", "action": "created", "actor_id": "u", "actor_type": "user"}
    log.put(encode(AuditEvent(id="aud_1", workspace="ws_1", occurred_at=T0, **fields)))
    (saved,) = log.core.skips.save()
    assert saved.record == Skipped(destination="dst_1", offset=4, since=T0 + 5_000, events=2)
    assert (saved.key, saved.hold) == ("skipped/dst_1@4", 2)
    assert not log.core.skips.save(), "nothing new"
    log.obey(number=2, window_events=1)
    assert batches(log.put(event()))
    assert not log.core.skips.save()
    log.obey(number=3, state="deleted")
    log.put(event())
    assert not log.core.skips.save()


def test_an_organization_collects_its_events_of_every_workspace_here() -> None:
    log = Log()
    log.obey(workspace=None, organization="org_1", window_events=2)
    log.put(event(organization="org_1"))
    log.put(event(organization="org_2"))
    assert len(batches(log.put(event(organization="org_1")))) == 1


def test_an_avro_event_is_rendered_with_the_revision_that_it_comes_under() -> None:
    log = Log()
    log.obey(window_events=1, base_url="https://example.com", type_prefix="com.example")
    avro = AuditEvent(
        id="aud_1", workspace="ws_1", category="lock", action="created", actor_id="u", actor_type="user", occurred_at=T0
    )
    (batch,) = batches(log.put(encode(avro)))
    (found,) = msgspec.json.decode(batch.body)
    assert (found["source"], found["type"]) == ("https://example.com/workspaces/ws_1", "com.example.lock.created")


def test_an_avro_event_that_is_refused_for_one_destination_disturbs_no_other() -> None:
    log = Log()
    log.obey(window_events=1)
    longer = Revision(
        destination="dst_2",
        number=1,
        nonce="a",
        state="active",
        changed_at=0,
        workspace="ws_1",
        epoch="e",
        base_url="https://example.com/" + "x" * 100,
    )
    log.put(controls.control(longer, HOME, SEALER))
    fields: dict[str, Any] = {"category": "lock", "action": "created", "actor_id": "u", "actor_type": "user"}
    avro = AuditEvent(id="aud_1", workspace="ws_1", occurred_at=T0, **fields)
    room = MAX_EVENT_BYTES - len(encode(avro)) - 400
    sizes = range(room, MAX_EVENT_BYTES, 20)
    for size in sizes:
        full = msgspec.structs.replace(avro, metadata=f'{{"text":"{"x" * size}"}}')
        effects = log.put(encode(full))
        if letters(effects):
            break
    assert batches(effects) == [], "it went to one of them, and is a dead letter, too"
    found = {batch.destination: batch.sequence for batch in batches(log.put(event()))}
    assert len(set(found.values())) == 1


def test_what_an_owner_has_made_of_a_control_record_is_final() -> None:
    log = Log()
    first, *rest = log.obey(window_events=1)
    assert isinstance(first, PutState)
    links = {effect.key.encode(): encode(effect.record) for effect in (first, *rest) if isinstance(effect, PutState)}
    others = Sealer([new_key()])
    owned = take_over(log.core.place, None, 0, state.load(links), Keys(others, SIGNER))
    control = Record(0, T0, None, controls.control(revision(window_events=1), HOME, SEALER))
    (again, *more) = owned.core.step(control) or []
    assert isinstance(again, PutState)
    assert (again.record, more) == (first.record, [])


def test_a_log_that_was_made_anew_ends_the_worker_before_its_events_count_as_batched() -> None:
    log = Log()
    log.put(b"")
    links = {effect.key.encode(): encode(effect.record) for effect in log.obey() if isinstance(effect, PutState)}
    core = take_over(log.core.place, None, 0, state.load(links), Keys(SEALER, SIGNER)).core
    with pytest.raises(AlienState, match="another record at offset 1"):
        core.step(Record(1, T0 + 99, None, controls.control(revision(number=9), HOME, SEALER)))


def test_a_revision_whose_control_record_expired_is_in_force() -> None:
    log = Log()
    links = {effect.key.encode(): encode(effect.record) for effect in log.obey() if isinstance(effect, PutState)}
    root = state.root("audit.events", HOME)
    links[state.link_key(root.stream, 0).encode()] = encode(root)
    owned = take_over(log.core.place, 0, 4, state.load(links), Keys(SEALER, SIGNER))
    assert owned.next == 4
    assert owned.core.roster.stream("dst_1") is not None


def test_an_event_in_the_wrong_partition_is_moved_and_a_repetition_is_not_taken() -> None:
    wrong, right = Log((HOME + 1) % PARTITIONS), Log()
    right.obey(window_events=1)
    (move,) = wrong.put(event())
    assert isinstance(move, Move)
    assert (move.partition, move.key) == (HOME, b"ws_1")
    assert len(batches(right.put(move.value, headers=tuple(move.headers)))) == 1
    assert not right.put(move.value, headers=tuple(move.headers))
    (saved,) = right.core.checkpoint()
    assert isinstance(saved, PutState)
    assert saved.key == f"moved/{wrong.partition}@1"


def test_a_strangers_word_about_a_move_is_nothing() -> None:
    log = Log()
    log.obey(window_events=1)
    forged = moves.headers(moves.Origin(3, 1 << 60), Sealer([new_key()]), HOME, event())
    assert all(batches(log.put(event(), headers=tuple(forged))) for _ in range(2))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "undecodable"),
        (b"\xc3\x01\x00\x00\x00\x00\x00\x00\x00\x00", "undecodable"),
        (encode(revision()), "undecodable"),
        (b'{"specversion":"1.0"}', "invalid-event"),
        (controls.control(revision(), HOME, Sealer([new_key()])), "forged"),
        (controls.control(revision(number=2, format="telepathy/1"), HOME, SEALER), "undecodable"),
        (event(metadata={"text": "x" * 200_000}) + b" " * 100_000, "too-large"),
    ],
)
def test_what_cannot_be_used_is_a_dead_letter_and_the_partition_goes_on(value: bytes, reason: str) -> None:
    log = Log()
    log.obey(window_events=1)
    (letter,) = letters(log.put(value))
    assert letter.letter.reason == reason
    assert letter.letter.value == value
    assert letter.letter.detail
    assert batches(log.put(event()))


def test_a_giant_is_buried_by_its_beginning() -> None:
    (letter,) = letters(Log().put(b"x" * 5_000_000))
    assert len(encode(letter.letter)) < BEGINNING + 1000
    assert "5000000 bytes" in letter.letter.detail


def test_nothing_takes_effect_after_a_deletion() -> None:
    log = Log()
    log.obey(window_events=1)
    log.obey(number=2, state="deleted")
    log.obey(number=3, window_events=1)
    assert not log.put(event())
    assert not log.core.lacks(revision(number=4))


def test_a_stream_in_force_without_its_chain_ends_the_worker() -> None:
    held = state.State(
        revisions={"dst_1": [RevisionInForce(offset=0, timestamp=T0, stream="dst_1-3-e", revision=revision())]}
    )
    with pytest.raises(MissingLink, match="dst_1"):
        Partition(Place("audit.events", HOME, PARTITIONS), 1, held, Keys(SEALER, SIGNER))


def test_lost_state_ends_the_worker_before_a_chain_begins_anew() -> None:
    place = Place("audit.events", HOME, PARTITIONS)
    assert take_over(place, None, 7, state.State(), Keys(SEALER, SIGNER)).next == 7
    with pytest.raises(MissingState, match=f"audit.events/{HOME}"):
        take_over(place, 7, 0, state.State(), Keys(SEALER, SIGNER))


def test_a_stream_begun_elsewhere_in_the_log_has_another_name() -> None:
    early, late = Log(), Log()
    late.put(b"")
    names = [batches(log.obey(window_events=1) and log.put(event()))[0].stream for log in (early, late)]
    assert len(set(names)) == 2


def test_the_log_gets_no_secret_of_a_destination() -> None:
    full = revision(url="https://example.com/token", secret=b"sealed", description="mine", alert_to=["ops@example.com"])
    record = controls.control(controls.for_log(full), 0, SEALER)
    assert not any(word in record for word in (b"example.com/token", b"sealed", b"mine", b"ops@"))


def test_what_only_concerns_delivery_does_not_reach_the_log() -> None:
    paused = revision(paused=True, because="failing", alert_to=["ops@example.com"])
    assert controls.for_log(paused) == controls.for_log(revision())


def note(log: Log, because: str = "") -> bytes:
    (stream,) = log.core.roster.streams()
    told = Note(
        stream=stream.name, sequence=1, first_event=1, last_event=1, kind="resolved", by="ada", because=because, at=T0
    )
    return controls.control(told, HOME, SEALER)


def durable(effects: list[Effect]) -> state.State:
    """What is loaded when all state that the effects put is durable."""
    return state.load({put.key.encode(): encode(put.record) for put in effects if isinstance(put, PutState)})


def manifests(effects: list[Effect]) -> list[PutManifest]:
    return [effect for effect in effects if isinstance(effect, PutManifest)]


@pytest.mark.parametrize("form", FORMATS)
def test_any_number_of_notes_is_told_in_manifests_that_the_broker_and_a_receiver_can_take(form: str) -> None:
    log = Log()
    log.obey(format=form, manifests=True)
    closed = [put for n in range(2_000) for put in manifests(log.put(note(log, f"{n} {'x' * 490}")))]
    closed += manifests(log.put(b"", after=HOUR_MS))
    assert [int(each.because.split()[0]) for put in closed for each in put.manifest.notes] == [*range(2_000)]
    assert len({put.manifest.until for put in closed}) == len(closed)
    for put in closed:
        assert put.batch is not None
        assert len(encode(put.manifest)) < 100_000
        assert len(put.batch.body) < 200_000


def test_a_note_that_no_manifest_could_hold_is_a_dead_letter() -> None:
    log = Log()
    log.obey()
    (letter,) = letters(log.put(note(log, "x" * 1_000_000)))
    assert "too long for a manifest" in letter.letter.detail
    (put,) = manifests(log.put(b"", after=HOUR_MS))
    assert not put.manifest.notes


def test_a_note_that_was_entered_stays_so_whatever_keys_there_are_when_the_log_is_stepped_through_again() -> None:
    log = Log()
    entries = log.obey()
    lying = note(log)
    entries += log.put(lying)
    later = Partition(Place("audit.events", HOME, PARTITIONS), 1, durable(entries), Keys(Sealer([new_key()]), SIGNER))
    assert not letters(later.step(Record(1, T0, None, lying)) or [])
    (put,) = manifests(later.step(Record(2, T0 + HOUR_MS, None, b"")) or [])
    assert len(put.manifest.notes) == 1


def test_a_stream_of_a_release_without_manifests_begins_to_have_them_where_it_was_taken_over() -> None:
    keys = Keys(SEALER, SIGNER)
    place = Place("audit.events", HOME, PARTITIONS)
    old = Partition(place, 0, state.State(), Keys(SEALER, None))
    said = [controls.control(revision(number=number), HOME, SEALER) for number in (1, 2)]
    effects = [*(old.step(Record(0, T0, None, said[0])) or [])]
    new = Partition(place, 1, durable(effects), keys)
    founding = new.founding()
    assert [put.hold for put in founding] == [1]
    effects += [*founding, *(new.step(Record(1, T0 + 1, None, said[1])) or [])]
    again = Partition(place, 2, durable(effects), keys)
    assert not again.founding()
    (put,) = manifests(again.step(Record(2, T0 + HOUR_MS, None, b"")) or [])
    assert put.manifest.since == T0


def hashing(sealer: Sealer, **changes: Any) -> dict[str, Any]:
    return {"hashed": ["actor.id"], "salt": sealer.seal("dst_1/salt", "a salt"), **changes}


def test_a_salt_that_no_key_opens_is_a_dead_letter_and_the_partition_goes_on() -> None:
    log = Log()
    log.obey()
    (letter,) = letters(log.obey(number=2, **hashing(Sealer([new_key()]))))
    assert "dst_1/salt was sealed with a key that AUDITCAST_SEALING_KEYS lacks" in letter.letter.detail
    assert not letters(log.obey(number=3, **hashing(SEALER)))


def test_a_salt_in_force_whose_key_is_lost_ends_the_process_unless_the_destination_is_deleted() -> None:
    lost = Sealer([new_key()])
    place = Place("audit.events", HOME, PARTITIONS)
    old = Partition(place, 0, state.State(), Keys(lost, None))
    first = Record(0, T0, None, controls.control(revision(**hashing(lost)), HOME, lost))
    found = old.step(first) or []
    for committed in (0, 1):  # in force at the commit, and put in force again
        with pytest.raises(WrongSealingKey, match="dst_1/salt"):
            Partition(place, committed, durable(found), Keys(SEALER, None)).step(first)
        core = Partition(place, committed, durable(found), Keys(SEALER, None, deleted={"dst_1"}))
        core.step(first)
        core.step(Record(1, T0, None, event()))
        (batch,) = batches(core.step(Record(2, T0 + 30_000, None, b"")) or [])
        assert b"usr_1" not in batch.body
        core.step(Record(3, T0, None, event()))
        deletion = controls.control(revision(number=2, state="deleted"), HOME, SEALER)
        assert len(batches(core.step(Record(4, T0, None, deletion)) or [])) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "cloudevents/99"},
        {"options": [Option("colour", "red")]},
        {"dropped": ["actor"]},
        hashing(SEALER, hashed=["outcome"]),
    ],
)
def test_what_a_later_release_wants_is_a_dead_letter_or_ends_the_process_if_it_is_in_force(
    changes: dict[str, Any],
) -> None:
    log = Log()
    (letter,) = letters(log.obey(**changes))
    assert "upgrade auditcast first" in letter.letter.detail
    assert not log.put(event())
    entry = RevisionInForce(offset=0, timestamp=T0, stream="dst_1-0-e", revision=revision(**changes))
    later = state.State(revisions={"dst_1": [entry]})
    with pytest.raises(TooNew, match="upgrade"):
        Partition(log.core.place, 1, later, Keys(SEALER, SIGNER))
