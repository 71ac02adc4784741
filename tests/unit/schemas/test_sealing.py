"""Sealed values open only with a key, only in their place; records are the pipeline's own only with its MAC."""

import pytest
from cryptography.fernet import Fernet

from auditcast.schemas.errors import Misconfigured, WrongSealingKey
from auditcast.schemas.sealing import Forged, Sealer, new_key

OLD, NEW, OTHER = new_key(), new_key(), new_key()
PLACE = "dst_1/secret"
VALUE = "whsec_ä\nwith a line break"


def test_what_is_sealed_opens_in_its_place() -> None:
    sealed = Sealer([OLD]).seal(PLACE, VALUE)
    assert VALUE.encode() not in sealed
    assert Sealer([OLD]).open(PLACE, sealed) == VALUE


def test_a_value_copied_to_another_destination_stays_shut() -> None:
    sealed = Sealer([OLD]).seal(PLACE, VALUE)
    with pytest.raises(WrongSealingKey, match="sealed at dst_2/secret belongs to dst_1/secret"):
        Sealer([OLD]).open("dst_2/secret", sealed)


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\xff\x00", b"no token", Fernet(OTHER).encrypt(b"dst_1/secret\nx")],
    ids=["empty", "binary", "text", "another-key"],
)
def test_another_key_or_damage_is_one_sentence_without_the_value(damaged: bytes) -> None:
    with pytest.raises(WrongSealingKey, match=f"^{PLACE} was sealed with a key that AUDITCAST_SEALING_KEYS lacks"):
        Sealer([OLD, NEW]).open(PLACE, damaged)


def test_keys_can_be_rotated() -> None:
    sealed, mac = Sealer([OLD]).seal(PLACE, VALUE), Sealer([OLD]).sign(b"a", b"b")
    both = Sealer([NEW, OLD])
    assert both.open(PLACE, sealed) == VALUE
    both.verify(mac, b"a", b"b")
    assert Sealer([NEW]).open(PLACE, both.seal(PLACE, VALUE)) == VALUE, "the first key seals"
    Sealer([NEW]).verify(both.sign(b"a"), b"a")
    with pytest.raises(WrongSealingKey):
        Sealer([NEW]).open(PLACE, sealed)


@pytest.mark.parametrize("parts", [(b"ab",), (b"", b"ab"), (b"a", b"B"), (b"b", b"a"), (b"a",), (b"a", b"b", b"")])
def test_a_mac_holds_for_exactly_its_parts(parts: tuple[bytes, ...]) -> None:
    sealer = Sealer([OLD])
    with pytest.raises(Forged):
        sealer.verify(sealer.sign(b"a", b"b"), *parts)


@pytest.mark.parametrize(
    "mac",
    [b"", b"\x00" * 32, Sealer([OTHER]).sign(b"a"), Sealer([OLD]).sign(b"a")[:-1]],
    ids=["none", "zeros", "another-key", "cut"],
)
def test_a_forged_mac_is_refused(mac: bytes) -> None:
    with pytest.raises(Forged, match="find out who wrote it"):
        Sealer([OLD, NEW]).verify(mac, b"a")


@pytest.mark.parametrize("keys", [[], [""], ["short"], ["ä" * 44], [OLD, "x" * 44], [OLD[:-4]], [f"{OLD};{NEW}"]])
def test_what_is_no_key_is_one_sentence_that_does_not_show_it(keys: list[str]) -> None:
    with pytest.raises(Misconfigured, match=r"^AUDITCAST_SEALING_KEYS ") as error:
        Sealer(keys)
    assert not any(key and key in str(error.value) for key in keys)
