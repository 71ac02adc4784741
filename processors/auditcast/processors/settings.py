"""What `auditcast processor` reads from the environment."""

from msgspec import Struct

from auditcast.kafka.settings import Connection, SealingKeys, SigningKeys, Timestamps


class Settings(Struct, frozen=True, kw_only=True):
    """The processor's settings."""

    connection: Connection
    sealing_keys: SealingKeys
    signing_keys: SigningKeys = ()
    timestamps: Timestamps = "broker"
