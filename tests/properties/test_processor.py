"""Whatever happens to the workers, the batches are those of an undisturbed run, byte for byte, and none is missing.

The mutations break one rule of the processor each; the same check must find every one of them.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditcast.kafka.partitioner import partition_of
from auditcast.processors import state
from auditcast.processors import stream as stream_module
from auditcast.processors.effects import PutManifest, PutState
from auditcast.processors.holds import Holds
from auditcast.processors.hours import Hours
from auditcast.processors.roster import Roster
from auditcast.processors.skips import Skips
from auditcast.processors.stream import Stream
from auditcast.processors.windows import NEVER, Windows
from auditcast.processors.writer import Writer
from auditcast.schemas import controls
from auditcast.schemas.chain import GENESIS, destination_of, digest_of
from auditcast.schemas.errors import Refused
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.manifests import FIRST, text
from auditcast.schemas.manifests import digest_of as digest_of_manifest
from auditcast.schemas.records import (
    AuditEvent,
    Batch,
    Control,
    DeadLetter,
    Link,
    Manifest,
    ManifestLink,
    Note,
    Revision,
)
from auditcast.schemas.signing_keys import genuine
from auditcast.schemas.wire import decode, decode_as
from tests.properties.simulation import (
    ACTOR,
    PARTITIONS,
    SEALER,
    WORKSPACES,
    Broker,
    History,
    Worker,
    counts,
    undisturbed,
)

ACTOR_ID = f'"{ACTOR}"'.encode()
Event = tuple[str, str, str | None, str, str]
"""Id, workspace, organization, category, outcome."""


def violation(rng: random.Random, steps: int = 120) -> str | None:
    """What is wrong after one disturbed history; None if nothing is."""
    history = History(rng, choosy=rng.random() < 0.5)
    history.run(steps)
    broker = history.broker
    return (
        _differing(broker)
        or _broken_chain(broker)
        or _broken_manifests(broker)
        or _without_manifest(broker)
        or _not_as_undisturbed(broker)
        or _not_noted(broker)
        or _not_collected(history)
        or _not_counted(broker)
        or _under_another_revision(broker)
        or _unredacted(broker)
    )


def _differing(broker: Broker) -> str | None:
    seen: dict[tuple[str, int], Batch] = {}
    for batch in broker.batches:
        if not batch.is_manifest and seen.setdefault((batch.stream, batch.sequence), batch) != batch:
            return f"{batch.stream} has two batches {batch.sequence}"
    return None


def _broken_chain(broker: Broker) -> str | None:
    streams: defaultdict[str, dict[int, Batch]] = defaultdict(dict)
    for batch in broker.batches:
        if not batch.is_manifest:
            streams[batch.stream][batch.sequence] = batch
    for stream, batches in streams.items():
        digest, events = GENESIS, 0
        for sequence in range(1, len(batches) + 1):
            batch = batches.get(sequence)
            if batch is None:
                return f"{stream} lacks batch {sequence}"
            if (batch.previous_digest, batch.first_event) != (digest, events + 1) or digest_of(batch) != batch.digest:
                return f"{stream} breaks at {sequence}"
            digest, events = batch.digest, batch.last_event
    return None


def _broken_manifests(broker: Broker) -> str | None:
    batches = {(batch.stream, batch.sequence): batch for batch in broker.batches}
    streams: defaultdict[str, dict[int, Manifest]] = defaultdict(dict)
    for manifest in broker.manifests:
        if streams[manifest.stream].setdefault(manifest.until, manifest) != manifest:
            return f"{manifest.stream} has two manifests until {manifest.until}"
        if not genuine(manifest.key, text(manifest), manifest.signature):
            return f"the manifest of {manifest.stream} until {manifest.until} is not signed"
    for stream, manifests in streams.items():
        previous, sequence, event, digest = FIRST, 0, 0, GENESIS
        since = min(manifests.values(), key=lambda manifest: manifest.until).since
        for _, manifest in sorted(manifests.items()):
            begins = (manifest.previous, manifest.first_sequence, manifest.first_event, manifest.opening_digest)
            follows = manifest.since == since and begins == (previous, sequence + 1, event + 1, digest)
            if not follows or digest_of_manifest(manifest) != manifest.digest:
                return f"the manifest of {stream} until {manifest.until} does not follow the one before"
            previous, sequence, event = manifest.digest, manifest.last_sequence, manifest.last_event
            since = manifest.until
            digest = manifest.closing_digest
            if sequence and (batches[stream, sequence].digest, batches[stream, sequence].last_event) != (digest, event):
                return f"the manifest of {stream} until {manifest.until} tells of another batch {sequence}"
        if (stream, sequence + 1) in batches:
            return f"batch {sequence + 1} of {stream} is in no manifest"
    return None


def _without_manifest(broker: Broker) -> str | None:
    unsaid = {batch.stream for batch in broker.batches} - {manifest.stream for manifest in broker.manifests}
    return f"{min(unsaid)} has no manifest" if unsaid else None


def _not_noted(broker: Broker) -> str | None:
    """Each note about a stream that had not ended yet is in one of its manifests, as often as it lies in the log."""
    told = Counter(
        note.because for manifest in {m.digest: m for m in broker.manifests}.values() for note in manifest.notes
    )
    owed: Counter[str] = Counter()
    for log in broker.logs:
        ended: set[str] = set()
        for record in log:
            said = _said(record.value)
            if isinstance(said, Revision) and said.state == "deleted":
                ended.add(said.destination)
            elif isinstance(said, Note) and destination_of(said.stream) not in ended:
                owed[said.because] += 1
    return None if told == owed else "a note is in no manifest, or in too many"


def _not_as_undisturbed(broker: Broker) -> str | None:
    made = {batch.id: batch for batch in broker.batches}
    calm, manifests, counted = undisturbed(broker)
    if {manifest.digest for manifest in manifests} != {manifest.digest for manifest in broker.manifests}:
        return "other manifests are made than in an undisturbed run"
    for batch in calm:
        if made.pop(batch.id, None) != batch:
            return f"{batch.id} is not as in an undisturbed run"
    if counts(broker) != counted:
        return "other events are counted than in an undisturbed run"
    return f"{min(made)} is not made in an undisturbed run" if made else None


def _not_collected(history: History) -> str | None:
    """An account of its own, from the logs: which events each destination must have, once each."""
    delivered: defaultdict[str, list[str]] = defaultdict(list)
    batches = {batch.id: batch for batch in history.broker.batches if not batch.is_manifest}.values()
    for batch in sorted(batches, key=lambda batch: (batch.partition, batch.sequence)):
        for piece in FORMATS[batch.format].pieces(batch.body).items:
            delivered[batch.destination] += re.findall(r'"(aud_[0-9]+)"', piece.decode())[:1]
    owed, _ = _account(history.broker)
    for letter in history.broker.letters.values():
        _forgive(decode_as(DeadLetter, letter), owed)
    if delivered != {name: ids for name, ids in owed.items() if ids}:
        return "events are missing, or came twice, or in another order"
    for identity, (workspace, _) in history.emitted.items():
        log = history.broker.logs[partition_of(workspace, PARTITIONS)]
        if not any(identity.encode() in record.value for record in log):
            return f"{identity} was not moved home"
    return None


def _not_counted(broker: Broker) -> str | None:
    """By the same account: how many events each destination has missed while it was disabled or not entitled."""
    _, missed = _account(broker)
    counted: Counter[str] = Counter()
    for (_, name), count in counts(broker).items():
        counted[name] += count.events
    return None if counted == missed else f"{counted} events are counted instead of {missed}"


def _account(broker: Broker) -> tuple[defaultdict[str, list[str]], Counter[str]]:
    owed: defaultdict[str, list[str]] = defaultdict(list)
    missed: Counter[str] = Counter()
    for partition in range(PARTITIONS):
        _owe(broker, partition, owed, missed)
    return owed, missed


def _owe(broker: Broker, partition: int, owed: defaultdict[str, list[str]], missed: Counter[str]) -> None:
    in_force: dict[str, Revision] = {}
    seen: set[str] = set()
    for record in broker.logs[partition]:
        revision, event = _read(record.value)
        if revision is not None:
            held = in_force.get(revision.destination)
            if held is None or (held.state != "deleted" and revision.order > held.order):
                in_force[revision.destination] = revision
        if event is None or event[0] in seen or partition_of(event[1], PARTITIONS) != partition:
            continue
        seen.add(event[0])
        for name, revision in in_force.items():
            concerned = revision.workspace in {None, event[1]} and revision.organization in {None, event[2]}
            if not concerned or not _selected(revision, event) or revision.state == "deleted":
                continue
            if revision.state == "active" and revision.entitled:
                owed[name].append(event[0])
            else:
                missed[name] += 1


def _selected(revision: Revision, event: Event) -> bool:
    """Whether the destination's filters let the event through; the patterns here end with their only star."""
    fitting = (event[3] == glob or (glob[-1] == "*" and event[3].startswith(glob[:-1])) for glob in revision.categories)
    return revision.outcome in {"", event[4]} and (not revision.categories or any(fitting))


def _unredacted(broker: Broker) -> str | None:
    """A batch does not hold what its revision has left out or hashed."""
    rules: dict[tuple[str, int, str], Revision] = {}
    for log in broker.logs:
        found = [revision for revision, _ in map(_read, (record.value for record in log)) if revision is not None]
        rules |= {(revision.destination, *revision.order): revision for revision in found}
    for batch in broker.batches:
        rule = rules[batch.destination, batch.revision_number, batch.revision_nonce]
        if ("metadata.text" in rule.dropped and b'"text"' in batch.body) or (rule.hashed and ACTOR_ID in batch.body):
            return f"{batch.id} is not redacted"
    return None


def _under_another_revision(broker: Broker) -> str | None:
    """A batch holds what came under the revision that it names, and under no other."""
    for batch in broker.batches:
        if batch.is_manifest:
            continue
        in_force: Revision | None = None
        for record in broker.logs[batch.partition][: batch.last_offset + 1]:
            revision, _ = _read(record.value)
            if revision is None or revision.destination != batch.destination:
                continue
            if in_force is None or (in_force.state != "deleted" and revision.order > in_force.order):
                in_force = revision
                if record.offset > batch.first_offset:
                    return f"{batch.id} goes on over a new revision"
        if in_force is None or in_force.order != (batch.revision_number, batch.revision_nonce):
            return f"{batch.id} names another revision than the one in force"
    return None


def _read(value: bytes) -> tuple[Revision | None, Event | None]:
    """The revision in a record that is really ours, or what is to be known of an event."""
    if value[:1] == b"{":
        try:
            event = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return None, None
        data = event["data"]
        routed = event["id"], event["workspaceid"], event.get("organizationid")
        return None, (*routed, data["action"]["category"], data["outcome"])
    said = _said(value)
    if isinstance(said, AuditEvent):
        return None, (said.id, said.workspace, said.organization, said.category, said.outcome)
    return (said if isinstance(said, Revision) else None), None


def _said(value: bytes) -> AuditEvent | Note | Revision | None:
    """What an Avro record is, if it is genuine."""
    try:
        record = decode(value)
        if isinstance(record, Control):
            return controls.content(record, SEALER)
    except Refused:
        return None
    assert isinstance(record, AuditEvent)
    return record


def _forgive(letter: DeadLetter, owed: defaultdict[str, list[str]]) -> None:
    """An event that is too large for a destination's limit is a dead letter of that destination."""
    if letter.destination is not None:
        _, event = _read(letter.value or b"")
        assert event is not None
        if event[0] in owed[letter.destination]:
            owed[letter.destination].remove(event[0])


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_disturbances_change_nothing(seed: int, steps: int) -> None:
    assert violation(random.Random(seed), steps) is None


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 100))
@settings(max_examples=100, deadline=None)
def test_manifests_begin_where_the_release_that_makes_them_does(seed: int, steps: int) -> None:
    history = History(random.Random(seed))
    history.upgrade(steps)
    history.run(steps)
    broker = history.broker
    found = _differing(broker) or _broken_chain(broker) or _broken_manifests(broker) or _not_noted(broker)
    assert (found or _not_collected(history)) is None


def test_the_state_does_not_grow() -> None:
    rng = random.Random(7)
    history = History(rng)
    history.run(400)
    for partition in range(PARTITIONS):
        worker = Worker(history.broker, partition)
        worker.finish(rng)
        worker.commit()
        worker.finish(rng)
        left = state.load(history.broker.links[partition])
        assert not left.garbage
        assert len(history.broker.links[partition]) <= 4 * len(history.revisions) + PARTITIONS + 1


def _commit_passes_open_windows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Windows, "oldest", lambda self: NEVER)


def _commit_passes_unacknowledged_writes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Holds, "lowest", lambda self: NEVER)


def _link_before_its_batch(patch: pytest.MonkeyPatch) -> None:
    real = Writer._put_link

    def early(self: Writer, effect: Any, partition: int, done: Callable[[], None]) -> None:
        """The batch itself was left out when the link was written: see `apply` below."""
        done()

    def apply(self: Writer, effect: Any, partition: int, holds: Holds, apply: Any = Writer.apply) -> None:
        if hasattr(effect, "link"):
            real(self, effect, partition, lambda: None)
        apply(self, effect, partition, holds)

    patch.setattr(Writer, "_put_link", early)
    patch.setattr(Writer, "apply", apply)


def _covered_events_again(patch: pytest.MonkeyPatch) -> None:
    real = Stream.__init__

    def forgetful(self: Stream, *args: Any) -> None:
        real(self, *args)
        self.covered = -1

    patch.setattr(Stream, "__init__", forgetful)


def _one_key_a_stream(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "link_key", lambda stream, sequence: stream if sequence >= 0 else "")
    patch.setattr(Writer, "drop", lambda self, key, partition: None)


def _older_link_dropped_first(patch: pytest.MonkeyPatch) -> None:
    real = Writer._put_link

    def hasty(self: Writer, effect: Any, partition: int, done: Callable[[], None]) -> None:
        self.drop(state.link_key(effect.link.stream, effect.link.sequence - 1), partition)
        real(self, effect, partition, done)

    patch.setattr(Writer, "_put_link", hasty)


def _newest_revision_instead_of_the_one_then(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "before", lambda entries, offset: entries[-1] if entries else None)


def _state_dropped_too_early(patch: pytest.MonkeyPatch) -> None:
    real = state.droppable
    patch.setattr(state, "droppable", lambda durable, committed: real(durable, NEVER))


def _any_revision_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Roster, "is_above", lambda self, revision: True)


def _lowest_link_at_load(patch: pytest.MonkeyPatch) -> None:
    def keep_older(durable: state.State, link: Link) -> None:
        other = durable.links.get(link.stream)
        if other is None or link.sequence < other.sequence:
            durable.links[link.stream] = link

    patch.setattr(state, "_keep_newer", keep_older)


def _moved_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "moved_key", lambda source, offset: f"moved/{source}")


def _revision_leaves_the_window_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Roster, "stream", lambda self, name: None)


def _counted_again(patch: pytest.MonkeyPatch) -> None:
    def forgetful(self: Skips, destination: str, *event: Any, real: Any = Skips.count) -> None:
        if destination in self._tallies:
            self._tallies[destination].offset = -1
        real(self, destination, *event)

    patch.setattr(Skips, "count", forgetful)


def _commit_passes_what_is_only_counted(patch: pytest.MonkeyPatch) -> None:
    real = Skips.save

    def late(self: Skips) -> list[PutState]:
        return [msgspec.structs.replace(effect, hold=NEVER) for effect in real(self)]

    patch.setattr(Skips, "save", late)


def _one_key_a_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "skipped_key", lambda destination, offset: f"skipped/{destination}")


def _oldest_count_at_load(patch: pytest.MonkeyPatch) -> None:
    real = Skips.__init__

    def oldest(self: Skips, durable: state.State) -> None:
        real(self, msgspec.structs.replace(durable, skipped={n: e[:1] for n, e in durable.skipped.items()}))
        self._durable = durable

    patch.setattr(Skips, "__init__", oldest)


def _batches_do_not_wait_for_manifests(patch: pytest.MonkeyPatch) -> None:
    def at_once(self: Writer, stream: str, write: Callable[[], None], size: int) -> None:
        write()

    patch.setattr(Writer, "_in_turn", at_once)
    patch.setattr(Writer, "_go_on", lambda self, stream: None)


def _one_key_a_manifest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(state, "manifest_key", lambda stream, until: f"manifest/{stream}")
    patch.setattr(Writer, "drop", lambda self, key, partition: None)


def _earliest_manifest_at_load(patch: pytest.MonkeyPatch) -> None:
    def keep_earlier(durable: state.State, manifest: ManifestLink) -> None:
        other = durable.manifests.get(manifest.stream)
        if other is None or manifest.until < other.until:
            durable.manifests[manifest.stream] = manifest

    patch.setattr(state, "_keep_later", keep_earlier)


def _notes_forgotten_at_load(patch: pytest.MonkeyPatch) -> None:
    real = state.load

    def load(records: Any) -> state.State:
        return msgspec.structs.replace(real(records), notes={})

    patch.setattr(state, "load", load)


def _notes_told_again(patch: pytest.MonkeyPatch) -> None:
    real = Roster._begin

    def begin(self: Roster, entry: Any, link: Link) -> Stream:
        stream = real(self, entry, link)
        stream.notes = list(self._durable.notes.get(entry.stream, ()))
        return stream

    patch.setattr(Roster, "_begin", begin)


def _no_last_manifest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Hours, "end", lambda self, stream, timestamp, offset: [])


def _manifests_closed_again(patch: pytest.MonkeyPatch) -> None:
    def close(self: Hours, stream: Stream, timestamp: int, offset: int, *, final: bool) -> list[PutManifest]:
        return [self._close(stream, max(timestamp, stream.manifest.until + 1), offset, final=final)]

    patch.setattr(Hours, "_close_within", close)


def _all_events_wanted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stream_module, "selection", lambda revision: None)


def _nothing_redacted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stream_module, "redaction", lambda revision, salt: None)


MUTATIONS = [
    _manifests_closed_again,
    _all_events_wanted,
    _nothing_redacted,
    _batches_do_not_wait_for_manifests,
    _one_key_a_manifest,
    _earliest_manifest_at_load,
    _notes_forgotten_at_load,
    _notes_told_again,
    _no_last_manifest,
    _commit_passes_open_windows,
    _commit_passes_unacknowledged_writes,
    _link_before_its_batch,
    _covered_events_again,
    _one_key_a_stream,
    _older_link_dropped_first,
    _newest_revision_instead_of_the_one_then,
    _state_dropped_too_early,
    _any_revision_counts,
    _lowest_link_at_load,
    _moved_twice,
    _revision_leaves_the_window_open,
    _counted_again,
    _commit_passes_what_is_only_counted,
    _one_key_a_count,
    _oldest_count_at_load,
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__.strip("_"))
def test_a_broken_rule_is_found(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation(monkeypatch)
    assert any(_fails(seed) for seed in range(1_000)), "no history out of a thousand shows that this rule matters"


def _fails(seed: int) -> bool:
    try:
        return violation(random.Random(seed)) is not None
    except Exception:  # noqa: BLE001  (a broken rule may also end in an error, such as a missing link)
        return True


def test_workspaces_lie_where_the_histories_say() -> None:
    for partition, workspaces in enumerate(WORKSPACES):
        assert {partition_of(workspace, PARTITIONS) for workspace in workspaces} == {partition}
