"""What a destination holds sealed, each in a place of its own: its secrets, header values, salt, and a secret URL."""

import base64
import secrets
from collections.abc import Sequence

from msgspec.structs import replace

from auditcast.schemas.destinations import checked_headers
from auditcast.schemas.errors import WrongSealingKey
from auditcast.schemas.records import Revision, SealedHeader
from auditcast.schemas.sealing import Sealer

SECRET_BYTES = 32
SALT_BYTES = 32


def secret_text(raw: bytes) -> str:
    """A destination's secret as its owner gets it."""
    return "whsec_" + base64.b64encode(raw).decode()


def new_salt() -> str:
    """A fresh salt of hashed fields, as it is sealed."""
    return base64.b64encode(secrets.token_bytes(SALT_BYTES)).decode()


def secret_place(destination: str) -> str:
    """Where the secret is sealed."""
    return f"{destination}/secret"


def next_secret_place(destination: str) -> str:
    """Where the secret is sealed that will follow it."""
    return f"{destination}/next-secret"


def salt_place(destination: str) -> str:
    """Where the salt of hashed fields is sealed."""
    return f"{destination}/salt"


def url_place(destination: str) -> str:
    """Where a secret URL is sealed."""
    return f"{destination}/url"


def header_place(destination: str, name: str) -> str:
    """Where a header's value is sealed."""
    return f"{destination}/headers/{name.lower()}"


def open_headers(revision: Revision, sealer: Sealer) -> dict[str, str]:
    """The custom headers with their values, by name."""
    return {
        header.name: sealer.open(header_place(revision.destination, header.name), header.sealed)
        for header in revision.headers
    }


def open_url(revision: Revision, sealer: Sealer) -> str:
    """The whole URL, also if it is a secret."""
    return sealer.open(url_place(revision.destination), revision.sealed_url) if revision.sealed_url else revision.url


def open_salt(revision: Revision, sealer: Sealer) -> bytes:
    """The salt of hashed fields, as `redactions.redaction` takes it."""
    return sealer.open(salt_place(revision.destination), revision.salt).encode()


def changed_headers(
    revision: Revision, given: Sequence[tuple[str, str]], without: Sequence[str], sealer: Sealer
) -> list[SealedHeader]:
    """The headers once those `given` are added or put in the place of those of the same name, and others are gone."""
    values = open_headers(revision, sealer)
    sealed = {header.name: header for header in revision.headers}
    gone = {name.lower() for name in without} | {name.lower() for name, _ in given}
    kept = [(name, value) for name, value in values.items() if name.lower() not in gone]
    checked_headers(given)  # first by themselves: numbers in errors count what the person gave
    result = []
    for name, value in checked_headers([*kept, *given]):
        # Sealing again gives other bytes; a header given as it is already is no change.
        same = values.get(name) == value
        place = header_place(revision.destination, name)
        result.append(sealed[name] if same else SealedHeader(name, sealer.seal(place, value)))
    return sorted(result, key=lambda header: header.name.lower())


def resealed(revision: Revision, sealer: Sealer, newest: Sealer) -> Revision:
    """`revision` with everything sealed by `newest`, what is so already left as it is; raises `WrongSealingKey`.

    Also one that is deleted: what is still to be delivered for it needs its secret.
    """

    def again(place: str, sealed: bytes) -> bytes:
        if not sealed:
            return sealed
        try:
            newest.open(place, sealed)
        except WrongSealingKey:
            return newest.seal(place, sealer.open(place, sealed))
        return sealed

    name = revision.destination
    wanted = replace(
        revision,
        secret=again(secret_place(name), revision.secret),
        next_secret=again(next_secret_place(name), revision.next_secret),
        salt=again(salt_place(name), revision.salt),
        sealed_url=again(url_place(name), revision.sealed_url),
        headers=[
            SealedHeader(header.name, again(header_place(name, header.name), header.sealed))
            for header in revision.headers
        ],
    )
    return revision if wanted == revision else wanted
