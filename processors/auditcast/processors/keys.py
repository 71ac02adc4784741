"""The keys that a processor works with."""

from msgspec import Struct

from auditcast.schemas.sealing import Sealer
from auditcast.schemas.signing_keys import Signer


class Keys(Struct, frozen=True):
    """`sealer` opens and authenticates what is the pipeline's own, `signer` signs manifests (None: there are none)."""

    sealer: Sealer
    signer: Signer | None
