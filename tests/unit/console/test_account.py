"""The verdict of demo and chaos: what is lost, altered or put elsewhere on the way is found, and counted."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import pytest

from auditcast.console.demo.account import Account
from auditcast.console.demo.batches import Batches, claimed
from auditcast.console.demo.expectation import Difference, Expectation
from auditcast.console.demo.ledger import Ledger
from auditcast.kafka.partitioner import partition_of
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.chain import GENESIS, batch_id, body_digest, link_digest, stream_epoch, stream_name
from auditcast.schemas.records import Batch, Control, DeadLetter, Revision
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode
from tests.bodies import numbered

KEY = bytes(32)
SEALER = Sealer([new_key()])
HOME = partition_of("ws", 4)
T0 = 1_700_000_000_000
STREAM = stream_name("dst", HOME, stream_epoch("e", 0, T0))


def events(count: int) -> list[bytes]:
    log = MemoryAuditLog()
    for _ in range(count):
        log.emit(workspace="ws", category="lock", action="created", actor={"id": "u", "type": "user"})
    return log.values


def batches(values: Sequence[bytes], size: int) -> list[Batch]:
    """The chain of a stream that holds these events."""
    chained: list[Batch] = []
    for start in range(0, len(values), size):
        part = values[start : start + size]
        sequence = len(chained) + 1
        body = numbered(part, start + 1)
        link: dict[str, Any] = {
            "stream": STREAM,
            "sequence": sequence,
            "first_event": start + 1,
            "last_event": start + len(part),
            "opened": 0,
            "format": "cloudevents/1",
            "body_sha256": body_digest(body),
            "gap": "-",
            "previous_digest": chained[-1].digest if chained else GENESIS,
        }
        rest: dict[str, Any] = {
            "revision_number": 1,
            "revision_nonce": "a",
            "partition": HOME,
            "first_offset": 0,
            "last_offset": 0,
        }
        chained.append(
            Batch(
                id=batch_id(STREAM, sequence), destination="dst", body=body, digest=link_digest(**link), **link, **rest
            )
        )
    return chained


def account(logged: Sequence[bytes], batched: Sequence[Batch], delivered: Sequence[Batch]) -> Account:
    expectation = Expectation(4, SEALER)
    revision = encode(
        Revision(destination="dst", number=1, nonce="a", state="active", changed_at=0, workspace="ws", epoch="e")
    )
    mac = SEALER.sign(b"control", str(HOME).encode(), revision)
    for offset, value in enumerate([encode(Control(partition=HOME, content=revision, mac=mac)), *logged]):
        expectation.take(HOME, offset, T0, value, [])
    result = Account(expectation, Batches())
    for batch in batched:
        result.batches.take(encode(batch))
    ledger = result.ledgers["dst"] = Ledger("dst", "whsec_" + base64.b64encode(KEY).decode())
    for batch in delivered:
        signature = base64.b64encode(hmac.digest(KEY, f"{batch.id}.0.".encode() + batch.body, hashlib.sha256)).decode()
        headers = {
            "webhook-id": batch.id,
            "webhook-timestamp": "0",
            "webhook-signature": f"v1,{signature}",
            "x-webhook-id": "dst",
            "x-webhook-signature": "sha256=" + hmac.digest(KEY, batch.body, hashlib.sha256).hex(),
        }
        ledger.receive(claimed(batch) | headers, batch.body, 0)
    return result


def test_is_content_only_with_everything_in_its_place() -> None:
    logged = events(7)
    chained = batches(logged, 3)
    whole = account(logged, chained, chained)
    assert whole.settled
    assert [row.good for row in whole.rows()] == [True]
    assert not whole.strays()
    assert not whole.ledgers["dst"].wrong


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_counts_the_events_of_a_batch_that_was_not_delivered(lost: int) -> None:
    logged = events(7)
    chained = batches(logged, 3)
    delivered = [batch for n, batch in enumerate(chained) if n != lost]
    [row] = account(logged, chained, delivered).rows()
    assert row.in_batches == Difference()
    assert row.at_receiver == Difference(missing=len(logged) - row.delivered)
    assert row.at_receiver.missing in {1, 3}


def test_owes_what_dead_letters_hold_until_they_are_resolved() -> None:
    logged = events(7)
    chained = batches(logged, 3)
    some = account(logged, chained, chained[2:])
    for batch, span in ((chained[0], (0, 0)), (chained[1], (4, 5))):
        letter = DeadLetter(
            topic="audit.batches", partition=0, offset=0, at=0, reason="status-500", detail="", value=encode(batch),
            destination="dst", first_event=span[0], last_event=span[1],
        )  # fmt: skip
        some.take_letter(batch.id.encode(), letter)
    some.take_letter(
        b"audit.events/0@1", DeadLetter(topic="audit.events", partition=0, offset=1, at=0, reason="forged", detail="")
    )
    assert (some.owed_events, some.letters, some.refused) == (3 + 2, {"status-500": 2}, {"forged": 1})
    some.take_letter(chained[0].id.encode(), None)
    assert (some.owed_events, len(some.undelivered), some.unlucky) == (2, 1, {"dst"})


def test_finds_what_was_never_collected_collected_twice_altered_or_swapped() -> None:
    logged = events(4)
    other = logged[1].replace(b'"usr', b'"xyz').replace(b'"id":"u"', b'"id":"v"')
    for collected, difference in {
        (0, 1, 3): Difference(missing=1),
        (0, 1, 1, 2, 3): Difference(unexpected=1),
        (1, 0, 2, 3): Difference(disordered=True),
    }.items():
        chained = batches([logged[n] for n in collected], 10)
        assert account(logged, chained, chained).rows()[0].at_receiver == difference
    chained = batches([logged[0], other, *logged[2:]], 10)
    assert account(logged, chained, chained).rows()[0].at_receiver == Difference(altered=1)


def test_finds_streams_that_the_log_does_not_account_for() -> None:
    chained = batches(events(2), 1)
    nobodys = account([], chained, chained)
    nobodys.expectation.streams.clear()
    assert nobodys.strays() == [STREAM]
