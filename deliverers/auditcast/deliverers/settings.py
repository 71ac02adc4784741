"""The deliverer's settings."""

from typing import Annotated

from msgspec import Meta, Struct

from auditcast.kafka.settings import (
    FORM,
    AllowedNetworks,
    Connection,
    SealingKeys,
    Secret,
    SigningKeys,
    Timestamps,
    variable,
)
from auditcast.schemas.errors import Misconfigured

DAY_MS = 86_400_000

Milliseconds = Annotated[int, Meta(ge=10, le=600_000)]
Delay = Annotated[int, Meta(ge=100, le=7 * DAY_MS)]


class Settings(Struct, frozen=True, kw_only=True):
    """How to deliver. Times in milliseconds."""

    connection: Connection
    sealing_keys: SealingKeys
    signing_keys: SigningKeys = ()
    timestamps: Timestamps = "broker"
    allowed_networks: AllowedNetworks = ()
    delivery_ca_file: Annotated[
        str, Meta(description="A PEM file of certificate authorities to trust beside the system's own")
    ] = ""
    egress_proxy: Annotated[
        str, Meta(description="The proxy that all deliveries go through, by CONNECT: http://host:port")
    ] = ""
    egress_proxy_login: Annotated[Secret, Meta(description="The login at that proxy: user:password")] = Secret("")
    delivery_connect_ms: Annotated[
        Milliseconds, Meta(description="The longest that name lookup, connection and TLS handshake may take")
    ] = 10_000
    delivery_write_ms: Annotated[Milliseconds, Meta(description="The longest that sending a body may take")] = 15_000
    delivery_first_byte_ms: Annotated[
        Milliseconds, Meta(description="The longest silence of a receiver after the body, and within its answer")
    ] = 20_000
    delivery_whole_ms: Annotated[
        Milliseconds, Meta(description="The longest that one request may take, its whole answer included")
    ] = 30_000
    retry_delays_ms: Annotated[
        tuple[Delay, Delay, Delay, Delay, Delay],
        Meta(
            description="How long a failed delivery waits before each of its five retries, separated by commas",
            extra={FORM: "five whole numbers of milliseconds separated by commas, none below the one before"},
        ),
    ] = (30_000, 120_000, 600_000, 3_600_000, 14_400_000)
    delivery_max_age_ms: Annotated[
        int, Meta(ge=1000, le=30 * DAY_MS, description="After which time from its first attempt nothing is retried")
    ] = DAY_MS
    probe_ms: Annotated[
        int, Meta(ge=100, le=DAY_MS, description="At the latest after which time a failing destination is tried again")
    ] = 60_000
    delivery_connections: Annotated[
        int, Meta(ge=1, le=20_000, description="Connections open at a time; each takes about 0.3 MB")
    ] = 400
    delivery_buffer_bytes: Annotated[
        int, Meta(ge=16_000_000, description="Memory for batches that wait to be delivered, over all destinations")
    ] = 128_000_000
    webhook_origin: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*)?$",
            description="As whom receivers are asked for their consent: a host name; without it the base URL's",
            extra={FORM: "a host name, as in events.example.com"},
        ),
    ] = ""
    revision_wait_ms: Annotated[
        Milliseconds, Meta(description="The longest wait for the destination's revision that a batch was made under")
    ] = 10_000

    def __post_init__(self) -> None:
        if list(self.retry_delays_ms) != sorted(self.retry_delays_ms):
            raise Misconfigured(f"{variable('retry_delays_ms')}: no delay may be shorter than the one before it")
