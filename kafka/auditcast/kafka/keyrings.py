"""The keys of the settings, put to use. Apart from settings.py: who emits needs none, and no cryptography either."""

from collections.abc import Sequence

from auditcast.kafka.settings import Secret
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.signing_keys import Signer


def sealer_of(sealing_keys: Sequence[Secret]) -> Sealer:
    """What seals and opens with the keys of the settings; raises `Misconfigured`."""
    return Sealer([key.reveal() for key in sealing_keys])


def signer_of(signing_keys: Sequence[Secret], sealing_keys: Sequence[Secret]) -> Signer:
    """What signs with them; raises `Misconfigured`."""
    return Signer([key.reveal() for key in signing_keys], [key.reveal() for key in sealing_keys])
