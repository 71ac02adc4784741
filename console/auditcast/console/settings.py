"""The settings of the commands for people; the long-running commands add what they log."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from auditcast.kafka.settings import (
    FORM,
    AllowedNetworks,
    BaseUrl,
    CatalogueFile,
    Connection,
    SealingKeys,
    SigningKeys,
    TypePrefix,
)

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class Logging(Struct, frozen=True, kw_only=True):
    """What the long-running commands log."""

    log_level: Annotated[Level, Meta(description="The least severe lines that are logged")] = "INFO"


class Metrics(Struct, frozen=True, kw_only=True):
    """Where the long-running commands show their metrics."""

    metrics_port: Annotated[
        int,
        Meta(ge=0, le=65_535, description="The port of a worker's metrics for Prometheus; 0: none"),
    ] = 0
    metrics_host: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9.:-]{1,253}$",
            description="The address that they are at; anybody who reaches it can read them",
            extra={FORM: "a host name or an address, without port"},
        ),
    ] = "127.0.0.1"


class Destinations(Struct, frozen=True, kw_only=True):
    """What adding and editing destinations needs; looking at them needs only the connection."""

    connection: Connection
    sealing_keys: SealingKeys
    signing_keys: SigningKeys = ()
    base_url: BaseUrl = "https://atmos-pro.com"
    type_prefix: TypePrefix = "pro.atmos"
    allowed_networks: AllowedNetworks = ()


class Limits(Struct, frozen=True, kw_only=True):
    """How much there may be."""

    destinations_per_workspace: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="The most destinations that a workspace, or an organization, may have; 0: any number",
        ),
    ] = 20


class Entitlement(Struct, frozen=True, kw_only=True):
    """Who may have events forwarded."""

    connection: Connection
    entitled_plans: Annotated[
        tuple[str, ...],
        Meta(
            description="Plans whose workspaces have their events forwarded, separated by commas; workspaces without"
            " a plan have, too; after a change run 'auditcast workspaces apply'"
        ),
    ] = ("enterprise",)


class Events(Struct, frozen=True, kw_only=True):
    """What the platform's events are."""

    catalogue: CatalogueFile = ""


class Signing(Struct, frozen=True, kw_only=True):
    """What the platform signs with."""

    sealing_keys: SealingKeys
    signing_keys: SigningKeys = ()
