"""The deliverer's settings."""

from typing import Annotated

from msgspec import Meta, Struct

from auditcast.kafka.settings import AllowedNetworks, Connection, SealingKeys, Timestamps

Milliseconds = Annotated[int, Meta(ge=10, le=600_000)]


class Settings(Struct, frozen=True, kw_only=True):
    """How to deliver. Times in milliseconds."""

    connection: Connection
    sealing_keys: SealingKeys
    timestamps: Timestamps = "broker"
    allowed_networks: AllowedNetworks = ()
    delivery_ca_file: Annotated[
        str, Meta(description="A PEM file of certificate authorities to trust beside the system's own")
    ] = ""
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
    delivery_connections: Annotated[
        int, Meta(ge=1, le=20_000, description="Connections open at a time; each takes about 0.3 MB")
    ] = 400
    delivery_buffer_bytes: Annotated[
        int, Meta(ge=16_000_000, description="Memory for batches that wait to be delivered, over all destinations")
    ] = 128_000_000
    revision_wait_ms: Annotated[
        Milliseconds, Meta(description="The longest wait for the destination's revision that a batch was made under")
    ] = 10_000
