"""`auditcast dead-letters` from the command line on, with a stand-in for the deliverer."""

import os
import signal
from typing import cast

import pytest
from confluent_kafka import KafkaException
from msgspec.structs import replace

from auditcast.kafka import clients
from auditcast.kafka.local import Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.scans import Scan
from auditcast.kafka.settings import Connection
from auditcast.processors import moves
from auditcast.schemas import controls, wire
from auditcast.schemas.records import Batch, Control, DeadLetter, Delivery, Note, RecordHeader
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import decode_as
from tests.conftest import PARTITIONS
from tests.e2e.replays import Shell, World, batch_of, fine, letter_of

NAME = "dst_1"


@pytest.fixture
def world(topics: Connection) -> World:
    return World(topics)


@pytest.fixture
def run(topics: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(topics, monkeypatch, capfd)


def down(_batch: Batch, _delivery: Delivery) -> str:
    """A receiver that takes nothing."""
    return "status-503"


def test_letters_are_listed_by_destination_and_one_by_one(world: World, run: Shell) -> None:
    assert run("dead-letters", "list").out == "There are no dead letters.\n"
    world.destination(NAME)
    keys = world.letters(NAME, range(1, 6))
    world.letters("dst_2", range(7, 9), reason="certificate-refused")
    event = world.unreadable(7)
    world.append(world.topics.dead_letters, keys[0], None)
    world.append(world.topics.dead_letters, "broken", b"no letter")
    world.flush()

    listed = run("dead-letters", "list", "--json")
    assert "the letter broken cannot be read" in listed.err
    found = {group["destination"]: group for group in listed.json}
    assert found[NAME]["letters"] == 4
    assert found[NAME]["events"] == 8
    assert found[NAME]["reasons"] == {"status-503": 4}
    assert found[NAME]["workspace"] == "ws_1"
    assert (found["dst_2"]["letters"], found["dst_2"]["workspace"]) == (2, None)
    assert found[None]["reasons"] == {"invalid-event": 1}

    def each(*options: str) -> set[str]:
        return {letter["key"] for letter in run("dead-letters", "list", "--each", "--json", *options).json}

    assert each() == {*keys[1:], "dst_2-0-0f-7", "dst_2-0-0f-8", event}
    assert each("--destination", NAME, "--sequence", "3-4") == set(keys[2:4])
    assert each("--workspace", "ws_1") == {*keys[1:], event}
    assert each("--reason", "certificate-refused", "--sequence", "8") == {"dst_2-0-0f-8"}
    assert each("--since", "30m") == set()
    assert each("--since", "2h", "--until", "30m", "--reason", "invalid-event") == {event}
    assert NAME in run("dead-letters", "list").out
    assert "2 events" not in run("dead-letters", "list", "--since", "1m").out


def test_a_letter_is_shown_with_its_attempts_and_events_but_no_header_values(world: World, run: Shell) -> None:
    world.destination(NAME)
    [key] = world.letters(NAME, range(3, 4))
    event = world.unreadable(7)
    shown = run("dead-letters", "show", key)
    assert shown.out.count("503") == 7
    assert "Our SIEM" in shown.out
    assert "try \\x1b[2J later" in shown.out
    assert "workspace.created  usr_1 (ada@example.com)  ws_1 (workspace)  success" in shown.out
    assert shown.out.count("aud_") == 2
    assert "x-other" in shown.out
    assert "hush" not in shown.out

    shape = run("dead-letters", "show", key, "--json").json
    assert [each["id"] for each in shape["owed"]] == ["aud_5", "aud_6"]
    assert len(shape["history"]) == shape["attempts"] == 6
    assert shape["headers"] == ["x-other"]
    assert run("dead-letters", "show", event, "--json").json["raw"] == '{"broken": 7}'
    assert '{"broken": 7}' in run("dead-letters", "show", event).out

    missing = run("dead-letters", "show", "nothing")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "there is no dead letter 'nothing'" in missing.err


def test_of_a_part_only_its_own_events_are_owed(world: World, run: Shell) -> None:
    batch = batch_of(NAME, 1, events=4)
    key = f"{batch.id}-2-3"
    letter = DeadLetter(
        topic=world.topics.batches, partition=partition_of(NAME, PARTITIONS), offset=5, at=1, reason="status-400",
        detail="", key=NAME.encode(), value=wire.encode(batch), destination=NAME, first_event=2, last_event=3,
    )  # fmt: skip
    world.destination(NAME)
    world.append(world.topics.dead_letters, key, wire.encode(letter))
    world.flush()
    shape = run("dead-letters", "show", key, "--json").json
    assert [each["id"] for each in shape["owed"]] == ["aud_2", "aud_3"]
    assert shape["events"] == 2
    with world.deliverer(fine) as deliverer:
        assert run("dead-letters", "replay", key, "--yes").code == 0
    [(_, delivery)] = deliverer.got
    assert (delivery.first_event, delivery.last_event, delivery.letter, delivery.offset) == (2, 3, key, 5)


def test_a_replay_sends_the_same_bytes_in_order_and_the_deliverer_settles(world: World, run: Shell) -> None:
    for name in (NAME, "dst_2"):
        world.destination(name)
    keys = world.letters(NAME, range(20, 0, -1))
    other = world.letters("dst_2", range(1, 4))
    asked = run("dead-letters", "replay", "--all")
    assert (asked.code, world.owed()) == (2, {*keys, *other})
    assert "repeat it with --yes" in asked.err
    dry = run("dead-letters", "replay", "--all", "--dry-run", "--json").json
    assert dry["destinations"] == [
        {"destination": NAME, "letters": 20, "events": 40},
        {"destination": "dst_2", "letters": 3, "events": 6},
    ]
    with world.deliverer(fine) as deliverer:
        report = run("dead-letters", "replay", "--destination", NAME, "--yes", "--json")
    assert report.code == 0
    assert (report.json["delivered"], report.json["failed"], report.json["left"]) == (20, 0, 0)
    assert [batch.sequence for batch, _ in deliverer.got] == list(range(1, 21))
    assert deliverer.raw == [wire.encode(batch_of(NAME, number)) for number in range(1, 21)]
    assert {delivery.replay for _, delivery in deliverer.got} == {report.json["run"]}
    assert [delivery.offset for _, delivery in deliverer.got] == list(range(1001, 1021))
    assert all(row["x-other"] == b"hush" for *_, row in world.rows(world.topics.batches))
    assert world.owed() == set(other)
    assert run("dead-letters", "replay", "--destination", NAME, "--yes").out == "There are no such dead letters.\n"


def test_a_destination_that_keeps_failing_is_left_alone_and_holds_up_nobody(world: World, run: Shell) -> None:
    for name in (NAME, "dst_2"):
        world.destination(name)
    keys = world.letters(NAME, range(1, 10))
    world.letters("dst_2", range(1, 10))
    with world.deliverer(lambda batch, _: "status-500" if batch.destination == NAME else None) as deliverer:
        ended = run("dead-letters", "replay", "--all", "--yes")
    assert ended.code == 1
    assert "9 letters delivered, 3 failed again, 6 left as before" in ended.out
    assert "dst_1: 3 failed, the last with status-500" in ended.out
    assert [batch.sequence for batch, _ in deliverer.got if batch.destination == NAME] == [1, 2, 3]
    assert world.owed() == set(keys)
    with world.deliverer(fine):
        assert run("dead-letters", "replay", *keys, "--yes", "--rate", "50").code == 0
    assert world.owed() == set()


def test_nothing_is_sent_where_nothing_can_arrive(world: World, run: Shell) -> None:
    world.destination("dst_paused", paused=True)
    world.destination("dst_gone", state="disabled", because="gone")
    world.destination("dst_deleted", state="deleted")
    world.destination("dst_disabled", state="disabled")
    for name in ("dst_paused", "dst_gone", "dst_deleted", "dst_disabled", "dst_unknown"):
        world.letters(name, range(1, 3))
    world.unreadable(4, detail="too large (only its beginning is kept here, its 3000000 bytes are in the log)")
    world.unreadable(5, destination="dst_disabled")
    for name, why in {
        "dst_paused": "auditcast destinations resume dst_paused",
        "dst_gone": "auditcast destinations enable dst_gone",
        "dst_deleted": "was deleted",
        "dst_unknown": "is not known any more",
    }.items():
        refused = run("dead-letters", "replay", "--destination", name, "--yes", "--json")
        assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
        assert why in refused.err
    with world.deliverer(fine):
        ended = run("dead-letters", "replay", "--all", "--yes")
    assert ended.code == 1
    assert "2 letters delivered (run" in ended.out
    assert "1 letter left as before: only its beginning was kept" in ended.err
    assert "1 letter left as before: it is a single event that is too large for its destination" in ended.err
    assert len(world.owed()) == 10


def test_without_a_deliverer_it_says_so_and_loses_nothing(world: World, run: Shell) -> None:
    world.destination(NAME)
    keys = world.letters(NAME, range(1, 4))
    ended = run("dead-letters", "replay", "--all", "--yes", "--timeout", "0.3")
    assert ended.code == 1
    assert "no deliverer told of anything for 0.3 s" in ended.err
    assert world.owed() == set(keys)
    with world.deliverer(fine) as deliverer:
        assert run("dead-letters", "replay", "--all", "--yes").code == 0
    # The copy that waited is sent, too: the same bytes under the same id.
    assert {batch.id for batch, _ in deliverer.got} == set(keys)
    assert world.owed() == set()


def test_interrupted_it_stops_and_goes_on_when_it_is_run_again(world: World, run: Shell) -> None:
    world.destination(NAME)
    keys = world.letters(NAME, range(1, 31))

    def interrupting(batch: Batch, _: Delivery) -> None:
        if batch.sequence == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with world.deliverer(interrupting) as deliverer:
        ended = run("dead-letters", "replay", "--all", "--yes", "--json")
    assert ended.code == 130
    assert "Stopping" in ended.err
    sent = len(deliverer.got)
    assert ended.json["ending"] == "interrupted"
    assert ended.json["delivered"] == sent
    assert world.owed() == set(keys[sent:])
    with world.deliverer(fine) as deliverer:
        assert run("dead-letters", "replay", "--all", "--yes").code == 0
    assert [batch.id for batch, _ in deliverer.got] == keys[sent:]


def test_what_somebody_resolves_meanwhile_is_not_sent(world: World, run: Shell) -> None:
    world.destination(NAME)
    keys = world.letters(NAME, range(1, 31))

    def resolving(batch: Batch, _: Delivery) -> None:
        by_ada = [("resolved-by", b"ada")]
        if batch.sequence == 1:
            world.append(world.topics.dead_letters, keys[29], None, headers=by_ada)
        if batch.sequence == 5:  # while it is under way
            world.append(world.topics.dead_letters, keys[4], None, headers=by_ada)
        if batch.sequence == 6:  # it has failed in somebody else's run
            other = replace(letter_of(batch, world.topics), replay="rpl_other")
            world.append(world.topics.dead_letters, keys[5], wire.encode(other))

    with world.deliverer(resolving) as deliverer:
        report = run("dead-letters", "replay", "--all", "--yes", "--json")
    assert report.code == 0
    assert (report.json["delivered"], report.json["failed"], report.json["elsewhere"]) == (28, 0, 2)
    assert len(deliverer.got) == 29


def test_unreadable_records_go_to_their_topic_again_as_they_were(world: World, run: Shell) -> None:
    keyed = world.unreadable(1, key=b"ws_9", headers=[RecordHeader("a", b"b"), RecordHeader(moves.FROM, b"3@4"),
                                                      RecordHeader(moves.MAC, b"mac")])  # fmt: skip
    keyless = world.unreadable(2, key=None, partition=2, headers=[])
    batch = world.unreadable(3, key=b"dst_9", topic=world.topics.batches, headers=[])
    before = run("dead-letters", "replay", "--all", "--dry-run")
    assert before.code == 0
    assert world.owed() == {keyed, keyless, batch}
    ended = run("dead-letters", "replay", "--all", "--yes")
    assert ended.code == 0
    assert "3 records appended again" in ended.out
    assert world.owed() == set()
    assert run("dead-letters", "replay", "--all", "--yes").out == "There are no such dead letters.\n"
    with Scan(world.connection, world.topics.events) as scan:
        found = {message.value(): message for message in scan.to_end(30)}
    assert set(found) == {b'{"broken": 1}', b'{"broken": 2}'}
    one, two = found[b'{"broken": 1}'], found[b'{"broken": 2}']
    assert (one.key(), one.partition(), one.headers()) == (b"ws_9", partition_of("ws_9", PARTITIONS), [("a", b"b")])
    assert (two.key(), two.partition(), two.headers()) == (None, 2, None)
    assert world.rows(world.topics.batches) == [(b"dst_9", b'{"broken": 3}', {})]


def test_a_replay_of_records_that_was_killed_leaves_nothing_half_done(world: World, run: Shell, broker: Broker) -> None:
    if not broker.transactions:
        pytest.skip("this broker does not keep what a transaction promises")
    key = world.unreadable(1)
    killed = clients.producer(world.connection, transactional_id=f"{world.connection.topic_prefix}.replay")
    killed.init_transactions(30)
    killed.begin_transaction()
    killed.produce(world.topics.events, b'{"broken": 1}', "ws_1")
    killed.produce(world.topics.dead_letters, None, key)
    killed.flush(30)
    assert run("dead-letters", "replay", "--all", "--yes").code == 0
    with pytest.raises(KafkaException, match=r"[Ff]enced"):
        killed.commit_transaction()
    assert [value for _, value, _ in world.rows(world.topics.events)] == [b'{"broken": 1}']
    assert world.owed() == set()


def test_resolving_is_on_record_in_the_partition_of_the_letter(world: World, run: Shell) -> None:
    world.destination(NAME)
    keys = world.letters(NAME, range(1, 7))
    run.setting("sealing_keys", key := new_key())
    assert run("dead-letters", "resolve", "--all").code == 2
    assert run("dead-letters", "resolve", "--because", "x", "--yes").code == 2
    assert "there is no dead letter 'x'" in run("dead-letters", "resolve", "x", "--because", "y", "--yes").err
    assert world.owed() == set(keys)
    resolved = run("dead-letters", "resolve", "--sequence", "1-2", "--because", "test data ü", "--yes", "--json").json
    assert set(resolved["resolved"]) == set(keys[:2])
    ended = run("dead-letters", "resolve", keys[2], "--because", "old", "--operator", "ada", "--yes")
    assert "1 letter resolved." in ended.out
    assert world.owed() == set(keys[3:])
    ends = {key: headers for key, value, headers in world.rows(world.topics.dead_letters) if value is None}
    assert ends[keys[0].encode()]["resolved-reason"].decode() == "test data ü"
    assert ends[keys[2].encode()] == {"resolved-by": b"ada", "resolved-reason": b"old"}
    with Scan(world.connection, Topics(world.connection.topic_prefix).dead_letters) as scan:
        places: dict[bytes | None, set[int | None]] = {}
        for message in scan.to_end(30):
            places.setdefault(message.key(), set()).add(message.partition())
    assert all(len(partitions) == 1 for partitions in places.values())
    said = [decode_as(Control, value or b"") for _, value, _ in world.rows(world.topics.events)]
    notes = [cast("Note", controls.content(each, Sealer([key]))) for each in said]
    assert [each.partition for each in said] == [0, 0, 0]  # that of the stream, as its name has it
    assert [(each.sequence, each.first_event, each.last_event) for each in notes] == [(1, 1, 2), (2, 3, 4), (3, 5, 6)]
    assert {each.kind for each in notes} == {"resolved"}
    assert (notes[2].stream, notes[2].by, notes[2].because) == ("dst_1-0-0f", "ada", "old")


def test_letters_of_batches_are_not_resolved_without_the_keys_that_notes_need(world: World, run: Shell) -> None:
    world.destination(NAME)
    keys = world.letters(NAME, range(1, 2))
    event = world.unreadable(7)
    refused = run("dead-letters", "resolve", "--all", "--because", "x", "--yes")
    assert (refused.code, "AUDITCAST_SEALING_KEYS is not set" in refused.err) == (1, True)
    assert run("dead-letters", "resolve", event, "--because", "x", "--yes").code == 0
    assert world.owed() == set(keys)
    run.setting("sealing_keys", new_key())
    long = run("dead-letters", "resolve", "--all", "--because", "x" * 501, "--yes")
    assert (long.code, long.err.count("\n"), "may have 500 characters" in long.err) == (1, 1, True)
