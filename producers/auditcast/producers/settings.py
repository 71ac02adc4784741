"""What an audit log can be told by the environment."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from auditcast.kafka.settings import BaseUrl, CatalogueFile, Connection, TypePrefix

EncodingName = Literal["json", "avro"]


class Settings(Struct, frozen=True, kw_only=True):
    """Settings of `AuditLog.from_env` and of `auditcast emit`."""

    connection: Connection
    base_url: BaseUrl = "https://atmos-pro.com"
    type_prefix: TypePrefix = "pro.atmos"
    catalogue: CatalogueFile = ""
    encoding: Annotated[
        EncodingName, Meta(description="How events lie in the log: CloudEvents JSON, or AuditEvent in Avro")
    ] = "json"
