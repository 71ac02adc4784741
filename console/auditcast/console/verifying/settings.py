"""The one setting of `auditcast verify`."""

from typing import Annotated

from msgspec import Meta, Struct

from auditcast.kafka.settings import Secret


class Auditing(Struct, frozen=True, kw_only=True):
    """What is not to stand on a command line."""

    secret: Annotated[
        tuple[Secret, ...],
        Meta(description="For 'auditcast verify': a destination's secrets (whsec_…), separated by commas"),
    ] = ()
