"""What a delivery's headers claim it to be, read strictly. Pure."""

import re
from collections.abc import Mapping
from sys import intern

from msgspec import Struct

from auditcast.schemas.chain import link_digest

_NUMBER = "[1-9][0-9]{0,18}"
_DIGEST = "[0-9a-f]{64}"
_RULES = {
    "stream": re.compile("[A-Za-z0-9_-]{1,128}"),
    "sequence": re.compile(_NUMBER),
    "events": re.compile(f"({_NUMBER})-({_NUMBER})"),
    "opened": re.compile(f"0|{_NUMBER}"),
    "format": re.compile("[!-~]{1,64}"),
    "gap": re.compile(f"-|(?:0|{_NUMBER})-(?:0|{_NUMBER})"),
    "previous-digest": re.compile(_DIGEST),
    "digest": re.compile(_DIGEST),
}
_PART = re.compile(f"({_NUMBER})-({_NUMBER}); parent=({_DIGEST})")


class Place(Struct, frozen=True):
    """What a batch, or an event of it, says of the batch's place in its chain."""

    stream: str
    sequence: int
    opened: int
    gap: str
    previous: str


class Claim(Struct, frozen=True):
    """A batch, or the events `part` of it; then `parent` is the SHA-256 of the whole body."""

    place: Place
    first: int
    last: int
    format: str
    digest: str
    part: tuple[int, int] | None = None
    parent: str = ""

    @property
    def id(self) -> str:
        """The `webhook-id` that it must have."""
        numbers = "-{}-{}".format(*self.part) if self.part else ""
        return f"{self.place.stream}-{self.place.sequence}{numbers}"

    def holds(self, body_sha256: str) -> bool:
        """Whether the digest is that of a batch with this body."""
        place = self.place
        return self.digest == link_digest(
            stream=place.stream,
            sequence=place.sequence,
            first_event=self.first,
            last_event=self.last,
            opened=place.opened,
            format=self.format,
            body_sha256=body_sha256,
            gap=place.gap,
            previous_digest=place.previous,
        )


def place_told(stream: str, sequence: str, opened: str, gap: str, previous: str) -> Place | None:
    """A place as an event tells it; `sequence` 0 is that of a manifest. None if it is not in the platform's form."""
    told = {"stream": stream, "opened": opened, "gap": gap, "previous-digest": previous}
    if not all(_RULES[name].fullmatch(value) for name, value in told.items()):
        return None
    if sequence != "0" and not _RULES["sequence"].fullmatch(sequence):
        return None
    return Place(intern(stream), int(sequence), int(opened), gap, previous)


def claim_in(headers: Mapping[str, str]) -> Claim | None:
    """The claim in `headers`, named in lower case; None if it is not in the form that the platform sends."""
    told = {name: headers.get(f"x-audit-{name}", "") for name in _RULES}
    if not all(rule.fullmatch(told[name]) for name, rule in _RULES.items()):
        return None
    first, last = map(int, told["events"].split("-"))
    part = _PART.fullmatch(headers.get("x-audit-part", ""))
    if first > last or ("x-audit-part" in headers and part is None):
        return None
    numbers = (int(part[1]), int(part[2])) if part else None
    if numbers and not first <= numbers[0] <= numbers[1] <= last:
        return None
    place = place_told(told["stream"], told["sequence"], told["opened"], told["gap"], told["previous-digest"])
    assert place is not None  # noqa: S101  (each of these was looked at)
    return Claim(place, first, last, told["format"], told["digest"], numbers, part[3] if part else "")


def sequence_claimed(headers: Mapping[str, str]) -> int:
    """The number of the batch, even if nothing else can be read; 0 if not even that."""
    told = headers.get("x-audit-sequence", "")
    return int(told) if _RULES["sequence"].fullmatch(told) else 0
