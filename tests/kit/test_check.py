"""docs/kit/check.*: each language takes what a deliverer sends, and nothing else, for the same reasons."""

import base64
import hmac
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditcast.deliverers.parts import part_of
from auditcast.schemas.chain import digest_of
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.signing_keys import Signer, new_signing_key
from tests.kit import languages
from tests.kit.languages import Case, Checker, Spoken
from tests.kit.sending import NEXT_SECRET, NOW, SECRET, Request, chained, order, sent

REFUSALS: dict[str, tuple[Callable[[Case], Case], str]] = {
    "changed body": (lambda case: with_body(case, case.request.body.replace(b"aud_1", b"aud_2")), "wrong signature"),
    "changed id": (lambda case: with_headers(case, **{"webhook-id": "other-1"}), "wrong signature"),
    "changed place": (lambda case: with_headers(case, **{"x-audit-sequence": "2"}), "not the batch that was signed"),
    "changed digest": (lambda case: with_headers(case, **{"x-audit-previous-digest": "1" * 64}), "wrong digest"),
    "changed gap": (lambda case: with_headers(case, **{"x-audit-gap": "1-2"}), "wrong digest"),
    "old": (lambda case: replace(case, now=NOW + 301), "too old, or a clock is wrong"),
    "early": (lambda case: replace(case, now=NOW - 301), "too old, or a clock is wrong"),
    "no time": (
        lambda case: with_headers(case, **{"webhook-timestamp": f"+{NOW}"}),
        "too old, or a clock is wrong",
    ),
    "wrong secret": (lambda case: replace(case, secrets=[NEXT_SECRET]), "wrong signature"),
    "no signature": (lambda case: with_headers(case, **{"webhook-signature": "v1, v1a, x"}), "wrong signature"),
    "missing id": (lambda case: without(case, "webhook-id"), "missing header webhook-id"),
    "missing time": (lambda case: without(case, "webhook-timestamp"), "missing header webhook-timestamp"),
    "missing signature": (lambda case: without(case, "webhook-signature"), "missing header webhook-signature"),
    "missing digest": (lambda case: without(case, "x-audit-digest"), "wrong digest"),
}


@pytest.fixture(scope="session", params=["python", "node", "go", "shell"])
def checker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    """The kit in one of its languages."""
    language = getattr(languages, request.param)
    folder: list[Path] = [tmp_path_factory.mktemp(request.param)] if request.param in ("go", "shell") else []
    checks = language(*folder)
    yield checks
    if isinstance(checks, Spoken):
        checks.close()


def with_headers(case: Case, **changed: str) -> Case:
    return replace(case, request=replace(case.request, headers={**case.request.headers, **changed}))


def with_body(case: Case, body: bytes) -> Case:
    return replace(case, request=replace(case.request, body=body))


def without(case: Case, name: str) -> Case:
    headers = {each: value for each, value in case.request.headers.items() if each != name}
    return replace(case, request=replace(case.request, headers=headers))


def taken(checker: Checker, *requests: Request) -> list[str]:
    return [checker(Case(request=each, take=True)) for each in requests]


@pytest.mark.parametrize("age", [-300, 0, 300])
def test_what_is_genuine_is_taken(checker: Checker, age: int) -> None:
    [batch] = chained(3)
    case = Case(request=sent(batch), now=NOW + age)
    assert checker(case) == "genuine"
    assert checker(replace(case, simple=True)) == "genuine"


@pytest.mark.parametrize("change", REFUSALS)
def test_anything_else_is_refused(checker: Checker, change: str) -> None:
    [batch] = chained(1)
    changed, reason = REFUSALS[change]
    assert checker(changed(Case(request=sent(batch)))) == f"refused: {reason}"


def test_the_simpler_signature_is_checked_too(checker: Checker) -> None:
    [batch] = chained(1)
    case = Case(request=sent(batch), simple=True)
    assert checker(with_body(case, batch.body + b" ")) == "refused: wrong signature"
    assert checker(replace(case, secrets=[NEXT_SECRET])) == "refused: wrong signature"
    assert checker(without(case, "x-webhook-signature")) == "refused: missing header x-webhook-signature"


@pytest.mark.parametrize("simple", [False, True])
def test_with_an_empty_secret_nothing_is_taken(checker: Checker, simple: bool) -> None:
    # Whoever knows that a variable was left empty could sign with the empty key.
    [batch] = chained(1)
    case = Case(request=sent(batch), secrets=["whsec_"], simple=simple)
    signed = f"{batch.id}.{NOW}.".encode() + batch.body
    forged = {
        "webhook-signature": "v1," + base64.b64encode(hmac.digest(b"", signed, "sha256")).decode(),
        "x-webhook-signature": "sha256=" + hmac.digest(b"", batch.body, "sha256").hex(),
    }
    assert checker(with_headers(case, **forged)).startswith("refused: ")


def test_repeats_holes_and_order_are_told(checker: Checker) -> None:
    batches = chained(2, 1, 3, 1)
    assert taken(checker, *order(0, 1, 0, 3, 2, 3, of=batches)) == ["next", "next", "repeat", "early", "next", "repeat"]


def test_what_contradicts_is_told(checker: Checker) -> None:
    first, second, third, fourth = chained(1, 1, 1, 1)
    _, other, following, _ = chained(1, 1, 1, 1, stream=first.stream, gaps={2: "1-2"})
    # Another batch under a number that is taken, one that follows the other, one that the next does not follow.
    assert taken(checker, *map(sent, (first, second, other, following))) == ["next", "next", "conflict", "conflict"]
    first, second, third, fourth = chained(1, 1, 1, 1)
    _, other, *_ = chained(1, 1, 1, 1, stream=first.stream, gaps={2: "1-2"})
    assert taken(checker, *map(sent, (third, other, fourth, first))) == ["early", "conflict", "next", "next"]
    [stranger] = chained(1)
    beginning = replace(stranger, previous_digest="1" * 64)
    beginning = replace(beginning, digest=digest_of(beginning))
    assert taken(checker, sent(beginning)) == ["conflict"]


def test_streams_have_chains_of_their_own(checker: Checker) -> None:
    (one, two), (other, another) = chained(1, 1), chained(1, 1)
    assert taken(checker, *map(sent, (one, other, another, two))) == ["next"] * 4


def test_what_has_no_place_is_kept_apart(checker: Checker) -> None:
    [batch] = chained(4)
    parts = [part_of(batch, FORMATS[batch.format], *events) for events in ((1, 2), (3, 4))]
    test = replace(batch, id=f"test-{batch.stream}", stream="", sequence=0)
    requests = [*(sent(batch, part=part) for part in (*parts, *parts)), sent(test)]
    assert taken(checker, *requests) == ["apart", "apart", "repeat", "repeat", "apart"]
    case = Case(request=requests[0])
    swapped = requests[1].headers["x-audit-part"]
    assert checker(with_headers(case, **{"x-audit-part": swapped})) == "refused: not the batch that was signed"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET])
def test_either_secret_will_do_during_a_rotation(checker: Checker, secret: str, packed: bool) -> None:
    [batch] = chained(2)
    case = Case(request=sent(batch, next_secret=NEXT_SECRET, packed=packed), secrets=[secret])
    assert checker(case) == "genuine"
    assert checker(replace(case, simple=True)) == "genuine"
    assert checker(replace(case, secrets=["whsec_" + "A" * 44])) == "refused: wrong signature"


@pytest.mark.parametrize("packed", [False, True])
def test_a_public_key_is_enough(checker: Checker, packed: bool) -> None:
    signer, stranger = Signer([new_signing_key()]), Signer([new_signing_key()])
    [batch] = chained(2)
    case = Case(request=sent(batch, signer=signer, packed=packed), secrets=[], public_keys=signer.public_keys)
    assert checker(case) == "genuine"
    assert checker(replace(case, public_keys=stranger.public_keys)) == "refused: wrong signature"
    assert checker(with_headers(case, **{"webhook-id": "other-1"})) == "refused: wrong signature"
    only_theirs = case.request.headers["webhook-signature"].partition(" ")[0]
    assert checker(with_headers(case, **{"webhook-signature": only_theirs})) == "refused: wrong signature"


def test_the_digest_of_a_packed_body_is_that_of_what_it_holds(checker: Checker) -> None:
    [batch] = chained(2)
    packed = sent(batch, packed=True)
    assert taken(checker, packed) == ["next"]
    assert checker(with_body(Case(request=packed), batch.body)) == "refused: wrong signature"
