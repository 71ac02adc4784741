"""The keys that a processor works with."""

from msgspec import Struct, field

from auditcast.schemas.errors import WrongSealingKey
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.signing_keys import Signer


class Keys(Struct, frozen=True):
    """`sealer` opens and authenticates what is the pipeline's own, `signer` signs manifests (None: there are none).

    `deleted` are destinations that are known to be deleted, wherever in the log that takes effect.
    """

    sealer: Sealer
    signer: Signer | None
    deleted: set[str] = field(default_factory=set)

    def salt(self, revision: Revision) -> bytes:
        """The salt of the fields that `revision` has hashed while it collects; raises `WrongSealingKey`.

        If the key to it is lost for good, nobody would get past it: so what a deleted destination is still owed is
        hashed with another one.
        """
        if not (revision.hashed and revision.collecting):
            return b""
        place = f"{revision.destination}/salt"
        try:
            return self.sealer.open(place, revision.salt).encode()
        except WrongSealingKey:
            if revision.destination not in self.deleted:
                raise
            return self.sealer.sign(place.encode())
