"""Events that others put into a wrong partition: how the record that is appended to the right one says so.

The headers are authenticated. A stranger's would make the target take later events for repeats, and lose them.
"""

from collections.abc import Sequence

from msgspec import Struct

from auditcast.schemas.sealing import Forged, Sealer

FROM = "auditcast-moved-from"
MAC = "auditcast-moved-mac"


class Origin(Struct, frozen=True):
    """Where an event was found."""

    partition: int
    offset: int


def is_plain(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Whether the headers are those of an ordinary emitter, told at once: none, or only the content type."""
    return not headers or (len(headers) == 1 and headers[0][0] == "content-type")


def headers(origin: Origin, sealer: Sealer, target: int, value: bytes) -> list[tuple[str, bytes]]:
    """What is added to an event that is moved from `origin` to partition `target`."""
    text = f"{origin.partition}@{origin.offset}".encode()
    return [(FROM, text), (MAC, sealer.sign(b"moved", text, str(target).encode(), value))]


def origin(headers: Sequence[tuple[str, bytes]], sealer: Sealer, target: int, value: bytes) -> Origin | None:
    """Where the event came from, if one of our workers moved it to partition `target`; else None."""
    if is_plain(headers):
        return None
    found = dict(headers)
    text, mac = found.get(FROM), found.get(MAC)
    if text is None or mac is None:
        return None
    try:
        sealer.verify(mac, b"moved", text, str(target).encode(), value)
    except Forged:
        return None  # a stranger's header means nothing; the event itself is as good as any
    partition, _, offset = text.decode().partition("@")
    return Origin(int(partition), int(offset))
