"""The settings of the commands for people; the long-running commands add what they log."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from auditcast.kafka.settings import AllowedNetworks, BaseUrl, Connection, SealingKeys, TypePrefix

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Logging(Struct, frozen=True, kw_only=True):
    """What the long-running commands log."""

    log_level: Annotated[Level, Meta(description="The least severe lines that are logged")] = "INFO"


class Destinations(Struct, frozen=True, kw_only=True):
    """What adding and editing destinations needs; looking at them needs only the connection."""

    connection: Connection
    sealing_keys: SealingKeys
    base_url: BaseUrl = "https://atmos-pro.com"
    type_prefix: TypePrefix = "pro.atmos"
    allowed_networks: AllowedNetworks = ()
