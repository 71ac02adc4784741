"""What is found in an input, whatever its form."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from auditcast.console.verifying.claims import Place
from auditcast.schemas.records import Manifest


class Request(Struct, frozen=True):
    """A delivery as it came: headers by lower-case name, the body's bytes. `ordered` if it stands where it arrived."""

    headers: Mapping[str, str]
    body: bytes
    where: str
    ordered: bool = False


class Events(Struct, frozen=True):
    """Events of one batch, numbered, without anything around them; `family` as in rebuilding.py."""

    place: Place
    family: str
    numbered: Sequence[tuple[int, bytes]]
    where: str


class Told(Struct, frozen=True):
    """A manifest, delivered or exported."""

    manifest: Manifest
    where: str


class Tests(Struct, frozen=True):
    """Events of test deliveries, which stand in no chain."""

    count: int
    where: str


class Unplaced(Struct, frozen=True):
    """Events that say of themselves no place in a chain; `stream` if they say at least that."""

    count: int
    where: str
    stream: str = ""


class Unreadable(Struct, frozen=True):
    """What is no input at all, and why."""

    where: str
    why: str


class Ignored(Struct, frozen=True):
    """A file that nobody would take for an input."""

    where: str


Item = Request | Events | Told | Tests | Unplaced | Unreadable | Ignored
