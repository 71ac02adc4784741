"""Where to send and how to sign, from the newest revision of a destination, opened once."""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import httpx
from msgspec import Struct

from auditcast.deliverers.outcomes import Failed, Reason
from auditcast.deliverers.request import Headers
from auditcast.deliverers.signing import Keys, key_of
from auditcast.schemas.destinations import checked_headers
from auditcast.schemas.errors import InvalidDestination, Misconfigured, Undecodable, WrongSealingKey
from auditcast.schemas.networks import Network
from auditcast.schemas.records import Batch, Revision
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.urls import normal_url
from auditcast.schemas.wire import decode_as

OPENED = 20_000
"""Revisions kept open, about 2 kB each; opening one again costs some 0.2 ms."""


SHORTEST_CREDENTIAL = 6
"""Shorter header values are no credentials, and too likely to occur by chance."""

SCHEMES = frozenset({"apikey", "basic", "bearer", "digest", "splunk"})
"""Words that only say what kind of credential follows; in answers, and in our own words on them, they are no secret."""


_HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")


class Target(Struct, frozen=True):
    """A destination as a delivery needs it; what it has sealed is in the clear here, so it is never shown."""

    revision: Revision
    """What it was made of; its secrets are sealed."""

    order: tuple[int, str]
    url: httpx.URL
    headers: Headers
    keys: Keys
    credentials: list[str]
    """What must not appear where people look, the longest first."""

    platform: str = ""
    """The host of its base URL."""

    def __repr__(self) -> str:
        return f"Target({self.url.host})"


class Destinations:
    """The newest revisions, as `newest` (a view of `audit.destinations`) has them.

    A deleted destination is one more revision: what was batched for it is still delivered.
    """

    def __init__(self, newest: Callable[[bytes], bytes | None], sealer: Sealer, allowed: Sequence[Network]) -> None:
        self._newest = newest
        self._waiting: dict[str, asyncio.Event] = {}
        self._given_up: dict[str, tuple[int, str]] = {}
        self._standing = lru_cache(OPENED)(_standing)
        self._open = lru_cache(OPENED)(lambda raw: _opened(raw, sealer, allowed))

    def check_keys(self, revisions: Iterable[bytes]) -> None:
        """Raise `Misconfigured` if of all `revisions` none can be opened: then it is the keys that are wrong.

        One that cannot is that destination's misfortune; all of them would be dead letters of everything.
        """
        sealed: Failed | None = None
        for raw in revisions:
            try:
                self._open(raw)
            except Failed as failure:
                sealed = failure if failure.reason is Reason.SEALED else sealed
            else:
                return
        if sealed is not None:
            raise Misconfigured(f"no destination's secret can be opened: {sealed}")

    def changed(self, destination: str) -> None:
        """The view has a newer revision."""
        if destination in self._waiting:
            self._waiting[destination].set()

    def halted(self, destination: str) -> bool:
        """Whether nothing may be sent there now: somebody paused it, or its receiver is gone for good."""
        raw = self._newest(destination.encode())
        if raw is None:
            return False
        order, halted = self._standing(raw)
        return halted or self._given_up.get(destination) == order

    def give_up(self, revision: Revision) -> None:
        """Its receiver is gone: nothing more is sent under `revision`, also before a newer one is here that says so."""
        self._given_up[revision.destination] = revision.order

    async def target(self, batch: Batch, wait_s: float) -> Target:
        """Where to send `batch`, waiting for the revision that it names. Raises `Failed`."""
        target = self._reached(batch)
        if target is not None:
            return target
        changed = self._waiting.setdefault(batch.destination, asyncio.Event())
        try:
            async with asyncio.timeout(wait_s):
                while (target := self._reached(batch)) is None:
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            raise self._missing(batch, wait_s) from None
        finally:
            del self._waiting[batch.destination]
        return target

    def _reached(self, batch: Batch) -> Target | None:
        raw = self._newest(batch.destination.encode())
        if raw is None:
            return None
        target = self._open(raw)
        return target if target.order >= (batch.revision_number, batch.revision_nonce) else None

    def _missing(self, batch: Batch, wait_s: float) -> Failed:
        if self._newest(batch.destination.encode()) is None:
            return Failed(
                Reason.DESTINATION_UNKNOWN, f"no revision of {batch.destination} came within {wait_s:g} s: register it"
            )
        return Failed(
            Reason.REVISION_UNKNOWN,
            f"revision {batch.revision_number} ({batch.revision_nonce}) of {batch.destination}, which the batch was"
            f" made under, did not come within {wait_s:g} s: see whether somebody wrote audit.destinations anew",
        )


def _standing(raw: bytes) -> tuple[tuple[int, str], bool]:
    """The order of a revision, and whether it halts its destination."""
    try:
        revision = decode_as(Revision, raw)
    except Undecodable:
        return (0, ""), False
    return revision.order, revision.halted


def _opened(raw: bytes, sealer: Sealer, allowed: Sequence[Network]) -> Target:
    try:
        revision = decode_as(Revision, raw)
    except Undecodable as error:
        raise Failed(Reason.DESTINATION_INVALID, f"the newest revision cannot be read: {error}") from None
    try:
        secret, coming, headers, link = _unsealed(revision, sealer)
    except WrongSealingKey as error:
        raise Failed(Reason.SEALED, str(error)) from None
    try:
        # Checked when it was registered, and here because anybody may write to the topic.
        url = httpx.URL(normal_url(link or revision.url, allowed))
        keys = Keys(key_of(secret), key_of(coming) if coming else b"", revision.rotation_ends)
        secrets = [secret, *([coming] if coming else ()), *(_parts_of(url) if link else ())]
        credentials = _credentials(secrets, headers)
        given, platform = checked_headers(headers), _platform(revision)
        return Target(revision, revision.order, url, given, keys, credentials, platform)
    except (InvalidDestination, ValueError) as error:
        raise Failed(Reason.DESTINATION_INVALID, str(error)) from None
    except httpx.InvalidURL:
        raise Failed(Reason.DESTINATION_INVALID, "url: has a host that is no valid name") from None


def _platform(revision: Revision) -> str:
    """The host of its base URL, which only a receiver that is asked for its consent needs to be told."""
    try:
        host = httpx.URL(revision.base_url).raw_host.decode("ascii")
    except httpx.InvalidURL:
        host = ""
    if revision.handshake and not _HOST.fullmatch(host):
        raise InvalidDestination("base URL", "has no host that could ask for consent")
    return host


def _unsealed(revision: Revision, sealer: Sealer) -> tuple[str, str, Headers, str]:
    """The secret, the one that follows it, the headers, and the URL if that is sealed; "" for what there is not."""
    name = revision.destination
    headers = [
        (header.name, sealer.open(f"{name}/headers/{header.name.lower()}", header.sealed))
        for header in revision.headers
    ]
    secret = sealer.open(f"{name}/secret", revision.secret)
    coming = sealer.open(f"{name}/next-secret", revision.next_secret) if revision.next_secret else ""
    return secret, coming, headers, sealer.open(f"{name}/url", revision.sealed_url) if revision.sealed_url else ""


def _parts_of(url: httpx.URL) -> list[str]:
    """Everything of a URL that is a secret: it is all that lets one write to the intake."""
    found = [url.raw_path.decode("ascii"), url.path, *url.path.split("/"), *url.params.keys(), *url.params.values()]
    return [text for text in found if len(text) >= SHORTEST_CREDENTIAL]


def _credentials(secrets: list[str], headers: Headers) -> list[str]:
    """The secrets, the headers' values, and their longer words: of `Bearer abc`, `abc` is what counts."""
    words = {
        word
        for _, value in headers
        for word in (value, *value.split())
        if len(word) >= SHORTEST_CREDENTIAL and word.lower() not in SCHEMES
    }
    return sorted(words | {*secrets}, key=len, reverse=True)
