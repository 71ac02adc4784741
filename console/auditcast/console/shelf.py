"""The manifests as they lie in their topic: the newest record of each key counts."""

from collections.abc import Iterator

from msgspec import Struct

from auditcast.console.scanning import Count, Scan
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.chain import destination_of
from auditcast.schemas.records import Manifest
from auditcast.schemas.wire import decode_as


class Wanted(Struct, frozen=True, kw_only=True):
    """Which manifests are meant: all that match everything given; they end after `since` (ms)."""

    destination: str | None = None
    stream: str | None = None
    since: int = 0

    def holds(self, stream: str, until: int) -> bool:
        """Whether the manifest is meant."""
        return (
            self.stream in (None, stream) and self.destination in (None, destination_of(stream)) and until > self.since
        )


def manifests(connection: Connection, wanted: Wanted, count: Count) -> Iterator[Manifest]:
    """Those that are meant, in the order of their streams and times; each is held in about half a kB until then.

    Raises `BrokerUnavailable`, `WrongTopics`, `Undecodable`.
    """
    held: dict[tuple[str, int], bytes] = {}
    with Scan(connection, Topics(connection.topic_prefix).manifests, count) as scan:
        for message in scan.messages(dict.fromkeys(scan.bounds, 0)):
            key, value = _place(message.key() or b""), message.value()
            if key is None or not wanted.holds(*key):
                continue
            if value is None:
                held.pop(key, None)
            else:
                held[key] = value
    for key in sorted(held):
        yield decode_as(Manifest, held.pop(key))


def _place(key: bytes) -> tuple[str, int] | None:
    """The stream and the time that a key names, if it is a manifest's."""
    stream, _, until = key.decode(errors="replace").rpartition(":")
    return (stream, int(until)) if stream and until.isdecimal() else None
