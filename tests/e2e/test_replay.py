"""`auditcast replay` from the command line on, with a stand-in for the deliverer."""

import pytest

from auditcast.console.moments import second_text
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.settings import Connection
from auditcast.schemas import wire
from auditcast.schemas.records import Delivery
from tests.e2e.replays import HOUR_MS, NOW, Shell, World, batch_of, fine

NAME = "dst_1"
STREAM = "dst_1-0-0f"


@pytest.fixture
def world(topics: Connection) -> World:
    return World(topics)


@pytest.fixture
def run(topics: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(topics, monkeypatch, capfd)


def test_a_range_is_sent_again_once_with_the_same_bytes(world: World, run: Shell) -> None:
    world.destination(NAME)
    world.batches(NAME, range(5, 16))
    world.batches("dst_2", range(1, 5))
    world.batches(NAME, range(15, 16))  # as after a crash of a processor
    marked = [(HEADER, wire.encode(Delivery(offset=1, replay="rpl_0")))]
    world.answered.add("rpl_0")
    world.append(world.topics.batches, NAME, wire.encode(batch_of(NAME, 4)), headers=marked)
    world.flush()
    dry = run("replay", "--destination", NAME, "--sequence", "3-20", "--dry-run", "--json").json
    assert [batch["sequence"] for batch in dry["batches"]] == list(range(5, 16))
    assert dry["missing"] == [
        f"{STREAM}: batches 3 to 4 expired, and cannot be sent again", f"{STREAM}: there is no batch from 16 to 20 yet",
    ]  # fmt: skip
    with world.deliverer(fine) as deliverer:
        report = run("replay", "--destination", NAME, "--sequence", "12-15", "--yes", "--json")
        assert report.code == 0
        assert report.json["delivered"] == 4
        again = run("replay", "--destination", NAME, "--sequence", "12-15", "--yes")
        assert "4 batches delivered" in again.out
    assert deliverer.raw == [wire.encode(batch_of(NAME, number)) for number in (12, 13, 14, 15)] * 2
    assert {delivery.letter for _, delivery in deliverer.got} == {""}
    offsets = [delivery.offset for _, delivery in deliverer.got]
    assert offsets[:4] == offsets[4:] == list(range(offsets[0], offsets[0] + 4))
    assert len([headers for _, _, headers in world.rows(world.topics.batches) if HEADER in headers]) == 9


def test_a_range_by_time_is_that_of_the_windows(world: World, run: Shell) -> None:
    world.destination(NAME)
    world.batches(NAME, range(1, 11))
    begin = NOW - HOUR_MS
    moments = [second_text(ms).replace(" ", "T") for ms in (begin + 4000, begin + 8000)]
    found = run("replay", "--destination", NAME, "--from", moments[0], "--to", moments[1], "--dry-run", "--json").json
    sequences = [batch["sequence"] for batch in found["batches"]]
    assert len(sequences) == 4
    assert sequences == list(range(sequences[0], sequences[0] + 4))
    assert found["missing"] == []
    world.batches("dst_2", range(5, 8))
    world.destination("dst_2")
    late = run("replay", "--destination", "dst_2", "--from", "3h", "--dry-run")
    assert "3 batches (6 events: dst_2-0-0f 5 to 7) would be sent again to dst_2." in late.out
    assert "dst_2-0-0f: batches 1 to 4 expired, so what was opened before" in late.err


def test_a_receiver_that_fails_is_left_alone(world: World, run: Shell) -> None:
    world.destination(NAME)
    world.batches(NAME, range(1, 11))
    with world.deliverer(lambda *_: "status-503") as deliverer:
        ended = run("replay", "--destination", NAME, "--from", "2h", "--yes")
    assert ended.code == 1
    assert "0 batches delivered, 3 failed, which the deliverer retries on its schedule, 7 left" in ended.out
    assert len(deliverer.got) == 3


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        ((), 2, "Say which batches"),
        (("--sequence", "1", "--from", "2h"), 2, "Say which batches"),
        (("--sequence", "4-2"), 2, "'4-2' must be a number"),
        (("--from", "yesterday"), 2, "'yesterday' says no time"),
        (("--sequence", "1"), 1, "there is nothing to send: no batch of dst_1 is held any more"),
        (("--sequence", "1", "--stream", "s"), 1, "no batch of the stream s is held any more"),
    ],
)
def test_a_mistake_gets_one_sentence(world: World, run: Shell, args: tuple[str, ...], code: int, sentence: str) -> None:
    world.destination(NAME)
    ended = run("replay", "--destination", NAME, "--yes", *args)
    assert (ended.code, ended.out) == (code, "")
    assert sentence in ended.err


def test_a_paused_or_unknown_destination_gets_nothing(world: World, run: Shell) -> None:
    world.destination(NAME, paused=True)
    world.batches(NAME, range(1, 3))
    assert "resume it first" in run("replay", "--destination", NAME, "--sequence", "1", "--yes").err
    assert "there is no destination 'dst_7'" in run("replay", "--destination", "dst_7", "--sequence", "1").err
    assert all(HEADER not in headers for *_, headers in world.rows(world.topics.batches))
