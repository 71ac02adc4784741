"""Manifests as an export checks them: what is forged, missing, or does not fit is said."""

import pytest
from msgspec.structs import replace

from auditcast.console.proofs import Proofs
from auditcast.schemas.manifests import FIRST, HOUR_MS, digest_of, text
from auditcast.schemas.records import Manifest
from auditcast.schemas.signing_keys import Signer, new_signing_key

SIGNER = Signer([new_signing_key()])
STRANGER = Signer([new_signing_key()])


def signed(manifest: Manifest, signer: Signer = SIGNER) -> Manifest:
    bare = replace(manifest, key=signer.public_keys[0])
    return replace(bare, digest=digest_of(bare), signature=signer.sign(text(bare)))


def chain(length: int) -> list[Manifest]:
    made: list[Manifest] = []
    for number in range(length):
        last = made[-1] if made else None
        manifest = Manifest(
            stream="dst_1-0-e", destination="dst_1", since=number * HOUR_MS, until=(number + 1) * HOUR_MS,
            first_sequence=2 * number + 1, last_sequence=2 * number + 2, first_event=10 * number + 1,
            last_event=10 * number + 10, opening_digest=last.closing_digest if last else "0",
            closing_digest=f"c{number}", final=False, notes=[], previous=last.digest if last else FIRST, digest="",
            key="", signature="",
        )  # fmt: skip
        made.append(signed(manifest))
    return made


def faults(manifests: list[Manifest], *, whole: bool = True) -> tuple[list[str], Proofs]:
    proofs = Proofs(SIGNER.public_keys, whole=whole)
    return [sentence for manifest in manifests for sentence in proofs.take(manifest)], proofs


def test_a_whole_chain_is_genuine() -> None:
    told, proofs = faults(chain(3))
    assert (told, proofs.count, proofs.streams, proofs.cut) == ([], 3, 1, [])
    assert proofs.keys == set(SIGNER.public_keys)


def test_what_expired_before_is_told_and_no_fault() -> None:
    told, proofs = faults(chain(3)[1:])
    assert (told, [each.since for each in proofs.cut]) == ([], [HOUR_MS])


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda made: [made[0], made[2]], "what lay between is missing"),
        (lambda made: [made[0], signed(made[1], STRANGER), made[2]], "none of the platform's keys"),
        (lambda made: [made[0], replace(made[1], last_event=21), made[2]], "is not signed by the key"),
        (lambda made: [made[0], replace(made[1], digest="0" * 64), made[2]], "does not have the digest"),
        (lambda made: [made[0], signed(replace(made[1], first_event=13)), made[2]], "does not begin where"),
        (lambda made: [signed(replace(made[0], final=True)), made[1]], "follows the stream's last one"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(spoilt: object, said: str) -> None:
    assert callable(spoilt)
    told, _ = faults(spoilt(chain(3)))
    assert any(said in sentence for sentence in told)
