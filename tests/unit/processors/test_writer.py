"""What the writer says of how much is under way."""

from auditcast.kafka.names import Topics
from auditcast.processors import writer
from auditcast.processors.holds import Holds
from auditcast.processors.keys import Keys
from auditcast.processors.partition import Partition, Place
from auditcast.processors.state import State
from auditcast.processors.writer import Writer
from auditcast.schemas.controls import control
from auditcast.schemas.manifests import HOUR_MS
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.signing_keys import Signer, new_signing_key
from tests.properties.simulation import Broker, FakeProducer, Record


def test_what_waits_for_a_manifest_is_under_way_too() -> None:
    sealer = Sealer([new_key()])
    core = Partition(Place("audit.events", 0, 1), 0, State(), Keys(sealer, Signer([new_signing_key()])))
    stalled = Writer(FakeProducer(Broker()), Topics("audit"), print)  # type: ignore[arg-type]  # a fake
    holds = Holds()
    revision = Revision(destination="dst_1", number=1, nonce="", state="active", changed_at=0, workspace="w", epoch="e")
    core.step(Record(0, 0, None, control(revision, 0, sealer)))
    before = stalled.in_flight
    for hour in range(1, 101):
        for effect in core.step(Record(hour, hour * HOUR_MS, None, b"")) or []:
            stalled.apply(effect, 0, holds)
    assert stalled.in_flight - before > 99 * writer.RECORD_BYTES
